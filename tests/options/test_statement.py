"""A statement adds up, whatever its lines."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from breakeven.options.statement import CostLine, CostStatement, quantity

amounts = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=9)
prices = st.decimals(min_value=0, max_value=10**4, allow_nan=False, allow_infinity=False, places=17)


def line(amount: Decimal, usd_per_unit: Decimal) -> CostLine:
    return CostLine(label="x", quantity=amount, unit="u", usd_per_unit=usd_per_unit, basis="quoted")


@given(st.lists(st.tuples(amounts, prices), max_size=8))
def test_the_total_is_the_sum_of_the_printed_lines(pairs: list[tuple[Decimal, Decimal]]) -> None:
    statement = CostStatement(lines=tuple(line(*pair) for pair in pairs))
    printed = [Decimal(str(each.usd_per_month)) for each in statement.lines]
    assert sum(map(Fraction, printed), Fraction(0)) == Fraction(statement.usd_per_month)


@given(amounts, prices)
def test_a_line_is_rounded_once_half_even_to_a_nano_dollar(amount: Decimal, usd_per_unit: Decimal) -> None:
    exact = Fraction(amount) * Fraction(usd_per_unit) * 10**9
    assert Fraction(line(amount, usd_per_unit).usd_per_month) * 10**9 == round(exact)


@given(st.fractions(min_value=0, max_value=10**12))
def test_a_quantity_is_within_half_a_step(exact: Fraction) -> None:
    assert abs(Fraction(quantity(exact)) - exact) <= Fraction(1, 2 * 10**15)
