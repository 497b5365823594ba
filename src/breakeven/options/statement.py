"""A monthly cost as lines that add up to it exactly."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from breakeven import units
from breakeven.catalog.evidence import Basis

QUANTITY_STEP = Decimal("1E-15")
"""Fine enough that rounding a quantity does not show in its nano-dollars."""


def quantity(exact: Fraction) -> Decimal:
    """A line's quantity: an exact amount rounded once, half-even, to fifteen decimals.

    >>> quantity(Fraction(2, 3))
    Decimal('0.666666666666667')
    """
    return Decimal(round(exact / Fraction(QUANTITY_STEP))) * QUANTITY_STEP


def usd_per_1k(usd: Decimal, requests: Fraction | int) -> Decimal:
    """US dollars that so many requests cost together, for 1,000 of them, to nano-dollars."""
    return units.rounded_usd(Fraction(usd) * 1_000 / requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One line: ``quantity`` of ``unit`` a month at ``usd_per_unit``, rounded once to nano-dollars."""

    label: str
    quantity: Decimal
    unit: str
    usd_per_unit: Decimal
    basis: Basis
    source: str = ""

    @property
    def usd_per_month(self) -> Decimal:
        """Quantity times price, half-even to nano-dollars."""
        return units.rounded_usd(Fraction(self.quantity) * Fraction(self.usd_per_unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostStatement:
    """What one way of serving costs a month; the total is the sum of its lines, and nothing else."""

    lines: tuple[CostLine, ...]

    @property
    def usd_per_month(self) -> Decimal:
        """Exact sum of the lines, in US dollars with nine decimals."""
        return sum((line.usd_per_month for line in self.lines), Decimal("0E-9"))
