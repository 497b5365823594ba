"""One connection to an upstream: writes a request, reads its answer, and says whether it can carry another.

The parsing is httptools' (llhttp), left strict. What is owned here is which bytes belong to which exchange: a
connection carries one at a time, and after anything that was not asked for it is closed.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Callable
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from breakeven.upstreams.http_exchange import HttpExchange

HEAD_BYTES: Final = 65_536
"""The most bytes of an answer's head, interim answers (1xx) included."""

_JOINED_BYTES: Final = 16_384
"""Up to here a request's head and body are copied into one write; above, the copy costs more than a second buffer."""

_HEAD_TOO_LONG: Final = "its head is too long"
_KEEP_ALIVE: Final = re.compile(rb"timeout=(\d{1,6})")
_NO_BODY: Final = frozenset({204, 304})


class ConnectionOwner(Protocol):
    """Who keeps a connection between its exchanges."""

    def ready(self, connection: HttpConnection) -> None:
        """It can carry the next exchange."""
        ...

    def lost(self, connection: HttpConnection) -> None:
        """It is gone or going."""
        ...

    def again(self, exchange: HttpExchange) -> None:
        """A kept connection turned out to be dead before the request was out: send it on another."""
        ...


class HttpConnection(asyncio.Protocol):
    """A connection, idle or with one exchange. Seconds are the event loop's.

    ``kept`` says that it has idled or carried an exchange before; ``answering`` that the answer's body has begun.
    """

    __slots__ = (
        "_gone",
        "_head_bytes",
        "_head_told",
        "_headers",
        "_keep",
        "_most_unwritten_bytes",
        "_now",
        "_owner",
        "_parser",
        "_paused",
        "_pieces",
        "_poll",
        "_status",
        "_transport",
        "_until_closed",
        "_unwritten",
        "_whole",
        "answering",
        "exchange",
        "heard_s",
        "kept",
        "opened_s",
    )

    _transport: asyncio.Transport

    def __init__(self, owner: ConnectionOwner, now: Callable[[], float]) -> None:
        self.exchange: HttpExchange | None = None
        self.opened_s = self.heard_s = now()
        self.kept = False
        self._owner, self._now = owner, now
        self._parser = HttpResponseParser(self)
        self._poll: select.poll | None = None
        self._unwritten = self._paused = self._gone = False
        self._keep = self._until_closed = False
        self._most_unwritten_bytes = 0
        self._expect_answer()

    def _expect_answer(self) -> None:
        self._status = self._head_bytes = 0  # no status: the head is not whole
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []
        self._head_told = self._whole = self.answering = False

    # What the pool asks

    def begin(self, exchange: HttpExchange) -> None:
        """Send an exchange's request; its receiver hears the answer."""
        self._expect_answer()
        self.exchange, exchange.connection = exchange, self
        self.heard_s = self._now()
        if exchange.paused:
            self.pause()
        head, body = exchange.head, exchange.body
        if len(body) <= _JOINED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
            # Asyncio's loop says what that left unwritten only where it is asked again (CVE-2024-12254: up to Python
            # 3.12.8 and 3.13.1).
            self._transport.set_write_buffer_limits(high=self._most_unwritten_bytes)

    def alive(self) -> bool:
        """Whether an idle connection still is: nothing has come on it, neither an end nor bytes that nobody asked for.

        The event loop may not have seen yet what the kernel has, and a request that is written to a connection whose
        end was already there need not be sent twice: it is not sent here at all.
        """
        if self._gone or self._transport.is_closing():
            return False
        return self._poll is None or not self._poll.poll(0)

    def close(self) -> None:
        """Close an idle connection."""
        self._gone = True
        self._transport.close()

    def drop(self) -> None:
        """Give the exchange up, and the connection with it."""
        self.exchange = None
        self._gone = True
        self._transport.abort()
        self._owner.lost(self)

    def idle_limit_s(self, most_s: float) -> float:
        """How long it may idle: a second less than the server said, and at most ``most_s``."""
        found = _KEEP_ALIVE.search(self._headers.get(b"keep-alive", b""))
        return min(most_s, max(int(found[1]) - 1.0, 0.0)) if found else most_s

    @property
    def paused(self) -> bool:
        """Whether nothing is read, so that silence says nothing."""
        return self._paused

    def pause(self) -> None:
        """Read no more."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused:
            self._paused = False
            self.heard_s = self._now()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; with TLS, the handshake is done."""
        self._transport = transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        # Any byte that the kernel does not take at once calls `pause_writing`: so it is known whether all are out. Over
        # TLS 0 would call it without any, by turns with `resume_writing`; what is encrypted there counts as sent.
        self._most_unwritten_bytes = 0 if transport.get_extra_info("ssl_object") is None else 1
        transport.set_write_buffer_limits(high=self._most_unwritten_bytes)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)

    def pause_writing(self) -> None:
        """Not all of the request is out."""
        self._unwritten = True

    def resume_writing(self) -> None:
        """All of it is."""
        self._unwritten = False

    def data_received(self, data: bytes) -> None:
        """Take what came, and tell the exchange in at most one head, one piece and one end."""
        exchange = self.exchange
        if exchange is None:
            self.close()
            return
        self.heard_s = self._now()
        broken = None
        if not self._status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            broken = str(error.__context__ or error) or type(error).__name__
        else:
            if not self._status and self._head_bytes > HEAD_BYTES:
                broken = _HEAD_TOO_LONG
        self._tell(exchange, broken)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: an answer without a stated length is whole now, any other is broken."""
        self._gone = True
        exchange, self.exchange = self.exchange, None
        self._owner.lost(self)
        if exchange is None:
            return
        if self._status and self._until_closed and exc is None:
            exchange.complete()
            return
        unsent = not self._head_bytes and (self._unwritten or isinstance(exc, BrokenPipeError))
        if unsent and self.kept and not exchange.resent:
            exchange.resent = True
            self._owner.again(exchange)
            return
        where = "in the middle of its answer" if self._head_bytes else "before its answer"
        exchange.fail("broken", f"closed the connection {where}", sent=not unsent)

    def _tell(self, exchange: HttpExchange, broken: str | None) -> None:
        receiver = exchange.receiver
        if self._status and not self._head_told:
            self._head_told = True
            exchange.body = b""  # it will not be sent again
            receiver.head(self._status, self._headers)
        pieces = self._pieces
        if pieces and self.exchange is exchange:
            self._pieces = []
            self.answering = True
            receiver.data(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self.exchange is not exchange:  # it was given up meanwhile
            return
        if self._whole:
            self._release(reusable=self._keep and broken is None)
            exchange.complete()
        elif broken is not None:
            self.drop()
            exchange.fail("protocol", f"answered what is no HTTP/1.1: {broken}", sent=True)

    def _release(self, *, reusable: bool) -> None:
        self.exchange = None
        # An answer before the request was out (413): what is still to be written would be read as the next request.
        if reusable and not self._unwritten and not self._gone:
            self.resume()
            self._owner.ready(self)
        else:
            self.close()
            self._owner.lost(self)

    # What the parser finds

    def on_message_begin(self) -> None:
        """An answer begins; a second one to the same request was not asked for."""
        if self._whole:
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or after the body a trailer, which is left out."""
        if self._status:
            return
        name = name.lower()
        headers = self._headers
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        """The head is whole, or that of an interim answer."""
        if self._whole:
            return
        status = self._parser.get_status_code()
        headers = self._headers
        if status < 200:
            if status == 101:
                raise HttpParserError("101 switches protocols, and nobody asked")
            self._headers = {}
            return
        if self._head_bytes > HEAD_BYTES and sum(map(len, (*headers, *headers.values()))) > HEAD_BYTES:
            raise HttpParserError(_HEAD_TOO_LONG)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise HttpParserError("a transfer coding that was not asked for")
        self._status = status
        self._until_closed = coding is None and b"content-length" not in headers and status not in _NO_BODY

    def on_body(self, piece: bytes) -> None:
        """A piece of the body."""
        if not self._whole:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """The answer is whole, or an interim one."""
        if self._status and not self._whole:
            self._whole = True
            self._keep = self._parser.should_keep_alive()
