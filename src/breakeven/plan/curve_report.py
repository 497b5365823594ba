"""Cost against volume for the leading options, with every volume at which they cross."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from breakeven import units
from breakeven.options.curve import CostCurve
from breakeven.options.option import Option
from breakeven.plan.breakeven import MAX_REQUESTS_PER_DAY, ExactCurves, cheapest_pieces
from breakeven.plan.plan import Zone
from breakeven.plan.zones import zones
from breakeven.workload.workload import Workload

POINTS_PER_DECADE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """What each option costs a month at one volume, in the order of the report's labels.

    ``low_usd_per_month`` and ``high_usd_per_month`` are the costs if capacity turns out at the high and the low end of
    the option's band; both equal the cost where nothing is modelled.
    """

    requests_per_day: int
    usd_per_month: tuple[Decimal, ...]
    low_usd_per_month: tuple[Decimal, ...]
    high_usd_per_month: tuple[Decimal, ...]


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
        points=curve_points(options, volumes.tolist()),
        crossings=zones(cheapest_pieces(ExactCurves(curves), 1, last), lambda row: options[row].label),
    )


def curve_points(options: Sequence[Option], volumes: Iterable[int]) -> tuple[CurvePoint, ...]:
    """What the options cost at these volumes (whole requests a day), each with the band that its capacity leaves."""
    curves = [option.curve for option in options]
    bands = [_band(option) for option in options]
    return tuple(
        CurvePoint(
            requests_per_day=volume,
            usd_per_month=_amounts(curves, volume),
            low_usd_per_month=_amounts([low for low, _ in bands], volume),
            high_usd_per_month=_amounts([high for _, high in bands], volume),
        )
        for volume in volumes
    )


def _band(option: Option) -> tuple[CostCurve, CostCurve]:
    """The least and the greatest cost that the option's capacity leaves: the high factor buys the fewest units."""
    if option.capacity_band is None:
        return option.curve, option.curve
    low, high = (Fraction(factor) for factor in option.capacity_band)
    return option.curve.at_capacity(high), option.curve.at_capacity(low)


def _amounts(curves: Iterable[CostCurve], requests_per_day: int) -> tuple[Decimal, ...]:
    return tuple(units.rounded_usd(curve.usd_per_month(requests_per_day)) for curve in curves)
