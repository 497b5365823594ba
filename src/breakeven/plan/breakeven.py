"""All volumes at which the cheapest option changes, solved exactly.

Costs are lines (an API) and stairs (anything bought whole), so two curves can cross thousands of times. Nothing is
sampled. For an interval of volumes each curve lies between two lines, which discards nearly all options; the stairs of
the few that are left cut the interval into segments on which every cost is a line; and on a segment the lower envelope
of lines is found from its two ends inwards. Comparisons that float64 cannot settle are repeated in exact fractions.

Volumes are whole requests a day. An option takes over at the smallest volume at which it is strictly cheaper; between
equal costs the option that comes first in the list keeps the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from breakeven.options.curve import Bools, CostCurve, CurveColumns, Floats, Ints

MIN_REQUESTS_PER_DAY = 1
MAX_REQUESTS_PER_DAY = 1_000_000_000

_MOST_SEGMENTS_AT_ONCE = 1 << 16
_FLOAT_ERROR_FRAC = 1e-12


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of volume, [first, last] in whole requests a day, on which the same option is cheapest."""

    first: int
    last: int
    winner: int


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


def cheapest_pieces(
    curves: Curves, first: int = MIN_REQUESTS_PER_DAY, last: int = MAX_REQUESTS_PER_DAY
) -> tuple[Piece, ...]:
    """The cheapest row at every whole volume of [first, last], as maximal pieces in order of volume."""
    columns = curves.columns
    if not len(columns):
        return ()
    pieces: list[Piece] = []
    pending = [(first, last, np.arange(len(columns)))]
    while pending:
        low, high, rows = pending.pop()
        rows = rows[_can_be_cheapest(columns.take(rows), low, high)]
        if len(rows) > 1 and high > low and _segments_within(columns.take(rows), low, high) > _MOST_SEGMENTS_AT_ONCE:
            middle = _middle(low, high)
            pending += [(middle + 1, high, rows), (low, middle, rows)]
            continue
        found = [Piece(low, high, int(rows[0]))] if len(rows) == 1 else _Interval(curves, rows, low, high).pieces()
        for piece in found:
            _append(pieces, piece)
    return tuple(pieces)


def _middle(low: int, high: int) -> int:
    """A whole number between the ends: geometric, so that early volumes are cut as finely as late ones."""
    return min(max(low, int((low * high) ** 0.5)), high - 1)


def _append(pieces: list[Piece], piece: Piece) -> None:
    if pieces and pieces[-1].winner == piece.winner:
        pieces[-1] = Piece(pieces[-1].first, piece.last, piece.winner)
    else:
        pieces.append(piece)


def _can_be_cheapest(columns: CurveColumns, low: int, high: int) -> Bools:
    """False for curves that some other curve undercuts on all of [low, high].

    Between the ends a stair lies above ``v / capacity`` and above its own number of units at the low end, and below
    ``v / capacity + 1`` (plus the smallest purchase) and its own number of units at the high end. Each bound is a line,
    so comparing two bounds at both ends compares them everywhere.
    """
    ends = (low, high)
    at_low, at_high = columns.units(low), columns.units(high)
    share = (1.0 / columns.unit_requests_per_day).sum(axis=1)
    width = columns.unit_requests_per_day.shape[1] + columns.min_units
    below = [[columns.line_at(v, at_low), columns.line_at(v, v * share)] for v in ends]
    above = [[columns.line_at(v, at_high), columns.line_at(v, v * share + width)] for v in ends]
    kept = np.ones(len(columns), dtype=np.bool_)
    for bound in (0, 1):
        for rival in _strong_rivals(above[0][bound], above[1][bound]):
            ceiling = [above[end][bound][rival] * (1 + _FLOAT_ERROR_FRAC) for end in (0, 1)]
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

    def pieces(self) -> list[Piece]:
        """Maximal pieces of the interval, in order of volume."""
        starts = self._segment_starts()
        ends = np.append(starts[1:] - 1, self._high)
        at_start, at_end = self._winners(starts), self._winners(ends)
        found: list[Piece] = []
        for first, last, left, right in zip(
            starts.tolist(), ends.tolist(), at_start.tolist(), at_end.tolist(), strict=True
        ):
            for piece in self._line_pieces(first, last, left, right):
                _append(found, Piece(piece.first, piece.last, int(self._rows[piece.winner])))
        return found

    def _segment_starts(self) -> Ints:
        """Volumes at which some curve steps up, with the interval's own start."""
        starts = [np.array([self._low], dtype=np.int64)]
        stairs = self._columns.unit_requests_per_day[self._columns.unit_usd_per_month > 0]
        for capacity in np.unique(stairs).tolist():
            first_step = -(-self._low // capacity) * capacity + 1
            starts.append(np.arange(first_step, self._high + 1, capacity, dtype=np.int64))
        return np.unique(np.concatenate(starts))

    def _winners(self, volumes: Ints) -> Ints:
        """The cheapest curve at each volume, shape (m,); what float64 cannot settle is settled exactly."""
        costs = np.stack([self._costs(row, volumes) for row in range(len(self._rows))])
        winners: Ints = np.argmin(costs, axis=0)
        best = costs.min(axis=0)
        close = (costs <= best + np.abs(best) * _FLOAT_ERROR_FRAC).sum(axis=0) > 1
        for index in np.flatnonzero(close).tolist():
            winners[index] = self._winner(int(volumes[index]))
        return winners

    def _costs(self, row: int, volumes: Ints) -> Floats:
        columns = self._columns
        units = np.zeros(len(volumes), dtype=np.int64)
        for capacity in columns.unit_requests_per_day[row].tolist():
            units += -(-volumes // capacity)
        units = np.maximum(units, columns.min_units[row])
        return np.asarray(
            columns.fixed_usd_per_month[row]
            + columns.usd_per_month_per_daily_request[row] * volumes
            + columns.unit_usd_per_month[row] * units,
            dtype=np.float64,
        )

    def _exact_curve(self, winner: int) -> CostCurve:
        if winner not in self._exact:
            self._exact[winner] = self._curves.exact(int(self._rows[winner]))
        return self._exact[winner]

    def _winner(self, volume: int) -> int:
        costs = [self._exact_curve(row).usd_per_month(volume) for row in range(len(self._rows))]
        return costs.index(min(costs))

    def _line_pieces(self, first: int, last: int, left: int, right: int) -> Sequence[Piece]:
        """Pieces of a segment on which every cost is a line, given the winners at its two ends.

        Where the winners at both ends agree, lines leave no room for a third between them. Otherwise the two winners'
        lines cross once; whoever wins there splits the segment into two smaller ones.
        """
        if left == right:
            return (Piece(first, last, left),)
        takeover = self._takeover(first, last, left, right)
        before, after = self._winner(takeover - 1), self._winner(takeover)
        return (
            *self._line_pieces(first, takeover - 1, left, before),
            *self._line_pieces(takeover, last, after, right),
        )

    def _takeover(self, first: int, last: int, left: int, right: int) -> int:
        """The smallest volume of (first, last] at which ``right`` is preferred to ``left``."""
        one, other = self._exact_curve(left), self._exact_curve(right)
        ahead = other.usd_per_month(first) - one.usd_per_month(first)
        closing = (ahead - (other.usd_per_month(last) - one.usd_per_month(last))) / (last - first)
        if closing == 0:
            return last
        steps, remainder = divmod(ahead, closing)
        # An equal cost is enough only for the option that comes first in the list.
        wait = int(steps) + (1 if remainder or right > left else 0)
        return min(max(first + wait, first + 1), last)
