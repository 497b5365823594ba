"""Bytes to requests, one at a time: llhttp reads, and what it would let pass that two servers may read differently is
refused here.

llhttp never sees a byte beyond the request under way. So a pipelined request is not touched before its turn, and where
one request ends does not depend on how the bytes were cut.
"""

from __future__ import annotations

from typing import Final

import httptools

from breakeven.gateway.http_request import Request
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import Refusal, bad_request

METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
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
HEAD_END: Final = b"\r\n\r\n"


class RequestReader:
    """Reads the requests of one connection.

    After `feed` either ``request`` or ``refusal`` is there, or more bytes are needed. `next_request` starts over.
    """

    __slots__ = (
        "_chunk_left",
        "_chunk_line",
        "_field_count",
        "_head",
        "_head_read",
        "_headers",
        "_limits",
        "_method",
        "_parser",
        "_parts",
        "_peer",
        "_repeated",
        "_target",
        "_trailer_bytes",
        "_version",
        "_whole",
        "body_bytes",
        "body_left",
        "expects_continue",
        "in_body",
        "keep_alive",
        "refusal",
        "request",
    )

    def __init__(self, limits: Limits, peer: str) -> None:
        self._limits = limits
        self._peer = peer
        self._parser = httptools.HttpRequestParser(self)
        self.keep_alive = True
        self.next_request()

    def next_request(self) -> None:
        """Forget the request that was read."""
        self.request: Request | None = None
        self.refusal: Refusal | None = None
        self.in_body = False
        self.expects_continue = False
        self.body_bytes = 0
        self.body_left = 0
        self._head = b""
        self._headers: dict[bytes, bytes] = {}
        self._field_count = 0
        self._repeated = b""
        self._head_read = False
        self._whole = False
        self._parts: list[bytes] = []
        self._chunk_left = -1
        self._chunk_line = b""
        self._trailer_bytes = -1

    @property
    def begun(self) -> bool:
        """Whether part of a request has come."""
        return self.in_body or self._head != b""

    def feed(self, data: bytes, start: int = 0) -> int:
        """Take bytes from ``start`` on; give the position after the last that belongs to this request."""
        try:
            if not self.in_body:
                start = self._feed_head(data, start)
            while self.in_body and start < len(data) and self.refusal is None:
                start = self._feed_body(data, start)
        except httptools.HttpParserError as error:
            self._refuse_unreadable(str(error))
        return start

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An offer to speak another protocol may be ignored (RFC 9110 7.8); the parser would wait for that one.
            self._parser = httptools.HttpRequestParser(self)

    # -- head ---------------------------------------------------------------------------------------------------------

    def _feed_head(self, data: bytes, start: int) -> int:
        before = len(self._head)
        if before:
            data, base, start = self._head + data[start:], start - before, 0
        else:
            start, base = _skip_empty_lines(data, start), 0
        end = data.find(HEAD_END, start + max(0, before - 3))
        stop = len(data) if end < 0 else end + len(HEAD_END)
        too_long = stop - start > self._limits.header_bytes
        if too_long:
            stop = start + self._limits.header_bytes
        self._head = data[start:stop]
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
            self.refusal = Refusal(505, "http_version", "HTTP/2 is not spoken here; use HTTP/1.1")
        else:
            self.refusal = bad_request(f"not a valid HTTP/1.1 request: {why}")

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
        self.keep_alive = self._parser.should_keep_alive()
        self.refusal = self._line_refusal() or self._header_refusal() or self._body_refusal()
        if self.refusal is None:
            self.in_body = not self._whole
            if self._whole:
                self._finish()

    def _line_refusal(self) -> Refusal | None:
        version, target = self._version, self._target
        if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
            return Refusal(505, "http_version", "only HTTP/1.1 and HTTP/1.0 are spoken here")
        if self._method not in METHODS:
            return Refusal(501, "method_unknown", "the method is not known here")
        if len(target) > self._limits.target_bytes:
            return Refusal(414, "target_too_long", f"a target has at most {self._limits.target_bytes} bytes")
        if not target.startswith(b"/") and (target != b"*" or self._method != b"OPTIONS"):
            return bad_request("a target starts with a slash: this is no proxy")
        if b"#" in target:
            return bad_request("a target has no fragment")
        return None

    def _header_refusal(self) -> Refusal | None:
        if self._field_count > self._limits.header_count:
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
                return Refusal(501, "transfer_encoding", "the only Transfer-Encoding known here is chunked")
            self._chunk_left = 0
        length = headers.get(b"content-length")
        if length is not None:
            self.body_left = int(length)
            if self.body_left > self._limits.body_bytes:
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

    def _feed_body(self, data: bytes, start: int) -> int:
        if self._chunk_left < 0:
            stop = min(len(data), start + self.body_left)
            self.body_left -= stop - start
            self._parse(memoryview(data)[start:stop])
        elif self._chunk_left:
            stop = min(len(data), start + self._chunk_left)
            self._chunk_left -= stop - start
            self._parse(memoryview(data)[start:stop])
        else:
            stop = self._feed_chunk_line(data, start)
        if self.body_bytes > self._limits.body_bytes:
            self.refusal = self._body_too_large()
        elif self._whole:
            self._finish()
        return stop

    def _feed_chunk_line(self, data: bytes, start: int) -> int:
        """A line between chunks. llhttp has checked it before its number is believed here."""
        stop = data.find(b"\n", start) + 1 or len(data)
        line = self._chunk_line = self._chunk_line + data[start:stop]
        self._parse(memoryview(data)[start:stop])
        if self._trailer_bytes >= 0:
            self._trailer_bytes += stop - start
        longest = CHUNK_LINE_BYTES if self._trailer_bytes < 0 else self._limits.header_bytes
        if len(line) > longest or self._trailer_bytes > self._limits.header_bytes:
            self.refusal = bad_request("the lines between the chunks of the body are too long")
        elif line.endswith(b"\n"):
            self._chunk_line = b""
            if self._trailer_bytes < 0:
                self._begin_chunk(int(line.partition(b";")[0], 16))
        return stop

    def _begin_chunk(self, chunk_bytes: int) -> None:
        if chunk_bytes == 0:
            self._trailer_bytes = 0
        elif self.body_bytes + chunk_bytes > self._limits.body_bytes:
            self.refusal = self._body_too_large()
        else:
            self._chunk_left = chunk_bytes + len(b"\r\n")

    def _finish(self) -> None:
        parts = self._parts
        path, _, query = self._target.decode("ascii").partition("?")
        self.in_body = False
        self._head = b""
        self.request = Request(
            self._method.decode("ascii"),
            path,
            query,
            self._headers,
            parts[0] if len(parts) == 1 else b"".join(parts),
            self._peer,
            self.keep_alive,
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
        self._field_count += 1
        if name not in headers:
            headers[name] = value
        elif name in SINGLE:
            self._repeated = name
        else:
            headers[name] += (b"; " if name == b"cookie" else b", ") + value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_read = True

    def on_body(self, part: bytes) -> None:
        """A part of the body has come."""
        self.body_bytes += len(part)
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True


def _skip_empty_lines(data: bytes, start: int) -> int:
    """Old clients send an empty line after a body; it is no part of the next request (RFC 9112 2.2)."""
    while start < len(data) and data[start] in b"\r\n":
        start += 1
    return start
