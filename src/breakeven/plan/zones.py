"""Break-even pieces as zones that a person can read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from breakeven.options.curve import Ints
from breakeven.plan.breakeven import Pieces
from breakeven.plan.plan import Zone

_FEWEST_ALTERNATIONS = 4


def zones(pieces: Pieces, label: Callable[[int], str]) -> tuple[Zone, ...]:
    """Zones in order of volume, covering the pieces without a gap.

    An option that is displaced and comes back makes the stretch between an alternation. Overlapping alternations are
    one zone; the piece that leads into it and the one that leads out of it stay zones of their own, and an alternation
    of fewer than four pieces is listed piece by piece.
    """
    found: list[Zone] = []
    for first, last in _recurring_runs(pieces.winners):
        if last - first - 1 < _FEWEST_ALTERNATIONS:
            found += [_plain(pieces, index, label) for index in range(first, last + 1)]
        else:
            inner = slice(first + 1, last)
            found += [_plain(pieces, first, label), _alternating(pieces, inner, label), _plain(pieces, last, label)]
    return tuple(found)


def _recurring_runs(winners: Ints) -> list[tuple[int, int]]:
    """Index ranges [first, last] of the pieces: single ones, and runs held together by options that come back."""
    if not len(winners):
        return []
    names, position = np.unique(winners, return_inverse=True)
    last_seen = np.zeros(len(names), dtype=np.int64)
    last_seen[position] = np.arange(len(winners))
    reach = np.maximum.accumulate(last_seen[position])
    ends = np.flatnonzero(reach == np.arange(len(winners)))
    return list(zip([0, *(ends[:-1] + 1).tolist()], ends.tolist(), strict=True))


def _plain(pieces: Pieces, index: int, label: Callable[[int], str]) -> Zone:
    return Zone(
        from_requests_per_day=int(pieces.firsts[index]),
        to_requests_per_day=int(pieces.lasts[index]),
        options=(label(int(pieces.winners[index])),),
    )


def _alternating(pieces: Pieces, run: slice, label: Callable[[int], str]) -> Zone:
    firsts, lasts, winners = pieces.firsts[run], pieces.lasts[run], pieces.winners[run]
    names, seen = np.unique(winners, return_index=True)
    lengths = np.sort(lasts - firsts + 1)
    return Zone(
        from_requests_per_day=int(firsts[0]),
        to_requests_per_day=int(lasts[-1]),
        options=tuple(label(int(name)) for name in names[np.argsort(seen)]),
        count=len(winners) - 1,
        step_requests_per_day=int(lengths[(len(lengths) - 1) // 2]),
    )
