"""The people whom something of one's own needs, as money."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from breakeven.options.statement import CostLine
from breakeven.workload.workload import SiteCosts


def staff_usd_per_month(costs: SiteCosts, engineer_frac: Decimal) -> Fraction:
    """Exact US dollars a month of this share of an engineer."""
    return Fraction(costs.engineer_usd_per_month) * Fraction(engineer_frac)


def staff_line(costs: SiteCosts, engineer_frac: Decimal) -> CostLine:
    """The same as a line of a statement."""
    return CostLine(
        label="staff",
        quantity=engineer_frac,
        unit="engineer",
        usd_per_unit=costs.engineer_usd_per_month,
        basis="assumed",
        source="the workload's costs",
    )
