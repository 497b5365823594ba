"""The one method of a model server: send a request, and hear its answer piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from breakeven.errors import Unavailable
from breakeven.upstreams.wire import WireName

Failure = Literal[
    "busy", "connect", "connect_timeout", "first_byte_timeout", "idle_timeout", "deadline", "broken", "protocol"
]
"""What went wrong on the way: every connection in use for too long (says nothing against the upstream), no connection,
nothing heard in time, an answer cut off, an answer that is no HTTP."""


class UpstreamFailed(Unavailable):
    """No whole HTTP answer came. ``failure`` says where it stopped; ``sent`` whether the request may have been read."""

    def __init__(self, failure: Failure, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.failure = failure
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds allowed: to connect, to the first byte of the answer, and between two pieces of it."""

    connect_s: float = 5.0
    first_byte_s: float = 120.0
    idle_s: float = 60.0


class Receiver(Protocol):
    """Who hears an answer. Calls come in order from the event loop: one head, pieces of the body, then one end."""

    def head(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        """Status and headers (names in lower case) have come."""
        ...

    def data(self, piece: bytes) -> None:
        """A piece of the body, without transfer encoding."""
        ...

    def complete(self) -> None:
        """The answer is whole."""
        ...

    def failed(self, failure: UpstreamFailed) -> None:
        """It never will be."""
        ...


class Exchange(Protocol):
    """An exchange under way: slow it down, or give it up."""

    def pause(self) -> None:
        """Read no more until `resume`: the client is slower than the upstream."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def abort(self) -> None:
        """Drop the connection; the receiver hears nothing more."""
        ...


class Upstream(Protocol):
    """A model server with its connections and credentials. Tests put an object with ``send`` here."""

    name: str
    wire: WireName

    def send(self, path: str, headers: Mapping[bytes, bytes], body: bytes, receiver: Receiver) -> Exchange:
        """POST a body to a path below the base URL, credentials added. Returns at once; the receiver hears the rest."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
