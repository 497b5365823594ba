"""One answer on its way: the pipeline's `Reply`, written to a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Protocol

from breakeven.gateway.http_head import CONTINUE, WITHOUT_BODY, header_lines, status_line
from breakeven.gateway.http_request import Request
from breakeven.pipeline.reply import Headers

Framing = Literal["chunked", "close", "none"]
"""How the client sees the end of a stream: by its last chunk, by the connection's end, or there is no body."""

_EVENTS: Final = b"text/event-stream"


class Carrier(Protocol):
    """The connection that a reply is written to."""

    @property
    def draining(self) -> bool:
        """Whether this answer is to be the connection's last."""
        ...

    @property
    def common_lines(self) -> bytes:
        """The header lines that every answer has."""
        ...

    def write(self, data: bytes) -> None:
        """Send a part of the answer."""
        ...

    def finish(self, data: bytes, keep_alive: bool) -> None:
        """Send the end of the answer."""
        ...

    def abort(self) -> None:
        """Break the connection."""
        ...


class HttpReply:
    """See `Reply`. A whole answer is one write, and so is what is sent of a stream in one turn of the loop.

    ``finished`` is true once the answer has ended or the client has gone.
    """

    __slots__ = (
        "_connection",
        "_framing",
        "_is_events",
        "begun",
        "finished",
        "gone",
        "keep_alive",
        "on_drained",
        "on_full",
        "on_gone",
        "request",
    )

    def __init__(self, connection: Carrier, request: Request) -> None:
        self._connection = connection
        self._framing: Framing = "chunked"
        self._is_events = False
        self.request = request
        self.keep_alive = request.keep_alive
        self.begun = False
        self.finished = False
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer in one piece."""
        if self.begun and not self.finished:
            raise RuntimeError("the answer has begun")
        if self.finished:
            return
        length = b"" if status in WITHOUT_BODY else b"content-length: %d\r\n" % len(body)
        head = self._head(status, headers, length)
        silent = self.request.method == "HEAD" or status in WITHOUT_BODY
        self.begun = self.finished = True
        self._connection.finish(head if silent else head + body, self.keep_alive)

    def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a stream."""
        if self.begun and not self.finished:
            raise RuntimeError("the answer has begun")
        if self.finished:
            return
        framing = b""
        if self.request.method == "HEAD" or status in WITHOUT_BODY:
            self._framing = "none"
        elif self.request.http_1_1:
            framing = b"transfer-encoding: chunked\r\n"
        else:
            self._framing = "close"
            self.keep_alive = False
        head = self._head(status, headers, framing)
        self._is_events = any(value.startswith(_EVENTS) for name, value in headers if name == b"content-type")
        self.begun = True
        self._connection.write(head)

    def piece(self, data: bytes) -> None:
        """Send a piece; an empty one is left out."""
        if data and not self.finished:
            if self._framing == "chunked":
                self._connection.write(b"%x\r\n%b\r\n" % (len(data), data))
            elif self._framing == "close":
                self._connection.write(data)

    def end(self, data: bytes = b"") -> None:
        """Send a last piece and end the stream."""
        if self.finished:
            return
        if not self.begun:
            raise RuntimeError("the answer has not begun")
        self.finished = True
        if self._framing == "chunked":
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        elif self._framing == "none":
            data = b""
        self._connection.finish(data, self.keep_alive)

    def abort(self) -> None:
        """Break the connection, so that the client sees that the stream is not whole."""
        if not self.finished:
            self.finished = True
            self._connection.abort()

    def probe(self) -> None:
        """Send what means nothing to a client: an interim answer, which HTTP allows before any, or a comment.

        Pieces of server-sent events are whole events, so that a comment may stand between two of them.
        """
        if not self.begun and self.request.http_1_1:
            self._connection.write(CONTINUE)
        elif self._is_events:
            self.piece(b":\n\n")

    def lost(self) -> None:
        """The connection tells that the client has gone."""
        if not self.finished:
            self.finished = True
            self.gone = True
            if self.on_gone is not None:
                self.on_gone()

    def full(self) -> None:
        """The connection tells that the client reads slower than it is written to."""
        if self.on_full is not None and not self.finished:
            self.on_full()

    def drained(self) -> None:
        """The connection tells that the client has caught up."""
        if self.on_drained is not None and not self.finished:
            self.on_drained()

    def _head(self, status: int, headers: Headers, framing: bytes) -> bytes:
        if self._connection.draining:
            self.keep_alive = False
        if not self.keep_alive:
            framing += b"connection: close\r\n"
        elif not self.request.http_1_1:
            framing += b"connection: keep-alive\r\n"
        return b"%b%b%b%b\r\n" % (status_line(status), self._connection.common_lines, header_lines(headers), framing)
