"""Monthly cost as a function of volume: a line for an API, steps for anything that is bought whole."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNBOUNDED_REQUESTS_PER_DAY = 1 << 62
"""The capacity that stands for "nothing is bought whole" in a column of capacities."""

FLOAT_ERROR_FRAC = 1e-12
"""Share of a cost within which float64 columns do not settle which of two is the lower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """``fixed + per_daily_request * v + unit * max(min_units, sum(ceil(v / c) for c in unit_requests_per_day))``.

    ``v`` is a whole number of requests a day (>= 1); all money is US dollars a month, exact. A unit is what is bought
    whole (an instance, a device, a provisioned-throughput unit) and ``unit_requests_per_day`` the daily volume that one
    of them carries, rounded down to a whole request. An always-on fleet has one entry. A fleet that is billed by the
    hour it is up has 24, one for each hour of the day, and ``unit_usd_per_month`` is then one hour of every day.
    ``min_units`` is the smallest purchase. Units that share a queue carry more together than apart:
    ``pooled_requests_per_day`` is what the first, the first two, ... units carry together: k of them at most k times
    the one entry of ``unit_requests_per_day``, all of them exactly that. Beyond those each unit carries that entry.
    """

    fixed_usd_per_month: Fraction = Fraction(0)
    usd_per_month_per_daily_request: Fraction = Fraction(0)
    unit_usd_per_month: Fraction = Fraction(0)
    unit_requests_per_day: tuple[int, ...] = ()
    min_units: int = 0
    pooled_requests_per_day: tuple[int, ...] = ()

    @property
    def coefficients(self) -> tuple[Fraction, Fraction, Fraction]:
        """The fixed cost, the cost of a daily request and the cost of a unit, US dollars a month."""
        return self.fixed_usd_per_month, self.usd_per_month_per_daily_request, self.unit_usd_per_month

    def units(self, requests_per_day: int) -> int:
        """Units bought at this volume (unit-hours of a day for a fleet billed by the hour)."""
        if self.pooled_requests_per_day and requests_per_day <= self.pooled_requests_per_day[-1]:
            return max(self.min_units, bisect_left(self.pooled_requests_per_day, requests_per_day) + 1)
        return max(self.min_units, sum(-(-requests_per_day // capacity) for capacity in self.unit_requests_per_day))

    def usd_per_month(self, requests_per_day: int) -> Fraction:
        """Exact monthly cost in US dollars at a whole number of requests a day."""
        return (
            self.fixed_usd_per_month
            + self.usd_per_month_per_daily_request * requests_per_day
            + self.unit_usd_per_month * self.units(requests_per_day)
        )

    def at_capacity(self, factor: Fraction) -> CostCurve:
        """The curve if each unit turns out to carry ``factor`` times as much: whole requests, rounded down, at least 1.

        Capacity that turns out lower buys more units for the same volume, so a band of capacity is a band of cost. The
        cost of a daily request stays: what a request itself costs (egress, electricity) is not what a unit carries.
        """
        units = tuple(max(1, capacity * factor // 1) for capacity in self.unit_requests_per_day)
        pooled = tuple(
            min(max(1, carried * factor // 1), units[0] * count)
            for count, carried in enumerate(self.pooled_requests_per_day[:-1], start=1)
        )
        # All pooled units together carry exactly their shares, also after rounding, so that the stairs never bend down.
        last = tuple(units[0] * len(self.pooled_requests_per_day) for _ in self.pooled_requests_per_day[-1:])
        return replace(self, unit_requests_per_day=units, pooled_requests_per_day=pooled + last)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveColumns:
    """Many cost curves as float64 columns of shape (n,), for screening; ``CostCurve`` gives the exact value.

    ``unit_requests_per_day`` is an int64 array of shape (n, g): g capacities to a curve, as in ``CostCurve``;
    ``pooled_requests_per_day`` one of shape (n, k), all 0 for curves without pooling.
    """

    fixed_usd_per_month: Floats
    usd_per_month_per_daily_request: Floats
    unit_usd_per_month: Floats
    unit_requests_per_day: Ints
    min_units: Ints
    pooled_requests_per_day: Ints

    @classmethod
    def of(cls, curves: tuple[CostCurve, ...]) -> CurveColumns:
        """Columns of exact curves, which may have different numbers of capacities."""
        return cls.stack(
            [
                cls(
                    fixed_usd_per_month=np.array([float(curve.fixed_usd_per_month)]),
                    usd_per_month_per_daily_request=np.array([float(curve.usd_per_month_per_daily_request)]),
                    unit_usd_per_month=np.array([float(curve.unit_usd_per_month)]),
                    unit_requests_per_day=np.array([curve.unit_requests_per_day], dtype=np.int64),
                    min_units=np.array([curve.min_units]),
                    pooled_requests_per_day=np.array([curve.pooled_requests_per_day], dtype=np.int64),
                )
                for curve in curves
            ]
        )

    @classmethod
    def stack(cls, parts: Sequence[CurveColumns]) -> CurveColumns:
        """Columns one after another; parts with fewer capacities to a curve are padded."""
        if not parts:
            return cls.of((CostCurve(),)).take(np.zeros(0, dtype=np.int64))
        width = max(part.unit_requests_per_day.shape[1] for part in parts)
        return cls(
            fixed_usd_per_month=np.concatenate(
                [
                    p.fixed_usd_per_month - p.unit_usd_per_month * (width - p.unit_requests_per_day.shape[1])
                    for p in parts
                ]
            ),
            usd_per_month_per_daily_request=np.concatenate([p.usd_per_month_per_daily_request for p in parts]),
            unit_usd_per_month=np.concatenate([p.unit_usd_per_month for p in parts]),
            unit_requests_per_day=np.concatenate([_padded(p.unit_requests_per_day, width) for p in parts]),
            min_units=np.concatenate(
                [p.min_units + np.where(p.min_units > 0, width - p.unit_requests_per_day.shape[1], 0) for p in parts]
            ),
            pooled_requests_per_day=_stacked_pools(parts),
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
            min_units=self.min_units[rows],
            pooled_requests_per_day=self.pooled_requests_per_day[rows],
        )

    @property
    def padding(self) -> Ints:
        """Capacities of a row that stand for nothing and count as one unit each, shape (n,)."""
        padding: Ints = (self.unit_requests_per_day == UNBOUNDED_REQUESTS_PER_DAY).sum(axis=1)
        return padding

    @property
    def most_units_above_share(self) -> Floats:
        """How far the number of units can lie above ``v / capacity``, shape (n,)."""
        pooled = self.pooled_requests_per_day
        above = np.full(len(self), float(self.unit_requests_per_day.shape[1]))
        if pooled.shape[1]:
            # One request above what k units carry, k + 1 are bought.
            carried = np.concatenate([np.zeros((len(self), 1)), pooled[:, :-1]], axis=1)
            early = np.arange(1, pooled.shape[1] + 1) - carried / self.unit_requests_per_day[:, :1]
            above = np.maximum(above, np.where(pooled[:, -1] > 0, early.max(axis=1) + self.padding, 0.0))
        most: Floats = above + self.min_units
        return most

    def units(self, requests_per_day: int) -> Ints:
        """Units bought by each curve at one volume, shape (n,)."""
        units: Ints = (-(-requests_per_day // self.unit_requests_per_day)).sum(axis=1)
        pooled = self.pooled_requests_per_day
        if pooled.shape[1]:
            few = (pooled < requests_per_day).sum(axis=1) + 1 + self.padding
            units = np.where(requests_per_day <= pooled[:, -1], few, units)
        return np.maximum(units, self.min_units)

    def line_at(self, requests_per_day: int, units: Floats | Ints) -> Floats:
        """Cost at a volume for a given number of units, US dollars a month, shape (n,)."""
        return (
            self.fixed_usd_per_month
            + self.usd_per_month_per_daily_request * requests_per_day
            + self.unit_usd_per_month * units
        )

    def row_units(self, row: int, volumes: Ints) -> Ints:
        """Units that one curve buys at many volumes, its padding included, shape (m,)."""
        units = np.zeros(len(volumes), dtype=np.int64)
        for capacity in self.unit_requests_per_day[row].tolist():
            units += -(-volumes // capacity)
        pooled = self.pooled_requests_per_day[row]
        if len(pooled) and pooled[-1]:
            few = np.searchsorted(pooled, volumes, side="left") + 1 + self.padding[row]
            units = np.where(volumes <= pooled[-1], few, units)
        bought: Ints = np.maximum(units, self.min_units[row])
        return bought

    def row_usd_per_month(self, row: int, volumes: Ints) -> Floats:
        """Cost of one curve at many volumes, US dollars a month, shape (m,)."""
        return np.asarray(
            self.fixed_usd_per_month[row]
            + self.usd_per_month_per_daily_request[row] * volumes
            + self.unit_usd_per_month[row] * self.row_units(row, volumes),
            dtype=np.float64,
        )

    def undominated(self) -> Ints:
        """Rows that could be cheapest at some volume, ascending.

        Among curves with the same fixed and per-request cost, one with a unit no dearer and capacities no smaller is
        never above the other. Within one table capacities are in proportion, so their sum orders them.
        """
        if not len(self) or self.pooled_requests_per_day.any():
            return np.arange(len(self))
        carried = self.unit_requests_per_day.astype(np.float64).sum(axis=1)
        alike = (self.usd_per_month_per_daily_request, self.fixed_usd_per_month, self.min_units.astype(np.float64))
        order = np.lexsort((-carried, self.unit_usd_per_month, *alike))
        starts = np.flatnonzero(np.any([np.diff(key[order], prepend=np.nan) != 0 for key in alike], axis=0))
        kept = [
            chunk[carried[chunk] > np.maximum.accumulate(np.append(-1.0, carried[chunk]))[:-1]]
            for chunk in np.split(order, starts[1:])
        ]
        return np.sort(np.concatenate(kept))

    def usd_per_month(self, requests_per_day: int) -> Floats:
        """Cost at one volume, US dollars a month, shape (n,)."""
        return self.line_at(requests_per_day, self.units(requests_per_day))


def near_cheapest(costs: Floats) -> Bools:
    """Which costs of shape (curves, m) float64 cannot tell from the lowest at their volume."""
    best = costs.min(axis=0)
    near: Bools = costs <= best + np.abs(best) * FLOAT_ERROR_FRAC
    return near


def exact_costs(curves: Sequence[CostCurve], units: Sequence[Ints], volumes: Ints) -> NDArray[np.object_]:
    """Cost of each curve at each volume, shape (curves, m), exact: whole numbers of one small common part of a dollar.

    ``units`` is what each curve buys at each volume.
    """
    parts = lcm(*(cost.denominator for curve in curves for cost in curve.coefficients))
    whole = volumes.astype(object)
    costs = []
    for curve, bought in zip(curves, units, strict=True):
        fixed, each, unit = (int(cost * parts) for cost in curve.coefficients)
        costs.append(fixed + each * whole + unit * bought.astype(object))
    return np.array(costs)


def _padded(capacities: Ints, width: int) -> Ints:
    """Capacities widened to ``width``; a padding capacity never fills, so it counts as one unit at every volume."""
    padding = np.full((len(capacities), width - capacities.shape[1]), UNBOUNDED_REQUESTS_PER_DAY, dtype=np.int64)
    return np.concatenate([capacities, padding], axis=1)


def _stacked_pools(parts: Sequence[CurveColumns]) -> Ints:
    """Pooled volumes of several parts to one depth: the last is repeated, and a part without them gets zeros."""
    deepest = max(part.pooled_requests_per_day.shape[1] for part in parts)
    return np.concatenate([_deepened(part.pooled_requests_per_day, deepest) for part in parts])


def _deepened(pooled: Ints, depth: int) -> Ints:
    missing = ((0, 0), (0, depth - pooled.shape[1]))
    return np.pad(pooled, missing, mode="edge") if pooled.shape[1] else np.zeros((len(pooled), depth), dtype=np.int64)
