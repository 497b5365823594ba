"""Break-even pieces as zones that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_low

from breakeven.plan.breakeven import Piece
from breakeven.plan.plan import Zone

_FEWEST_ALTERNATIONS = 4


def zones(pieces: Sequence[Piece], label: Callable[[int], str]) -> tuple[Zone, ...]:
    """Zones in order of volume, covering the pieces without a gap.

    An option that is displaced and comes back makes the stretch between an alternation. Overlapping alternations are
    one zone; the long piece that leads into it and the one that leads out of it stay zones of their own, and an
    alternation of fewer than four pieces is listed piece by piece.
    """
    found: list[Zone] = []
    for first, last in _recurring_runs(pieces):
        inner = pieces[first + 1 : last]
        if len(inner) < _FEWEST_ALTERNATIONS:
            found += [_plain(piece, label) for piece in pieces[first : last + 1]]
        else:
            found += [_plain(pieces[first], label), _alternating(inner, label), _plain(pieces[last], label)]
    return tuple(found)


def _recurring_runs(pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """Index ranges [first, last] of the pieces: single ones, and runs held together by options that come back."""
    last_seen = {piece.winner: index for index, piece in enumerate(pieces)}
    runs: list[tuple[int, int]] = []
    index = 0
    while index < len(pieces):
        end = cursor = index
        while cursor <= end:
            end = max(end, last_seen[pieces[cursor].winner])
            cursor += 1
        runs.append((index, end))
        index = end + 1
    return runs


def _plain(piece: Piece, label: Callable[[int], str]) -> Zone:
    return Zone(from_requests_per_day=piece.first, to_requests_per_day=piece.last, options=(label(piece.winner),))


def _alternating(pieces: Sequence[Piece], label: Callable[[int], str]) -> Zone:
    winners = dict.fromkeys(piece.winner for piece in pieces)
    return Zone(
        from_requests_per_day=pieces[0].first,
        to_requests_per_day=pieces[-1].last,
        options=tuple(label(winner) for winner in winners),
        count=len(pieces) - 1,
        step_requests_per_day=median_low(piece.last - piece.first + 1 for piece in pieces),
    )
