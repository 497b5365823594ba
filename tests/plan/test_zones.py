"""Zones tell the same story as the pieces they summarise."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from breakeven.plan.breakeven import Pieces
from breakeven.plan.zones import zones


def pieces_of(winners: str) -> Pieces:
    firsts = 10 * np.arange(len(winners)) + 1
    return Pieces(firsts, firsts + 9, np.array([ord(winner) for winner in winners]))


def told(winners: str) -> list[tuple[str, int]]:
    return [("".join(zone.options), zone.count) for zone in zones(pieces_of(winners), chr)]


def test_each_option_once_is_one_zone_each() -> None:
    assert told("ABC") == [("A", 0), ("B", 0), ("C", 0)]


def test_a_single_return_is_listed_piece_by_piece() -> None:
    assert told("ABAC") == [("A", 0), ("B", 0), ("A", 0), ("C", 0)]


def test_many_alternations_are_one_zone_between_their_ends() -> None:
    assert told("ABABABABC") == [("A", 0), ("BA", 5), ("B", 0), ("C", 0)]


@given(st.text("ABCD", min_size=1, max_size=30))
def test_zones_cover_every_volume_and_name_every_winner(winners: str) -> None:
    squeezed = "".join(w for i, w in enumerate(winners) if i == 0 or w != winners[i - 1])
    pieces = pieces_of(squeezed)
    found = zones(pieces, chr)
    assert [zone.from_requests_per_day for zone in found[1:]] == [z.to_requests_per_day + 1 for z in found[:-1]]
    assert (found[0].from_requests_per_day, found[-1].to_requests_per_day) == (1, pieces.lasts[-1])
    for piece in pieces:
        zone = next(z for z in found if z.from_requests_per_day <= piece.first <= z.to_requests_per_day)
        assert chr(piece.winner) in zone.options
        assert piece.last <= zone.to_requests_per_day
    assert sum(zone.count for zone in found) + len(found) == len(pieces)
