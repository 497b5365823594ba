"""Cost against volume for the leading options, with every volume at which they cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from breakeven import units
from breakeven.options.option import Option
from breakeven.plan.breakeven import MAX_REQUESTS_PER_DAY, ExactCurves, cheapest_pieces
from breakeven.plan.plan import Zone
from breakeven.plan.zones import zones
from breakeven.workload.workload import Workload

POINTS_PER_DECADE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What each option costs a month at one volume, in the order of the report's labels."""

    requests_per_day: int
    usd_per_month: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveReport:
    """Curves of a few options over volume. ``points`` are for drawing; ``crossings`` are exact and complete."""

    workload: Workload
    labels: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    crossings: tuple[Zone, ...]


def curve_report(workload: Workload, options: Sequence[Option], *, last: int = MAX_REQUESTS_PER_DAY) -> CurveReport:
    """Cost of each option from one request a day to ``last``, and the zones in which each is the cheapest."""
    curves = tuple(option.curve for option in options)
    decades = np.log10(last)
    volumes = np.unique(np.round(np.logspace(0, decades, int(decades * POINTS_PER_DECADE) + 1)).astype(np.int64))
    return CurveReport(
        workload=workload,
        labels=tuple(option.label for option in options),
        points=tuple(
            CurvePoint(
                requests_per_day=volume,
                usd_per_month=tuple(units.rounded_usd(curve.usd_per_month(volume)) for curve in curves),
            )
            for volume in volumes.tolist()
        ),
        crossings=zones(cheapest_pieces(ExactCurves(curves), 1, last), lambda row: options[row].label),
    )
