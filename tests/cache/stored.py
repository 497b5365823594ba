"""What the tests of stores share: answers, keys, and waiting until they are written."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from breakeven.cache.response_store import StoredAnswer
from breakeven.cache.sqlite_store import SqliteStore
from breakeven.catalog.usage import Usage
from breakeven.policy.cache_key import KEY_BYTES, TAG_BYTES, tenant_tag

NS_PER_S = 1_000_000_000


def answer(body: bytes = b'{"choices":[]}', *, ttl_s: float = 3_600, **fields: Any) -> StoredAnswer:
    now_ns = time.time_ns()
    given: dict[str, Any] = {
        "content_type": b"application/json",
        "pieces": (body,),
        "stream": False,
        "served_model": "gpt-4o-mini",
        "deployment": "openai",
        "provider": "openai",
        "usage": Usage(input_tokens=1_000, output_tokens=300, cache_read_tokens=512),
        "processing": "standard",
        "call_ids": (),
        "stored_at_ns": now_ns,
        "expires_at_ns": now_ns + int(ttl_s * NS_PER_S),
    }
    return StoredAnswer(**given | fields)


def key(number: int, tenant: str = "acme") -> bytes:
    return tenant_tag(tenant) + number.to_bytes(KEY_BYTES - TAG_BYTES, "big")


def random_body(size_bytes: int = 1_000) -> bytes:
    """What does not deflate."""
    return os.urandom(size_bytes)


async def until(done: Callable[[], bool]) -> None:
    """Wait for what another thread does; a test that waits twenty seconds has failed."""
    for _ in range(2_000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def written(store: SqliteStore, answers: int) -> None:
    """Wait until so many answers were written."""
    await until(lambda: store.counters.written >= answers)


async def failed(store: SqliteStore) -> None:
    """Wait until a write has failed."""
    await until(lambda: store.counters.write_errors > 0)
