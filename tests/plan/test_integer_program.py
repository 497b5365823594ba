"""Whole-number programs: the solver's answer, its bound, and what it says when there is none."""

from __future__ import annotations

import pytest

from breakeven.errors import NothingFits
from breakeven.plan.integer_program import IntegerProgram


def test_a_knapsack_in_whole_and_in_broken_pieces() -> None:
    def cheapest(*, whole: bool) -> float:
        program = IntegerProgram()
        big = program.variable(cost=3.0, whole=whole)
        small = program.variable(cost=2.0, whole=whole)
        program.bound([(big, 5.0), (small, 3.0)], low=11.0)
        found = program.solve()
        assert found.proved_cost == pytest.approx(found.cost)
        return found.cost

    assert cheapest(whole=True) == pytest.approx(7.0)  # one big, two small
    assert cheapest(whole=False) == pytest.approx(6.6)  # 2.2 big


def test_bounds_hold_on_both_sides() -> None:
    program = IntegerProgram()
    number = program.variable(cost=-1.0, upper=9.0)
    program.bound([(number, 2.0)], low=1.0, high=7.0)
    assert program.solve().values.tolist() == [3.0]


def test_what_cannot_be_is_said() -> None:
    program = IntegerProgram()
    number = program.variable(cost=1.0, upper=2.0)
    program.bound([(number, 1.0)], low=3.0)
    with pytest.raises(NothingFits, match="no purchase"):
        program.solve()


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Not even a banner: the standard output belongs to the command."""
    program = IntegerProgram()
    program.bound([(program.variable(cost=1.0), 1.0)], low=1.5)
    assert program.solve().cost == pytest.approx(2.0)
    assert capfd.readouterr() == ("", "")
