"""All volumes at which the cheapest option changes, solved exactly.

Costs are lines (an API) and stairs (anything bought whole), so two curves can cross thousands of times. Nothing is
sampled. For an interval of volumes each curve lies between two lines, which discards nearly all options; the stairs of
the few that are left cut the interval into segments on which every cost is a line; and on a segment the lower envelope
of lines is found from its two ends inwards. Comparisons that float64 cannot settle are repeated in exact fractions.

Volumes are whole requests a day. An option takes over at the smallest volume at which it is strictly cheaper; between
equal costs the option that comes first in the list keeps the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from breakeven.options.curve import (
    FLOAT_ERROR_FRAC,
    Bools,
    CostCurve,
    CurveColumns,
    Floats,
    Ints,
    exact_costs,
    near_cheapest,
)

MIN_REQUESTS_PER_DAY = 1
MAX_REQUESTS_PER_DAY = 1_000_000_000

_MOST_SEGMENTS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of volume, [first, last] in whole requests a day, on which the same option is cheapest."""

    first: int
    last: int
    winner: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches of volume in order, without a gap: int64 arrays of shape (n,), since there can be millions.

    ``firsts`` and ``lasts`` are the ends of each, both included; ``winners`` the row that is cheapest on it.
    """

    firsts: Ints
    lasts: Ints
    winners: Ints

    def __len__(self) -> int:
        return len(self.firsts)

    def __iter__(self) -> Iterator[Piece]:
        rows = zip(self.firsts.tolist(), self.lasts.tolist(), self.winners.tolist(), strict=True)
        return (Piece(*row) for row in rows)

    def winner_at(self, requests_per_day: int) -> int:
        """The row that is cheapest at this volume."""
        return int(self.winners[np.searchsorted(self.lasts, requests_per_day)])

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """Parts one after another; neighbours with the same winner become one piece."""
        firsts, winners = np.concatenate([p.firsts for p in parts]), np.concatenate([p.winners for p in parts])
        lasts = np.concatenate([p.lasts for p in parts])
        new = np.flatnonzero(np.diff(winners, prepend=-1))
        return cls(firsts[new], lasts[np.append(new[1:] - 1, len(lasts) - 1)], winners[new])


NO_PIECES = Pieces(*(np.zeros(0, dtype=np.int64),) * 3)


class Curves(Protocol):
    """The curves to compare: columns to screen them, and the exact curve of each row."""

    @property
    def columns(self) -> CurveColumns:
        """All curves as columns."""
        ...

    def exact(self, row: int) -> CostCurve:
        """The exact curve of one row."""
        ...


@dataclass(frozen=True, slots=True)
class ExactCurves:
    """A handful of exact curves."""

    curves: tuple[CostCurve, ...]

    @property
    def columns(self) -> CurveColumns:
        """All curves as columns."""
        return CurveColumns.of(self.curves)

    def exact(self, row: int) -> CostCurve:
        """The exact curve of one row."""
        return self.curves[row]


def cheapest_pieces(curves: Curves, first: int = MIN_REQUESTS_PER_DAY, last: int = MAX_REQUESTS_PER_DAY) -> Pieces:
    """The cheapest row at every whole volume of [first, last], as maximal pieces."""
    columns = curves.columns
    if not len(columns):
        return NO_PIECES
    found: list[Pieces] = []
    pending = [(first, last, np.arange(len(columns)))]
    while pending:
        low, high, rows = pending.pop()
        rows = rows[_can_be_cheapest(columns.take(rows), low, high)]
        if len(rows) > 1 and high > low and _segments_within(columns.take(rows), low, high) > _MOST_SEGMENTS_AT_ONCE:
            middle = _middle(low, high)
            pending += [(middle + 1, high, rows), (low, middle, rows)]
        else:
            found.append(_Interval(curves, rows, low, high).pieces())
    return Pieces.joined(found)


def _middle(low: int, high: int) -> int:
    """A whole number between the ends: geometric, so that early volumes are cut as finely as late ones."""
    return min(max(low, int((low * high) ** 0.5)), high - 1)


def _can_be_cheapest(columns: CurveColumns, low: int, high: int) -> Bools:
    """False for curves that some other curve undercuts on all of [low, high].

    Between the ends a stair lies above ``v / capacity`` and above its own number of units at the low end, and below
    ``v / capacity`` plus a constant and its own number of units at the high end. Each bound is a line, so comparing two
    bounds at both ends compares them everywhere.
    """
    ends = (low, high)
    at_low, at_high = columns.units(low), columns.units(high)
    share = (1.0 / columns.unit_requests_per_day).sum(axis=1)
    width = columns.most_units_above_share
    below = [[columns.line_at(v, at_low), columns.line_at(v, v * share)] for v in ends]
    above = [[columns.line_at(v, at_high), columns.line_at(v, v * share + width)] for v in ends]
    kept = np.ones(len(columns), dtype=np.bool_)
    for bound in (0, 1):
        for rival in _strong_rivals(above[0][bound], above[1][bound]):
            ceiling = [above[end][bound][rival] * (1 + FLOAT_ERROR_FRAC) for end in (0, 1)]
            for floor in (0, 1):
                kept &= ~((below[0][floor] > ceiling[0]) & (below[1][floor] > ceiling[1]))
    return kept


def _strong_rivals(at_low: Floats, at_high: Floats) -> set[int]:
    """A few rows whose upper bounds are lowest at either end or between."""
    scores = (at_low, at_high, np.sqrt(at_low) * np.sqrt(at_high))
    return {int(np.argmin(score)) for score in scores}


def _segments_within(columns: CurveColumns, low: int, high: int) -> float:
    """How many segments the stairs cut [low, high] into, times the number of curves to evaluate on each."""
    steps = ((high - low) / columns.unit_requests_per_day[columns.unit_usd_per_month > 0]).sum()
    return float(steps + 1) * len(columns)


class _Interval:
    """The lower envelope of a few curves on one interval of volumes."""

    def __init__(self, curves: Curves, rows: Ints, low: int, high: int) -> None:
        self._rows = rows
        self._curves = curves
        self._columns = curves.columns.take(rows)
        self._low = low
        self._high = high
        self._exact: dict[int, CostCurve] = {}

    def pieces(self) -> Pieces:
        """The pieces of the interval, in order of volume."""
        if len(self._rows) == 1:
            return Pieces(np.array([self._low]), np.array([self._high]), self._rows)
        starts = self._segment_starts()
        ends = np.append(starts[1:] - 1, self._high)
        left, right = self._winners(starts), self._winners(ends)
        takeover = self._takeovers(starts, ends, left, right)
        # Each segment gives its piece before the takeover and, where there is one, its piece from there on.
        crossed = takeover > starts
        firsts = np.concatenate([starts, takeover[crossed]])
        winners = np.concatenate([left, right[crossed]])
        order = np.argsort(firsts, kind="stable")
        firsts = firsts[order]
        parts = Pieces(firsts, np.append(firsts[1:] - 1, self._high), self._rows[winners[order]])
        unsettled = np.flatnonzero(takeover < starts)
        return Pieces.joined([parts]) if not len(unsettled) else self._settled(parts, starts, ends, unsettled)

    def _settled(self, parts: Pieces, starts: Ints, ends: Ints, unsettled: Ints) -> Pieces:
        """The pieces with some segments solved one by one in exact fractions."""
        exact = [
            Piece(piece.first, piece.last, int(self._rows[piece.winner]))
            for index in unsettled.tolist()
            for piece in self._line_pieces(int(starts[index]), int(ends[index]))
        ]
        kept = ~np.isin(parts.firsts, starts[unsettled])
        firsts = np.concatenate([parts.firsts[kept], [piece.first for piece in exact]])
        lasts = np.concatenate([parts.lasts[kept], [piece.last for piece in exact]])
        winners = np.concatenate([parts.winners[kept], [piece.winner for piece in exact]])
        order = np.argsort(firsts)
        return Pieces.joined([Pieces(firsts[order], lasts[order], winners[order])])

    def _segment_starts(self) -> Ints:
        """Volumes at which some curve steps up, with the interval's own start."""
        starts = [np.array([self._low], dtype=np.int64)]
        stairs = self._columns.unit_requests_per_day[self._columns.unit_usd_per_month > 0]
        for capacity in np.unique(stairs).tolist():
            first_step = -(-self._low // capacity) * capacity + 1
            starts.append(np.arange(first_step, self._high + 1, capacity, dtype=np.int64))
        pooled = np.unique(self._columns.pooled_requests_per_day) + 1
        starts.append(pooled[(pooled > self._low) & (pooled <= self._high)])
        return np.unique(np.concatenate(starts))

    def _winners(self, volumes: Ints) -> Ints:
        """The cheapest curve at each volume, shape (m,); what float64 cannot settle is settled exactly."""
        costs = self._all_costs(volumes)
        winners: Ints = np.argmin(costs, axis=0)
        close = near_cheapest(costs)
        unclear = np.flatnonzero(close.sum(axis=0) > 1)
        if len(unclear):
            rivals = np.flatnonzero(close[:, unclear].any(axis=1))
            winners[unclear] = rivals[np.argmin(self._exact_costs(rivals, volumes[unclear]), axis=0)]
        return winners

    def _exact_costs(self, rows: Ints, volumes: Ints) -> NDArray[np.object_]:
        """Cost of these curves at each volume, exact."""
        curves = [self._exact_curve(row) for row in rows.tolist()]
        bought = [self._columns.row_units(row, volumes) - self._columns.padding[row] for row in rows.tolist()]
        return exact_costs(curves, bought, volumes)

    def _all_costs(self, volumes: Ints) -> Floats:
        """Cost of each curve at each volume, shape (curves, m)."""
        return np.stack([self._columns.row_usd_per_month(row, volumes) for row in range(len(self._rows))])

    def _exact_curve(self, winner: int) -> CostCurve:
        if winner not in self._exact:
            self._exact[winner] = self._curves.exact(int(self._rows[winner]))
        return self._exact[winner]

    def _winner(self, volume: int) -> int:
        """The cheapest curve at a volume, exactly; of equal ones the first."""
        return min(range(len(self._rows)), key=lambda row: self._exact_curve(row).usd_per_month(volume))

    def _takeovers(self, starts: Ints, ends: Ints, left: Ints, right: Ints) -> Ints:
        """For each segment the volume at which its right winner takes over from its left one, shape (m,).

        It is the segment's start where both ends agree: lines leave no room for a third option between them. It is -1
        where a third option lies between the two, or float64 did not find the crossing.
        """
        takeover = starts.copy()
        crossing = np.flatnonzero(left != right)
        if not len(crossing):
            return takeover
        first, last = starts[crossing], ends[crossing]
        ahead = self._lead(left[crossing], right[crossing], first)
        closing = (ahead - self._lead(left[crossing], right[crossing], last)) / (last - first)
        wait = np.divide(ahead, closing, out=np.ones_like(ahead), where=closing > 0)
        guess = np.clip(first + np.floor(wait).astype(np.int64) + 1, first + 1, last)
        takeover[crossing] = np.where(
            (self._winners(guess - 1) == left[crossing]) & (self._winners(guess) == right[crossing]), guess, -1
        )
        return takeover

    def _lead(self, left: Ints, right: Ints, volumes: Ints) -> Floats:
        """How much dearer the right winner is than the left one at each volume, shape (m,)."""
        costs = self._all_costs(volumes)
        each = np.arange(len(volumes))
        lead: Floats = costs[right, each] - costs[left, each]
        return lead

    def _line_pieces(self, first: int, last: int) -> Sequence[Piece]:
        """Pieces of a segment on which every cost is a line, exactly.

        Where the winners at both ends differ, their lines cross once; whoever wins there splits the segment into two
        smaller ones.
        """
        left, right = self._winner(first), self._winner(last)
        if left == right:
            return (Piece(first, last, left),)
        takeover = self._takeover(first, last, left, right)
        return (*self._line_pieces(first, takeover - 1), *self._line_pieces(takeover, last))

    def _takeover(self, first: int, last: int, left: int, right: int) -> int:
        """The smallest volume of (first, last] at which ``right`` is preferred to ``left``."""
        one, other = self._exact_curve(left), self._exact_curve(right)
        ahead = other.usd_per_month(first) - one.usd_per_month(first)
        closed = ahead - (other.usd_per_month(last) - one.usd_per_month(last))
        if closed == 0:
            return last
        steps, remainder = divmod(ahead / closed * (last - first), 1)
        # An equal cost is enough only for the option that comes first in the list.
        wait = int(steps) + (1 if remainder or right > left else 0)
        return min(max(first + wait, first + 1), last)
