"""Monthly cost as a function of volume: a line for an API, steps for anything that is bought whole."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNBOUNDED_REQUESTS_PER_DAY = 1 << 62
"""The capacity that stands for "nothing is bought whole" in a column of capacities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """``fixed + per_daily_request * v + unit * sum(ceil(v / c) for c in unit_requests_per_day)``.

    ``v`` is a whole number of requests a day (>= 1); all money is US dollars a month, exact. A unit is what is bought
    whole (an instance, a device, a provisioned-throughput unit) and ``unit_requests_per_day`` the daily volume that one
    of them carries, rounded down to a whole request. An always-on fleet has one entry. A fleet that is billed by the
    hour it is up has 24, one for each hour of the day, and ``unit_usd_per_month`` is then one hour of every day.
    """

    fixed_usd_per_month: Fraction = Fraction(0)
    usd_per_month_per_daily_request: Fraction = Fraction(0)
    unit_usd_per_month: Fraction = Fraction(0)
    unit_requests_per_day: tuple[int, ...] = ()

    def units(self, requests_per_day: int) -> int:
        """Units bought at this volume (unit-hours of a day for a fleet billed by the hour)."""
        return sum(-(-requests_per_day // capacity) for capacity in self.unit_requests_per_day)

    def usd_per_month(self, requests_per_day: int) -> Fraction:
        """Exact monthly cost in US dollars at a whole number of requests a day."""
        return (
            self.fixed_usd_per_month
            + self.usd_per_month_per_daily_request * requests_per_day
            + self.unit_usd_per_month * self.units(requests_per_day)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveColumns:
    """Many cost curves as float64 columns of shape (n,), for screening; ``CostCurve`` gives the exact value.

    ``unit_requests_per_day`` is an int64 array of shape (n, g): g capacities to a curve, as in ``CostCurve``.
    """

    fixed_usd_per_month: Floats
    usd_per_month_per_daily_request: Floats
    unit_usd_per_month: Floats
    unit_requests_per_day: Ints

    @classmethod
    def of(cls, curves: tuple[CostCurve, ...]) -> CurveColumns:
        """Columns of exact curves, which may have different numbers of capacities."""
        width = max((len(curve.unit_requests_per_day) for curve in curves), default=1) or 1
        capacities = np.full((len(curves), width), UNBOUNDED_REQUESTS_PER_DAY, dtype=np.int64)
        bought = np.array([float(curve.unit_usd_per_month) for curve in curves], dtype=np.float64)
        fixed = np.array([float(curve.fixed_usd_per_month) for curve in curves], dtype=np.float64)
        for row, curve in enumerate(curves):
            count = len(curve.unit_requests_per_day)
            capacities[row, :count] = curve.unit_requests_per_day
            # A padding capacity never fills, so it always counts as one unit: take that unit out again.
            fixed[row] -= bought[row] * (width - count)
        return cls(
            fixed_usd_per_month=fixed,
            usd_per_month_per_daily_request=np.array([float(c.usd_per_month_per_daily_request) for c in curves]),
            unit_usd_per_month=bought,
            unit_requests_per_day=capacities,
        )

    def __len__(self) -> int:
        return len(self.fixed_usd_per_month)

    def take(self, rows: Ints) -> CurveColumns:
        """The curves at these row numbers, in this order."""
        return CurveColumns(
            fixed_usd_per_month=self.fixed_usd_per_month[rows],
            usd_per_month_per_daily_request=self.usd_per_month_per_daily_request[rows],
            unit_usd_per_month=self.unit_usd_per_month[rows],
            unit_requests_per_day=self.unit_requests_per_day[rows],
        )

    def units(self, requests_per_day: int) -> Ints:
        """Units bought by each curve at one volume, shape (n,)."""
        units: Ints = (-(-requests_per_day // self.unit_requests_per_day)).sum(axis=1)
        return units

    def line_at(self, requests_per_day: int, units: Floats | Ints) -> Floats:
        """Cost at a volume for a given number of units, US dollars a month, shape (n,)."""
        return (
            self.fixed_usd_per_month
            + self.usd_per_month_per_daily_request * requests_per_day
            + self.unit_usd_per_month * units
        )

    def usd_per_month(self, requests_per_day: int) -> Floats:
        """Cost at one volume, US dollars a month, shape (n,)."""
        return self.line_at(requests_per_day, self.units(requests_per_day))
