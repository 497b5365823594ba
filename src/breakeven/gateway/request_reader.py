"""Bytes to requests, one at a time.

llhttp reads heads and the framing of chunked bodies, and checks them; a body of known length is only counted. What
llhttp lets pass and two servers may read differently is refused here. It never sees a byte beyond the request under
way: a pipelined request is not touched before its turn, and where a request ends does not depend on how its bytes were
cut.
"""

from __future__ import annotations

from typing import Final

import httptools

from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import Refusal, bad_request

METHODS: Final = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
SINGLE: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"authorization",
        b"proxy-authorization",
        b"x-api-key",
        b"api-key",
        b"expect",
    }
)
"""Headers that decide something: sent twice, it would hang on the reader which one counts."""

HOST_BYTES: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:[]%!$&'()*+;="
CHUNK_LINE_BYTES: Final = 1024
SMALL_PART_BYTES: Final = 4096
HEAD_END: Final = b"\r\n\r\n"
_OTHER_LINES: Final = 2
"""Of a head: the request line, and the empty line that ends it."""


class RequestReader:
    """Reads the requests of one connection.

    After `feed` either ``request`` or ``refusal`` is there, or more bytes are needed. `next_request` starts over.
    """

    __slots__ = (
        "_between_bytes",
        "_body_left",
        "_chunk_left",
        "_chunk_line",
        "_head",
        "_head_read",
        "_headers",
        "_in_trailers",
        "_keep_alive",
        "_limits",
        "_method",
        "_parser",
        "_parts",
        "_peer",
        "_repeated",
        "_target",
        "_version",
        "_whole",
        "begun",
        "body_bytes",
        "expects_continue",
        "in_body",
        "refusal",
        "request",
    )

    # llhttp's other events are not of interest; where a name is missing, each new parser would fail to find it.
    on_message_begin = on_url = on_status = on_chunk_header = on_chunk_complete = None

    def __init__(self, limits: Limits, peer: str) -> None:
        self._limits = limits
        self._peer = peer
        self.next_request()

    def next_request(self) -> None:
        """Forget the request that was read."""
        self._parser = httptools.HttpRequestParser(self)
        self.request: Request | None = None
        self.refusal: Refusal | None = None
        self.begun = False  # part of a request has come
        self.in_body = False
        self.expects_continue = False
        self.body_bytes = 0
        self._body_left = 0
        self._head = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated = b""
        self._head_read = False
        self._whole = False
        self._parts: list[bytes | bytearray | memoryview] = []
        self._chunk_left = -1
        self._chunk_line = b""
        self._between_bytes = 0
        self._in_trailers = False

    def feed(self, data: bytes, start: int = 0) -> int:
        """Take bytes from ``start`` on; give the position after the last that belongs to this request."""
        try:
            if not self.in_body:
                start = self._feed_head(data, start)
            while self.in_body and start < len(data):
                start = self._feed_counted(data, start) if self._chunk_left < 0 else self._feed_chunked(data, start)
        except httptools.HttpParserError as error:
            self._refuse_unreadable(str(error))
        return start

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # the end of a message that offers another protocol, which may be ignored (RFC 9110 7.8)

    # -- head ---------------------------------------------------------------------------------------------------------

    def _feed_head(self, data: bytes, start: int) -> int:
        before = len(self._head)
        if before:
            data, base, start = self._head + data[start:], start - before, 0
        else:
            if data[start] in b"\r\n":
                start = _skip_empty_lines(data, start)
            base = 0
        end = data.find(HEAD_END, start + max(0, before - 3))
        stop = len(data) if end < 0 else end + len(HEAD_END)
        too_long = stop - start > self._limits.header_bytes
        if too_long:
            stop = start + self._limits.header_bytes
        self._head = data[start:stop]
        self.begun = stop > start
        self._parse(self._head[before:] if before else self._head)
        if self._head_read:
            self._open()
        elif too_long:
            self._refuse_long_head()
        elif end >= 0:
            self._refuse_unreadable("no request line")
        return base + stop

    def _refuse_unreadable(self, why: str) -> None:
        if self._head.startswith(b"PRI * HTTP/2"):
            self._refuse(bad_request("HTTP/2 is not spoken here; use HTTP/1.1"))
        else:
            self._refuse(bad_request(f"not a valid HTTP/1.1 request: {why}"))

    def _refuse_long_head(self) -> None:
        line_bytes = self._head.find(b"\r\n")
        if line_bytes < 0 or line_bytes > self._limits.target_bytes:
            self.refusal = Refusal(414, "target_too_long", f"a target has at most {self._limits.target_bytes} bytes")
        else:
            self.refusal = Refusal(431, "headers_too_large", f"a head has at most {self._limits.header_bytes} bytes")

    def _open(self) -> None:
        """The head is there: check it, and see what body follows."""
        words = self._head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3:
            self.refusal = bad_request("a request line is METHOD TARGET VERSION, with one space between")
            return
        self._method, self._target, self._version = words
        self.refusal = self._line_refusal() or self._header_refusal() or self._body_refusal()
        if self.refusal is None:
            self.in_body = self._body_left > 0 or self._chunk_left == 0
            if not self.in_body:
                self._finish(b"")

    def _line_refusal(self) -> Refusal | None:
        version, target = self._version, self._target
        if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
            return bad_request("only HTTP/1.1 and HTTP/1.0 are spoken here")
        if self._method not in METHODS:
            return bad_request(f"the method is none of {', '.join(METHODS.values())}")
        if len(target) > self._limits.target_bytes:
            return Refusal(414, "target_too_long", f"a target has at most {self._limits.target_bytes} bytes")
        if not target.startswith(b"/") and (target != b"*" or self._method != b"OPTIONS"):
            return bad_request("a target starts with a slash: this is no proxy")
        if b"#" in target:
            return bad_request("a target has no fragment")
        return None

    def _header_refusal(self) -> Refusal | None:
        if self._head.count(b"\n") - _OTHER_LINES > self._limits.header_count:
            return Refusal(431, "headers_too_many", f"a request has at most {self._limits.header_count} header lines")
        if self._repeated:
            return bad_request(f"the header {self._repeated.decode('latin-1')} may be there only once")
        host = self._headers.get(b"host")
        if host is None and self._version == b"HTTP/1.0":
            return None
        if not host or host.translate(None, HOST_BYTES):
            return bad_request("a request has one header Host that names a host")
        return None

    def _body_refusal(self) -> Refusal | None:
        headers = self._headers
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if self._version == b"HTTP/1.0":
                return bad_request("HTTP/1.0 has no Transfer-Encoding")
            if coding.lower() != b"chunked":
                return bad_request("the only Transfer-Encoding known here is chunked")
            self._chunk_left = 0
        length = headers.get(b"content-length")
        if length is not None:
            self._body_left = int(length)
            if self._body_left > self._limits.body_bytes:
                return self._body_too_large()
        expectation = headers.get(b"expect")
        if expectation is not None and self._version == b"HTTP/1.1":
            if expectation.lower() != b"100-continue":
                return Refusal(417, "expectation", "the only expectation known here is 100-continue")
            self.expects_continue = True
        return None

    def _body_too_large(self) -> Refusal:
        return Refusal(413, "body_too_large", f"a body has at most {self._limits.body_bytes} bytes")

    # -- body ---------------------------------------------------------------------------------------------------------

    def _feed_counted(self, data: bytes, start: int) -> int:
        stop = min(len(data), start + self._body_left)
        self._body_left -= stop - start
        if not self._body_left and not self._parts:
            self._finish(data[start:stop])
            return stop
        self.on_body(memoryview(data)[start:stop])
        if not self._body_left:
            self._finish(b"".join(self._parts))
        return stop

    def _feed_chunked(self, data: bytes, start: int) -> int:
        if not self._chunk_left:
            return self._feed_chunk_line(data, start)
        stop = min(len(data), start + self._chunk_left)
        self._chunk_left -= stop - start
        self._parse(memoryview(data)[start:stop])
        return stop

    def _feed_chunk_line(self, data: bytes, start: int) -> int:
        """A line between chunks. llhttp has checked it before its number is believed here."""
        stop = data.find(b"\n", start) + 1 or len(data)
        line = data[start:stop]
        self._chunk_line += line
        self._between_bytes += len(line)
        self._parse(line)
        if self._whole:
            self._finish(b"".join(self._parts))
        elif self._between_bytes > (self._limits.header_bytes if self._in_trailers else CHUNK_LINE_BYTES):
            self._refuse(bad_request("the lines between the chunks of the body are too long"))
        elif line.endswith(b"\n"):
            if not self._in_trailers:
                self._begin_chunk(int(self._chunk_line.partition(b";")[0], 16))
            self._chunk_line = b""
        return stop

    def _begin_chunk(self, chunk_bytes: int) -> None:
        self._between_bytes = 0
        if chunk_bytes == 0:
            self._in_trailers = True
        elif self.body_bytes + chunk_bytes > self._limits.body_bytes:
            self._refuse(self._body_too_large())
        else:
            self._chunk_left = chunk_bytes + len(b"\r\n")

    def _refuse(self, refusal: Refusal) -> None:
        self.in_body = False
        self.refusal = refusal

    def _finish(self, body: bytes) -> None:
        path, _, query = self._target.decode("ascii").partition("?")
        self.in_body = False
        self.request = Request(
            METHODS[self._method],
            path,
            query,
            self._headers,
            body,
            self._peer,
            self._keep_alive,
            self._version == b"HTTP/1.1",
        )

    # -- called by llhttp ---------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line has come, or a trailer: those are read over."""
        if self._head_read:
            return
        name = name.lower()
        value = value.rstrip(b" \t")
        headers = self._headers
        if name not in headers:
            headers[name] = value
        elif name in SINGLE:
            self._repeated = name
        else:
            headers[name] += (b"; " if name == b"cookie" else b", ") + value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_read = True
        self._keep_alive = self._parser.should_keep_alive()  # the parser forgets it at the message's end

    def on_body(self, part: bytes | memoryview) -> None:
        """A part of the body has come. Large ones are copied once, when it is whole; small ones gather."""
        self.body_bytes += len(part)
        last = self._parts[-1] if self._parts else None
        if len(part) >= SMALL_PART_BYTES:
            self._parts.append(part)
        elif isinstance(last, bytearray):
            last += part
        else:
            self._parts.append(bytearray(part))

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True


def _skip_empty_lines(data: bytes, start: int) -> int:
    """Old clients send an empty line after a body; it is no part of the next request (RFC 9112 2.2)."""
    while start < len(data) and data[start] in b"\r\n":
        start += 1
    return start
