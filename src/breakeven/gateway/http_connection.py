"""One client's connection: requests are read, worked on and answered strictly one after the other."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Protocol, cast

from breakeven.gateway.http_head import CONTINUE, DateLine, header_lines, status_line
from breakeven.gateway.http_reply import HttpReply
from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import OVERLOADED, TOO_MANY_CONNECTIONS, TOO_SLOW, ErrorBody, Refusal
from breakeven.gateway.request_reader import RequestReader
from breakeven.gateway.work import Work

PROBE_S = 1.0


class Keeper(Protocol):
    """The server, as its connections need it."""

    work: Work
    limits: Limits
    error_body: ErrorBody
    date: DateLine
    draining: bool

    def enter(self, connection: HttpConnection, /) -> bool:
        """Keep a new connection. False: there are too many."""

    def leave(self, connection: HttpConnection, /) -> None:
        """A connection is no more."""


class HttpConnection(asyncio.Protocol):
    """Bytes to requests and answers to bytes.

    ``deadline_s`` (of the loop's clock) is when `expire` is due. The server looks at it now and then; so a request
    sets a number, and no timer.
    """

    __slots__ = (
        "_clock",
        "_counted_bytes",
        "_held",
        "_held_at",
        "_leaving",
        "_limits",
        "_loop",
        "_probed",
        "_read_since_s",
        "_reader",
        "_reading_paused",
        "_reply",
        "_sent_all",
        "_transport",
        "_unsent",
        "_unsent_bytes",
        "_work",
        "_write_paused",
        "deadline_s",
        "server",
    )

    def __init__(self, server: Keeper) -> None:
        self.server = server
        self._work = server.work
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._reply: HttpReply | None = None
        self._held = b""
        self._held_at = 0
        self._counted_bytes = 0
        self._read_since_s = 0.0
        self._reading_paused = False
        self._write_paused = False
        self._leaving = False  # nothing that still comes is a request
        self._sent_all = False  # the client has closed its side
        self._probed = False
        self.deadline_s = math.inf

    # -- called by the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        peer = transport.get_extra_info("peername")
        self._reader = RequestReader(self._limits, str(peer[0]) if peer else "")
        connected = transport.get_extra_info("socket")
        if connected is not None and connected.family != getattr(socket, "AF_UNIX", None):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline_s = self._clock() + self._limits.idle_s
        if not self.server.enter(self):
            self._refuse(TOO_MANY_CONNECTIONS)
        elif self.server.draining:
            self._close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is no more."""
        self.server.leave(self)
        self._leaving = True
        self._uncount()
        reply, self._reply = self._reply, None
        if reply is not None:
            self._work.forget(reply)
            reply.lost()

    def data_received(self, data: bytes) -> None:
        """Bytes have come: of this request, or of one whose turn has not come."""
        if self._leaving:
            return
        if self._reply is None and not self._write_paused:
            self._read(data, 0)
            return
        self._held = self._held[self._held_at :] + data
        self._held_at = 0
        if len(self._held) > self._limits.held_bytes and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client sends no more. It still gets its answer, if it is there to take it."""
        self._sent_all = True
        if self._reply is None or self._leaving:
            return False
        if self.deadline_s == math.inf:
            self.deadline_s = self._clock() + PROBE_S
        return True

    def pause_writing(self) -> None:
        """The client reads slower than it is written to."""
        self._write_paused = True
        self._await_sending()
        if self._reply is not None:
            self._reply.full()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._write_paused = False
        if self._reply is None:
            self._next()
            return
        self.deadline_s = self._clock() + PROBE_S if self._sent_all else math.inf
        self._reply.drained()

    # -- called by the reply and the server ---------------------------------------------------------------------------

    @property
    def draining(self) -> bool:
        """Whether the answer is to be this connection's last."""
        return self.server.draining

    @property
    def common_lines(self) -> bytes:
        """The header lines that every answer has."""
        return self.server.date.lines

    def write(self, data: bytes) -> None:
        """Send bytes before the loop's next turn: what is written in one turn leaves in one system call."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def abort(self) -> None:
        """Break the connection."""
        self._flush()
        self._leaving = True
        self._transport.abort()

    def finish(self, data: bytes, keep_alive: bool) -> None:
        """Send the last bytes of an answer, and close or go on to the next request."""
        self._unsent.append(data)
        self._flush()
        self._reply = None
        if not keep_alive or self.server.draining:
            self._linger()
        elif not self._write_paused:
            self._next()

    def close_if_idle(self) -> None:
        """The server drains: a connection without a request has nothing to wait for."""
        if self._reply is None and not self._reader.begun and not self._leaving:
            self._close()

    def expire(self) -> None:
        """The deadline is over: what was waited for has not come."""
        if self._write_paused or self._leaving:
            if not 0 < self._transport.get_write_buffer_size() < self._unsent_bytes:
                self.abort()
            self._await_sending()
        elif self._reply is None:
            if self._reader.begun:
                self._refuse(TOO_SLOW)
            else:
                self._close()
        elif self._work.forget(self._reply):
            self._reply.lost()
            self._refuse(OVERLOADED)
        elif self._sent_all:
            self._probe()
        else:
            self.deadline_s = math.inf

    # -- requests -----------------------------------------------------------------------------------------------------

    def _read(self, data: bytes, start: int) -> None:
        reader = self._reader
        fresh = not reader.begun
        stop = reader.feed(data, start)
        if reader.request is not None:
            if stop < len(data):
                self._held, self._held_at = data, stop
            self._begin(reader.request)
        elif reader.refusal is not None:
            self._refuse(reader.refusal)
        elif reader.begun:
            self._await_rest(fresh)

    def _begin(self, request: Request) -> None:
        self._work.body_bytes += len(request.body) - self._counted_bytes
        self._counted_bytes = 0  # from here on the work counts them
        self._reader.next_request()
        self.deadline_s = math.inf
        reply = self._reply = HttpReply(self, request)
        place = self._work.begin(reply)
        if place == "none":
            self._refuse(OVERLOADED)
        elif place == "waiting":
            self.deadline_s = self._clock() + self._limits.waiting_s

    def _await_rest(self, fresh: bool) -> None:
        """Part of a request has come: see that the rest comes in time, and that there is room for it."""
        reader, limits = self._reader, self._limits
        if fresh:
            self._read_since_s = self._clock()
        if not reader.in_body:
            self.deadline_s = self._read_since_s + limits.header_s
            return
        self.deadline_s = self._read_since_s + limits.body_grace_s + reader.body_bytes / limits.body_bytes_per_s
        self._work.body_bytes += reader.body_bytes - self._counted_bytes
        self._counted_bytes = reader.body_bytes
        if self._work.full_of_bodies():
            self._refuse(OVERLOADED)
        elif reader.expects_continue:
            reader.expects_continue = False
            if not reader.body_bytes:
                self.write(CONTINUE)

    def _next(self) -> None:
        """Wait for the next request, or read the one that has already come."""
        if self._leaving:
            return
        self.deadline_s = self._clock() + self._limits.idle_s
        data, start, self._held, self._held_at = self._held, self._held_at, b"", 0
        if data:
            self._read(data, start)
        if self._reply is None and not self._leaving:
            if self._sent_all:
                self._close()
            elif self._reading_paused and not self._transport.is_closing():
                self._reading_paused = False
                self._transport.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer by ourselves; after that nothing on this connection is a request."""
        if self._leaving:
            return
        self._reply = None
        body = self.server.error_body(refusal.status, refusal.message, refusal.code)
        headers = [(b"content-type", b"application/json")]
        if refusal.status == 503:
            headers.append((b"retry-after", b"1"))
        framing = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.write(status_line(refusal.status) + self.server.date.lines + header_lines(headers) + framing + body)
        self._flush()
        self._uncount()
        self._linger()

    def _flush(self) -> None:
        unsent = self._unsent
        if unsent:
            self._unsent = []
            if self._transport.is_closing():  # it broke since: uvloop raises, and the end is about to be told
                return
            self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    # -- the end ------------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Close once everything is sent."""
        self._leaving = True
        self._await_sending()
        self._transport.close()

    def _linger(self) -> None:
        """Tell the client that no more is sent, and read what it still sends for a while.

        To close with bytes unread is to reset, and a reset can overtake the answer (RFC 9112 9.6).
        """
        self._leaving = True
        self._held = b""
        self._await_sending()
        if self._transport.is_closing():
            return
        if self._reading_paused:
            self._transport.resume_reading()
        if self._sent_all or not self._transport.can_write_eof():
            self._transport.close()  # TLS sees to the rest by its own farewell
        else:
            self._transport.write_eof()

    def _await_sending(self) -> None:
        """Give the client time to take what is not sent yet; `expire` looks whether it took any."""
        self._unsent_bytes = self._transport.get_write_buffer_size()
        allowed_s = self._limits.stalled_s if self._unsent_bytes else self._limits.linger_s
        self.deadline_s = self._clock() + allowed_s

    def _probe(self) -> None:
        """Ask once whether a client that has closed its side is still there, then look for the answer.

        A client that waits and one that has gone look alike: both sent FIN. To anything that is sent to it, the system
        of one that has gone answers with a reset.
        """
        reply, connected = self._reply, self._transport.get_extra_info("socket")
        self.deadline_s = self._clock() + PROBE_S
        if connected is not None and connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.abort()
        elif not self._probed and reply is not None:
            self._probed = True
            reply.probe()

    def _uncount(self) -> None:
        self._work.body_bytes -= self._counted_bytes
        self._counted_bytes = 0
