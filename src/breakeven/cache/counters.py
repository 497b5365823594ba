"""What a store has done since it was opened, for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class CacheCounters:
    """Counts. A lookup is a hit in memory, a hit in the store, or a miss; one that failed is a miss and an error.

    ``dropped`` are answers that were not kept: too large, too many waiting, or the store took none.
    """

    memory_hits: int = 0
    store_hits: int = 0
    misses: int = 0
    read_errors: int = 0
    written: int = 0
    write_errors: int = 0
    dropped: int = 0
    evicted: int = 0
    expired: int = 0
