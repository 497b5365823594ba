"""A model server over HTTP/1.1: any OpenAI-compatible endpoint, Azure, Anthropic."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from breakeven.errors import InputError
from breakeven.upstreams.base_url import BaseUrl
from breakeven.upstreams.connection_pool import ConnectionPool, PoolCounts, PoolLimits
from breakeven.upstreams.credential import ANTHROPIC_VERSION, Credential
from breakeven.upstreams.dialer import Dialer
from breakeven.upstreams.http_exchange import HttpExchange
from breakeven.upstreams.upstream import Receiver, Timeouts
from breakeven.upstreams.wire import WireName

OWN_HEADERS: Final = frozenset(
    (
        b"host user-agent content-length content-type transfer-encoding connection keep-alive upgrade te trailer "
        b"expect accept-encoding authorization x-api-key api-key proxy-authorization cookie"
    ).split()
)
"""What a client's headers cannot set here: framing, credentials, and an encoding in which no usage could be found."""

_FOREIGN_HEADERS: Final[Mapping[WireName, frozenset[bytes]]] = {
    "openai": frozenset((b"anthropic-version", b"anthropic-beta")),
    "anthropic": frozenset((b"openai-beta",)),
}
"""What speaks of the wire of the client's, where its question was translated for another."""


class HttpUpstream:
    """An `Upstream` over HTTP.

    No redirect is ever followed: its status goes to the receiver like any other. A request is written once, with one
    exception: a kept connection that turns out to be dead while the request is still not wholly written. Then no
    server can have run it, so it cannot be billed twice, and it is sent on another connection. Wherever the request
    may have been read, `UpstreamFailed` says ``sent`` and the policy decides.
    """

    def __init__(
        self,
        name: str,
        wire: WireName,
        base_url: BaseUrl,
        credential: Credential | None = None,
        timeouts: Timeouts | None = None,
        limits: PoolLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name, self.wire = name, wire
        self._url = base_url
        self.credential = credential or Credential()
        self._pool = ConnectionPool(Dialer(base_url, tls), timeouts or Timeouts(), limits or PoolLimits())
        self._left_out = OWN_HEADERS | _FOREIGN_HEADERS.get(wire, frozenset())
        self._heads: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"HttpUpstream({self.name!r}, {self.wire!r}, {self._url.authority!r})"

    @property
    def counts(self) -> PoolCounts:
        """Its connections now."""
        return self._pool.counts

    def send(self, path: str, headers: Mapping[bytes, bytes], body: bytes, receiver: Receiver) -> HttpExchange:
        """POST a JSON body to a path below the base URL; ``path`` is a codec's constant.

        ``headers`` has names in lower case; those of `OWN_HEADERS`, and of another
        wire, are left out.

        Raises:
            InputError: a header with a line break in it.
        """
        head = (self._heads.get(path) or self._fixed_head(path)) + self._sent_with(headers, len(body))
        exchange = HttpExchange(self.name, self._pool, head, body, receiver)
        self._pool.submit(exchange)
        return exchange

    async def close(self) -> None:
        """Close every connection; what is under way fails."""
        await self._pool.close()

    def _fixed_head(self, path: str) -> bytes:
        head = (
            f"POST {self._url.target(path)} HTTP/1.1\r\nhost: {self._url.authority}\r\nuser-agent: breakeven\r\n"
            "content-type: application/json\r\naccept-encoding: identity\r\n"
        ).encode("ascii")
        self._heads[path] = head + self.credential.header()
        return self._heads[path]

    def _sent_with(self, headers: Mapping[bytes, bytes], body_bytes: int) -> bytes:
        lines, sent = 0, b""
        for name, value in headers.items():
            if name not in self._left_out:
                sent += name + b": " + value + b"\r\n"
                lines += 1
        if not sent.count(b"\n") == sent.count(b"\r") == lines:
            raise InputError("a header has a line break in it")
        if self.wire == "anthropic" and b"anthropic-version" not in headers:
            sent += b"anthropic-version: " + ANTHROPIC_VERSION + b"\r\n"
        return b"%bcontent-length: %d\r\n\r\n" % (sent, body_bytes)
