"""Bills of single requests, and what is saved of them: exact as the ledger is, with an interval that holds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import units
from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.options.replayed_bills import Bills, bills, plain_bills, saving

CARD = PriceCard(
    provider="p",
    model="m",
    processing="standard",
    tiers=(
        PriceRates(
            input_usd_per_mtok=Decimal("2.0001"),
            output_usd_per_mtok=Decimal(10),
            cache_read_usd_per_mtok=Decimal("0.2"),
            cache_write_5m_usd_per_mtok=Decimal("2.5"),
        ),
    ),
    usd_per_request=Decimal("0.005"),
    checked_on=date(2026, 11, 24),
    source="test",
)
tokens = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1_000), st.booleans()), min_size=2, max_size=80)


@given(tokens)
def test_each_request_costs_what_the_ledger_would_write(rows: list[tuple[int, int, bool]]) -> None:
    inputs, outputs = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    told = plain_bills(CARD, inputs, outputs)
    assert told.nano_usd.tolist() == [
        price(CARD, Usage(input_tokens=row[0], output_tokens=row[1])).nano_usd for row in rows
    ]


def test_the_input_bill_has_reads_and_writes_and_neither_output_nor_fee() -> None:
    usage = Usage(input_tokens=1_000, output_tokens=9, cache_read_tokens=600, cache_write_5m_tokens=300)
    told = bills(CARD, [usage])
    assert told.input_nano_usd.tolist() == [100 * 2_000 + 600 * 200 + 300 * 2_500 + 10]
    assert told.nano_usd.tolist() == [told.input_nano_usd[0] + 9 * 10_000 + 5_000_000]


@given(tokens)
def test_what_is_not_bought_saves_something_between_nothing_and_all(rows: list[tuple[int, int, bool]]) -> None:
    inputs, outputs = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    without = plain_bills(CARD, inputs, outputs)
    told = saving(without, without.where(np.array([row[2] for row in rows])), np.arange(len(rows)) * 1.0, len(rows))
    assert 0 <= told.saved_nano_usd <= told.without_nano_usd
    assert told.saved_nano_usd == sum(
        price(CARD, Usage(input_tokens=row[0], output_tokens=row[1])).nano_usd for row in rows if not row[2]
    )
    month, spent, interval = told.usd_saved_per_month, told.usd_per_month, told.usd_saved_per_month_interval
    assert month is not None
    assert spent is not None
    assert interval is not None
    assert 0 <= interval.low <= interval.high <= spent
    assert month <= spent


def test_a_month_is_730_hours_of_the_trace() -> None:
    without = Bills(nano_usd=np.array([600, 400]), input_nano_usd=np.array([600, 400]))
    told = saving(without, without.where(np.array([True, False])), np.array([0.0, 1_800.0]), 3_600.0)
    assert told.traces_per_month == Fraction(730)
    assert told.usd_per_month == units.usd(730 * 1_000)
    assert told.usd_saved_per_month == units.usd(730 * 400)
    assert told.bill_ratio == 0.6


def test_the_interval_holds_the_mean_in_most_traces() -> None:
    """Traces of independent requests, a tenth of which is saved: the interval is 95% of what they scatter by."""
    random = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        whole = Bills(nano_usd=np.full(3_000, 1_000), input_nano_usd=np.full(3_000, 1_000))
        told = saving(whole, whole.where(random.random(3_000) > 0.1), np.arange(3_000.0), 3_000.0).saved_usd_interval
        assert told is not None
        held += told.low <= units.usd(300_000) <= told.high
    assert 0.88 <= held / 200 <= 0.99


@pytest.mark.parametrize("span_s", [0.0, 10.0])
def test_what_cannot_be_said_is_not_zero(span_s: float) -> None:
    nothing = Bills(nano_usd=np.zeros(2, dtype=np.int64), input_nano_usd=np.zeros(2, dtype=np.int64))
    some = Bills(nano_usd=np.array([5, 5]), input_nano_usd=np.array([0, 0]))
    assert saving(nothing, nothing, np.zeros(2), span_s).bill_ratio is None
    assert saving(some, some, np.zeros(2), span_s).input_bill_ratio is None
    told = saving(some, some, np.zeros(2), 0.0)
    assert told.usd_saved_per_month is None
    assert told.saved_usd_interval is None
    assert told.usd_saved_per_month_interval is None
