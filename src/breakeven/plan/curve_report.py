"""Cost against volume for the leading options: the value that every renderer of ``breakeven curve`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from breakeven.plan.plan import Zone
from breakeven.workload.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The monthly cost of every option, in the order of the report's labels, at a volume."""

    requests_per_day: int
    usd_per_month: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReport:
    """Curves of ``labels`` at ``points``, ascending in volume, and the zones between all of their crossings."""

    workload: Workload
    labels: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    crossings: tuple[Zone, ...]
