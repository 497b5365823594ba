"""What became of the requests of routes that have a cache, and how its store does, as families of samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from breakeven.cache.counters import CacheCounters
from breakeven.pipeline.remembered import Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMoment:
    """Counts since this process began. ``failure`` is why the store could not be used last; None where it could."""

    lookups: Mapping[str, int]
    bypasses: Mapping[str, int]
    not_stored: Mapping[str, int]
    other_wordings: Mapping[str, int]
    store: CacheCounters
    failure: str | None

    @classmethod
    def now(cls, remembered: Remembered) -> CacheMoment:
        """A copy that may be read while others are counted."""
        store = remembered.memory.store
        return cls(
            lookups=dict(remembered.lookups),
            bypasses=dict(remembered.bypasses),
            not_stored=dict(remembered.memory.not_stored),
            other_wordings={} if remembered.other_wordings is None else dict(remembered.other_wordings.counts),
            store=CacheCounters(**asdict(store.counters)),
            failure=store.failure,
        )


def cache_families(moment: CacheMoment) -> Iterator[Metric]:
    """Every family of a cache."""
    yield _counts("lookups", "Requests that have a key, by what became of them", "result", moment.lookups)
    yield _counts("bypasses", "Requests that are neither looked up nor stored, by reason", "reason", moment.bypasses)
    yield _counts("not_stored", "Answers that are not good enough to be stored, by reason", "reason", moment.not_stored)
    yield _counts("other_wordings", "Answers to other wordings, by what came of them", "event", moment.other_wordings)
    yield _counts("store_events", "What the store has done", "event", asdict(moment.store))
    yield GaugeMetricFamily(
        "breakeven_cache_up", "1 where the store could be used last", value=int(moment.failure is None)
    )


def _counts(name: str, told: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"breakeven_cache_{name}", f"{told}, since this process began", labels=[label])
    for key, count in sorted(counts.items()):
        family.add_metric([key], count)
    return family
