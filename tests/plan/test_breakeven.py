"""The break-even solver equals brute force, whatever the curves."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from breakeven.options.curve import CostCurve
from breakeven.plan.breakeven import ExactCurves, Piece, cheapest_pieces

LAST = 400

money = st.fractions(min_value=0, max_value=50, max_denominator=7)
capacities = st.lists(st.integers(1, 120), max_size=3).map(tuple)
curve = st.builds(
    CostCurve,
    fixed_usd_per_month=money,
    usd_per_month_per_daily_request=st.fractions(min_value=0, max_value=1, max_denominator=11),
    unit_usd_per_month=money,
    unit_requests_per_day=capacities,
    min_units=st.integers(0, 5),
) | st.builds(
    lambda capacity, first, **costs: CostCurve(
        unit_requests_per_day=(capacity,),
        pooled_requests_per_day=tuple(
            sorted(
                [*(min(carried, (k + 1) * capacity) for k, carried in enumerate(first)), (len(first) + 1) * capacity]
            )
        ),
        **costs,
    ),
    capacity=st.integers(1, 60),
    first=st.lists(st.integers(1, 300), min_size=1, max_size=4).filter(lambda first: first == sorted(first)),
    fixed_usd_per_month=money,
    unit_usd_per_month=money,
)


def brute_force(curves: tuple[CostCurve, ...], last: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for volume in range(1, last + 1):
        costs = [one.usd_per_month(volume) for one in curves]
        winner = costs.index(min(costs))
        if pieces and pieces[-1].winner == winner:
            pieces[-1] = Piece(pieces[-1].first, volume, winner)
        else:
            pieces.append(Piece(volume, volume, winner))
    return tuple(pieces)


@settings(max_examples=300, deadline=None)
@given(st.lists(curve, min_size=1, max_size=6).map(tuple))
@example((CostCurve(), CostCurve()))
def test_equals_brute_force_at_every_volume(curves: tuple[CostCurve, ...]) -> None:
    assert tuple(cheapest_pieces(ExactCurves(curves), 1, LAST)) == brute_force(curves, LAST)


def test_api_line_against_a_fleet_of_whole_instances() -> None:
    api = CostCurve(usd_per_month_per_daily_request=Fraction(2))
    fleet = CostCurve(fixed_usd_per_month=Fraction(100), unit_usd_per_month=Fraction(50), unit_requests_per_day=(100,))
    pieces = tuple(cheapest_pieces(ExactCurves((api, fleet)), 1, 1_000))
    assert pieces[0] == Piece(1, 75, 0)
    assert pieces == brute_force((api, fleet), 1_000)


def test_near_equal_slopes_alternate_thousands_of_times_up_to_a_billion() -> None:
    api = CostCurve(usd_per_month_per_daily_request=Fraction(1, 1_000))
    fleet = CostCurve(unit_usd_per_month=Fraction(300), unit_requests_per_day=(300_001,))
    pieces = tuple(cheapest_pieces(ExactCurves((api, fleet))))
    assert len(pieces) > 3_000
    assert pieces[0].first == 1
    assert pieces[-1].last == 1_000_000_000
    for piece in pieces[:: len(pieces) // 50]:
        for volume in (piece.first, piece.last):
            costs = [one.usd_per_month(volume) for one in (api, fleet)]
            assert costs.index(min(costs)) == piece.winner


@pytest.mark.parametrize("count", [0, 1])
def test_no_options_and_one_option(count: int) -> None:
    pieces = tuple(cheapest_pieces(ExactCurves((CostCurve(),) * count)))
    assert pieces == ((Piece(1, 1_000_000_000, 0),) if count else ())
