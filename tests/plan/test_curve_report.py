"""Cost against volume: the band that modelled capacity leaves around each cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from breakeven.plan.curve_report import curve_points, curve_report
from render import plans

GPU = replace(plans.GPU, capacity_band=(0.8, 1.25))
OPTIONS = (plans.API, GPU)


def test_an_option_without_a_modelled_capacity_has_no_width() -> None:
    for point in curve_report(plans.plan().workload, OPTIONS).points:
        assert point.low_usd_per_month[0] == point.usd_per_month[0] == point.high_usd_per_month[0]


@given(st.floats(0.01, 1.0), st.floats(1.0, 10.0))
def test_the_cost_lies_within_its_band_at_every_point(low: float, high: float) -> None:
    options = [replace(option, capacity_band=(low, high)) for option in (plans.GPU, plans.EDGE)]
    for point in curve_points(options, [1, 999, 6_000, 120_001, 10**9]):
        amounts = zip(point.low_usd_per_month, point.usd_per_month, point.high_usd_per_month, strict=True)
        assert all(least <= amount <= most for least, amount, most in amounts)


def test_the_ends_are_the_costs_at_the_ends_of_the_capacity() -> None:
    (point,) = curve_points([GPU], [1_200_000])
    fixed, each = GPU.curve.fixed_usd_per_month, GPU.curve.unit_usd_per_month
    ends = (point.low_usd_per_month[0], point.usd_per_month[0], point.high_usd_per_month[0])
    assert [(Fraction(amount) - fixed) / each for amount in ends] == [8, 10, 13]
