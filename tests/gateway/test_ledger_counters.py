"""Counters add up exactly, whatever the number of models; histograms count every value once."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.gateway import ledger_counters
from breakeven.gateway.histogram import DURATION_BUCKETS_S, Histogram
from breakeven.gateway.ledger_counters import OTHER, SUMS, LedgerCounters
from breakeven.ledger.sqlite_ledger import SqliteLedger
from ledger.ledgers import entry


@given(st.lists(st.floats(min_value=0, max_value=1000)))
def test_a_histogram_counts_each_value_under_its_bounds(values: list[float]) -> None:
    histogram = Histogram(DURATION_BUCKETS_S)
    for value in values:
        histogram.observe(value)
    ordered = sorted(values)
    for (bound, count), limit in zip(histogram.cumulative(), [*DURATION_BUCKETS_S, float("inf")], strict=True):
        assert float(bound.replace("+Inf", "inf")) == limit
        assert count == sum(1 for value in ordered if value <= limit)
    assert histogram.total_s == pytest.approx(sum(values))
    assert bisect_left(DURATION_BUCKETS_S, 0.01) == 0


def test_beyond_so_many_groups_sums_stay_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_counters, "MOST_GROUPS", 10)

    async def run() -> None:
        ledger = SqliteLedger.open(tmp_path / "ledger.db")
        counters = LedgerCounters(ledger)
        for number in range(100):
            counters.observe(entry(f"req_{number}", number, served_model=f"model-{number}"))
        counted = counters.counted()
        assert len(counted.sums) == 11
        assert len(counted.durations) == 11
        assert sum(sums[SUMS.index("nano_usd")] for sums in counted.sums.values()) == sum(range(100))
        assert sum(histogram.cumulative()[-1][1] for histogram in counted.durations.values()) == 100
        assert [group.model for group in counted.sums][-1] == OTHER
        await ledger.close()

    asyncio.run(run())


def test_a_copy_does_not_change_with_what_comes_after_it(tmp_path: Path) -> None:
    async def run() -> None:
        ledger = SqliteLedger.open(tmp_path / "ledger.db")
        counters = LedgerCounters(ledger)
        counters.observe(entry("req_1", 7))
        counted = counters.counted()
        counters.observe(entry("req_2", 7))
        (sums,) = counted.sums.values()
        assert sums[SUMS.index("attempts")] == 1
        assert [histogram.cumulative()[-1][1] for histogram in counted.durations.values()] == [1.0]
        await ledger.close()

    asyncio.run(run())


def test_a_request_counts_with_its_first_attempt(tmp_path: Path) -> None:
    async def run() -> None:
        ledger = SqliteLedger.open(tmp_path / "ledger.db")
        counters = LedgerCounters(ledger)
        for attempt in (1, 2, 3):
            counters.observe(entry("req_1", 5, attempt=attempt))
        (sums,) = counters.counted().sums.values()
        named = dict(zip(SUMS, sums, strict=True))
        assert (named["requests"], named["attempts"], named["nano_usd"]) == (1, 3, 15)
        await ledger.close()

    asyncio.run(run())
