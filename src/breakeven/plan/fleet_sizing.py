"""Which fleets of a market are sized by replay: those that a plan shows or names, until it names no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from breakeven.catalog.evidence import Assumption
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.options.option import Candidates
from breakeven.options.replay_sizing import Sized, sizing_assumption
from breakeven.plan.breakeven import Pieces, cheapest_pieces
from breakeven.plan.market import Contenders, Market
from breakeven.serving.corrections import Deployment


@dataclass(frozen=True, slots=True)
class Settled:
    """A market whose leading fleets are sized, and what is cheapest in it at each volume."""

    market: Market
    contenders: Contenders
    pieces: Pieces


def settled(market: Market, leading: Callable[[Market], Sequence[int]]) -> Settled:
    """Size the ``leading`` rows at the planned volume, and at others the rows that are cheapest there.

    A replay may move another row to the front, which is then sized in turn. So it ends when all that lead were
    replayed, or when the replays of one plan are spent. ``leading`` may raise what it finds wrong with the market.
    """
    while True:
        market = leading_sized(market, leading)
        contenders = Contenders(market)
        pieces = cheapest_pieces(contenders)
        cheapest = contenders.rows[np.unique(pieces.winners)].tolist()
        further = _sized(market, cheapest, carrying=True)
        if further is None:
            return Settled(market, contenders, pieces)
        market = further


def leading_sized(market: Market, leading: Callable[[Market], Sequence[int]]) -> Market:
    """The market with the ``leading`` rows sized by replay, as long as others take their place."""
    while (further := _sized(market, leading(market))) is not None:
        market = further
    return market


def _sized(market: Market, rows: Iterable[int], *, carrying: bool = False) -> Market | None:
    """The market with these rows sized; None where no replay is left to do."""
    tables = list(market.tables)
    places = [market.place(row) for row in rows]
    changed = False
    for index, table in enumerate(tables):
        if isinstance(table, GpuFleets):
            here = [place.row for place in places if place.table == index]
            if unsized := table.unsized(here, carrying=carrying):
                tables[index], changed = table.replayed(unsized, carrying=carrying), True
    return Market(tables, market.requests_per_day) if changed else None


def hourly_sizes(tables: Iterable[Candidates]) -> Mapping[Deployment, Sized]:
    """What was sized among fleets of instances rented by the hour."""
    return {
        name: sized
        for table in tables
        if isinstance(table, GpuFleets) and table.billing == "hour"
        for name, sized in table.sizes.items()
    }


def sizing_facts(market: Market, shown: Iterable[int]) -> tuple[Assumption, ...]:
    """How the fleets of the market were sized; nothing where there are none."""
    fleets = [table for table in market.tables if isinstance(table, GpuFleets)]
    if not fleets:
        return ()
    by_formula = 0
    for place in map(market.place, shown):
        table = market.tables[place.table]
        by_formula += isinstance(table, GpuFleets) and table.sized(place.row) is None
    by_replay = any(table.sizes_by_replay for table in fleets)
    deployments = sum(len(table.sizes) for table in fleets)
    return (sizing_assumption(deployments, by_replay=by_replay, shown_by_formula=by_formula),)
