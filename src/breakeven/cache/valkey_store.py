"""Answers in a Valkey or Redis server, behind those in memory: for gateways on several machines.

Only GET, SET with PX and NX, and DEL are used, so any server that speaks the protocol will do. A request waits five
milliseconds for it at most, and a server that is away is not asked at all.

An epoch is the moment of the last flush, or of the first look where there was none. A server that forgets an epoch, for
lack of room or by a restart, so makes a new one that never was: what was flushed is not found again.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from breakeven.cache.counters import CacheCounters
from breakeven.cache.memory import MemoryFront
from breakeven.cache.packing import packed, unpacked
from breakeven.cache.response_store import StoredAnswer
from breakeven.cache.valkey_link import ValkeyLink

BUDGET_S: Final = 0.005
"""What a request waits for the server."""

EPOCH_S: Final = 0.5
FLUSH_S: Final = 2.0
EVERYONE: Final = ""
DEFAULT_MEMORY_BYTES: Final = 64 << 20
MOST_ANSWER_BYTES: Final = 8 << 20
_MOST_EPOCHS: Final = 10_000
_NS_PER_MS: Final = 1_000_000


class ValkeyStore:
    """A `ResponseStore` of one server. Lookups and writes have a connection each."""

    def __init__(self, url: str, *, namespace: str = "breakeven", memory_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
        self.counters = CacheCounters()
        self.memory = MemoryFront(memory_bytes)
        self._begins = f"{namespace}:1:".encode()
        self._reads, self._writes = ValkeyLink(url), ValkeyLink(url)
        self._epochs: dict[str, tuple[float, int | None]] = {}

    async def connected(self, within_s: float = 2.0) -> bool:
        """Wait until the server has answered; whether it did. The store may be used before."""
        found = await asyncio.gather(self._reads.connected(within_s), self._writes.connected(within_s))
        return all(found)

    async def get(self, key: bytes, now_ns: int) -> StoredAnswer | None:
        """The answer with this key, if it is there and has not expired."""
        answer = self.memory.get(key, now_ns)
        if answer is not None:
            self.counters.memory_hits += 1
            return answer
        answer = await self._read(key)
        if answer is None or answer.expires_at_ns <= now_ns:
            self.counters.misses += 1
            return None
        self.counters.store_hits += 1
        self.memory.put(key, answer)
        return answer

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer in memory at once, and in the server soon."""
        self.memory.put(key, answer)
        left_ms = (answer.expires_at_ns - time.time_ns()) // _NS_PER_MS
        kept = key + packed(answer)  # by its key in it, an answer is known to be the one that was asked for
        if left_ms > 0 and len(kept) <= MOST_ANSWER_BYTES:
            reply = self._writes.send("SET", self._begins + b"answer:" + key, kept, "PX", left_ms)
            if reply is not None:
                reply.add_done_callback(self._note_written)
                return
        self.counters.dropped += 1

    async def epoch(self, tenant: str) -> int | None:
        """The tenant's epoch, as of half a second ago at most; None where the server does not say it now."""
        now_s = time.monotonic()
        until_s, known = self._epochs.get(tenant, (0.0, None))
        if now_s < until_s:
            return known
        own, everyones = await asyncio.gather(self._epoch_of(tenant), self._epoch_of(EVERYONE))
        if own is None or everyones is None:
            self.counters.read_errors += 1
            return None
        if len(self._epochs) >= _MOST_EPOCHS:
            self._epochs.clear()
        self._epochs[tenant] = now_s + EPOCH_S, own + everyones
        return own + everyones

    async def flush(self, tenant: str | None = None) -> int | None:
        """Forget a tenant's answers, or everyone's; they take room until they expire.

        Returns the epoch that is set; None where the server did not say that it is.
        """
        name, epoch = EVERYONE if tenant is None else tenant, time.time_ns()
        self._epochs.clear()
        return epoch if await self._writes.ask(FLUSH_S, "SET", self._epoch_name(name), epoch) is not None else None

    async def close(self) -> None:
        """Write what is waiting, and end."""
        await self._writes.close()
        await self._reads.close()

    @property
    def failure(self) -> str | None:
        """Why the server could not be reached last; None where it could."""
        return self._reads.failure or self._writes.failure

    def _note_written(self, reply: asyncio.Future[object]) -> None:
        if not reply.cancelled() and reply.result() is not None:
            self.counters.written += 1
        else:
            self.counters.write_errors += 1
            self.counters.dropped += 1

    async def _read(self, key: bytes) -> StoredAnswer | None:
        kept = await self._reads.ask(BUDGET_S, "GET", self._begins + b"answer:" + key)
        if kept is None:
            self.counters.read_errors += not self._reads.is_up
            return None
        answer = unpacked(kept[len(key) :]) if kept.startswith(key) else None
        if answer is None:
            self.counters.read_errors += 1
        return answer

    async def _epoch_of(self, name: str) -> int | None:
        """An epoch, made now where there is none."""
        named = self._epoch_name(name)
        _, found = await asyncio.gather(
            self._reads.ask(BUDGET_S, "SET", named, time.time_ns(), "NX"), self._reads.ask(BUDGET_S, "GET", named)
        )
        return int(found) if found is not None and found.isdigit() else None

    def _epoch_name(self, name: str) -> bytes:
        return self._begins + b"epoch:" + name.encode()
