"""A cost curve whose units carry more or less than planned."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from breakeven.options.curve import CostCurve

VOLUMES = st.integers(1, 1_000_000)
FACTORS = st.fractions(Fraction(1, 100), Fraction(100), max_denominator=1_000)


@st.composite
def curves(draw: st.DrawFn) -> CostCurve:
    """Curves of each shape: a line, a fleet, a fleet billed by the hour, devices that share a queue."""
    money = st.fractions(0, 1_000, max_denominator=100)
    curve = CostCurve(
        fixed_usd_per_month=draw(money), usd_per_month_per_daily_request=draw(money), unit_usd_per_month=draw(money)
    )
    if draw(st.booleans()):
        capacities = draw(st.lists(st.integers(1, 50_000), max_size=4))
        return replace(curve, unit_requests_per_day=tuple(capacities), min_units=draw(st.integers(0, 3)))
    each = draw(st.integers(1, 5_000))
    early = sorted(draw(st.lists(st.integers(1, each), max_size=3)))
    pooled = [carried * count for count, carried in enumerate(early, start=1)]
    pooled.append(each * (len(early) + 1))
    return replace(curve, unit_requests_per_day=(each,), pooled_requests_per_day=tuple(pooled))


@given(curves())
def test_planned_capacity_is_the_same_curve(curve: CostCurve) -> None:
    assert curve.at_capacity(Fraction(1)) == curve


@given(curves(), FACTORS, FACTORS, VOLUMES)
def test_more_capacity_never_costs_more(curve: CostCurve, one: Fraction, other: Fraction, volume: int) -> None:
    low, high = sorted((one, other))
    assert curve.at_capacity(high).usd_per_month(volume) <= curve.at_capacity(low).usd_per_month(volume)


@given(curves(), FACTORS, VOLUMES)
def test_more_volume_never_buys_fewer_units(curve: CostCurve, factor: Fraction, volume: int) -> None:
    scaled = curve.at_capacity(factor)
    assert scaled.units(volume) <= scaled.units(volume + 1)


def test_half_the_capacity_buys_twice_the_units() -> None:
    curve = CostCurve(unit_usd_per_month=Fraction(100), unit_requests_per_day=(1_000,))
    assert [curve.at_capacity(Fraction(1, parts)).units(10_000) for parts in (1, 2, 10_000)] == [10, 20, 10_000]
