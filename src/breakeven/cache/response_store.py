"""The seam to remembered answers: what is kept of an answer, and how it is found again."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from breakeven.cache.counters import CacheCounters
from breakeven.catalog.usage import Usage


class StoredAnswer(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A complete, good answer as its client got it, and what it used when it was bought.

    ``pieces`` is one body, or the events of a stream without what the gateway adds at its end. ``call_ids`` are the
    ids of the tool calls in it, which are made anew wherever it is served again. Times are nanoseconds since 1970, UTC.
    """

    content_type: bytes
    pieces: tuple[bytes, ...]
    stream: bool
    served_model: str
    deployment: str
    provider: str
    usage: Usage
    processing: str
    call_ids: tuple[bytes, ...]
    stored_at_ns: int
    expires_at_ns: int


class ResponseStore(Protocol):
    """Answers by key. A store that is away or slow answers None: the cache is never why a request fails."""

    @property
    def counters(self) -> CacheCounters:
        """What the store has done since it was opened."""
        ...

    @property
    def failure(self) -> str | None:
        """Why the store could not be used last, for logs and health; None where it could."""
        ...

    async def get(self, key: bytes, now_ns: int) -> StoredAnswer | None:
        """The answer with this key, if it is there and has not expired."""
        ...

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer; returns at once, and what cannot be kept is dropped."""
        ...

    async def epoch(self, tenant: str) -> int | None:
        """A number that changes when a tenant's answers are flushed; part of every key, so a flush takes no search.

        As of a second ago at most. None where it is not known now: then nothing may be looked up or stored, for what
        was flushed would be found again.
        """
        ...

    async def close(self) -> None:
        """Write what is waiting, and end."""
        ...
