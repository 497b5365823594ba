"""From candidates to a plan: the cheapest admissible option, what it beat, and at which volume that changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from breakeven import units
from breakeven.catalog.evidence import Assumption
from breakeven.errors import NothingFits
from breakeven.options.option import Candidates, Option, OptionKind
from breakeven.plan.breakeven import MAX_REQUESTS_PER_DAY, Pieces
from breakeven.plan.decision_tree import decide
from breakeven.plan.fleet_sizing import hourly_sizes, settled, sizing_facts
from breakeven.plan.levers import levers
from breakeven.plan.market import Contenders, Market
from breakeven.plan.plan import Choice, MonthAhead, NearMiss, Plan, Rejection
from breakeven.plan.purchases import purchases
from breakeven.plan.zones import zones
from breakeven.workload.growth import requests_per_day_in_month
from breakeven.workload.workload import Workload

MONTHS_AHEAD = 6
_EXAMPLES = 3
_WAYS_OUT = (
    ("data residency", "compare what you run yourself: --candidates gpu,edge, or drop --data-residency"),
    ("weights do not fit", "name a smaller model, or leave --candidates out to compare the whole catalogue"),
    ("context window", "name a model with a longer context, or leave --candidates out"),
    ("TTFT", "allow a longer first token: --ttft 5"),
    ("TPOT", "allow slower tokens: --tpot 0.2"),
    ("commitment", "allow a longer reservation: --max-commitment-months 36"),
    ("spot", "admit spot capacity: --allow-spot"),
    ("unrated", "name the models to compare them unrated: --candidates MODEL"),
    ("quality tier", "ask for less: --min-quality basic"),
)
_NEAR_MISSES = 3


def compare(
    workload: Workload,
    tables: Sequence[Candidates],
    *,
    priced_on: date,
    reference: str | None = None,
    show: Sequence[str] = (),
    top: int = 10,
    assumptions: Sequence[Assumption] = (),
) -> Plan:
    """Rank all candidates, choose the cheapest admissible one, and solve where another would be chosen.

    ``show`` are labels of options that are shown whatever their rank, ``reference`` the one of them that the others are
    held against; ``top`` is how many models are shown, each by its cheapest way of being served.

    Raises:
        UnknownName: no candidate has a label of ``show``.
        NothingFits: no candidate is admissible, and the cause counts the reasons; or one of ``show`` has no cost.
    """
    if not tables:
        raise NothingFits(
            "there is nothing to compare",
            cause="no named model can be had in a named way: hosted models run at their provider only",
            hint="name the model alone, or the way alone: --candidates gpt-4o, or --candidates edge",
        )
    market = Market(tables, workload.requests_per_day)
    asked = [market.named(label) for label in show]
    found = settled(market, lambda market: _leading(market, asked, top))
    market, contenders, pieces = found.market, found.contenders, found.pieces
    chosen_row = int(contenders.rows[pieces.winner_at(workload.requests_per_day)])
    shown = _shown(market, {chosen_row, *_leading(market, asked, top)}, chosen_row)
    options = tuple(market.option(row) for row in shown)
    chosen = options[shown.index(chosen_row)]
    best_rows = _best_of_each_kind(market)
    best = list(map(market.option, best_rows.values()))
    return Plan(
        workload=workload,
        priced_on=priced_on,
        assumptions=(*workload.assumptions, *assumptions, *sizing_facts(market, shown)),
        options=options,
        considered=len(market),
        chosen=Choice(label=chosen.label, why=_why(chosen, options, best)),
        reference=reference,
        rejected=_rejections(market, market.usd_per_month[chosen_row]),
        breakeven=zones(pieces, lambda winner: market.label(int(contenders.rows[winner]))),
        decision=decide(workload, chosen, best, options),
        levers=levers(workload, market, chosen_row),
        purchases=purchases(market, best_rows.get("gpu")),
        months=_months_ahead(workload, market, contenders, pieces, chosen_row),
        fleet_sizes=hourly_sizes(market.tables),
    )


def _best_of_each_kind(market: Market) -> dict[OptionKind, int]:
    """The cheapest admissible row of each kind that has one, in the order of the tables."""
    best: dict[OptionKind, int] = {}
    for row in market.admissible[np.argsort(market.usd_per_month[market.admissible], kind="stable")].tolist():
        best.setdefault(market.tables[market.place(row).table].kind, row)
        if len(best) == len({table.kind for table in market.tables}):
            break
    return best


def _leading(market: Market, asked: Sequence[int], top: int) -> list[int]:
    """The cheapest row of the cheapest models, the best of each kind and those asked for.

    Raises:
        NothingFits: no row is admissible, or one that was asked for has no cost.
    """
    if not len(market.admissible):
        raise _nothing_fits(market)
    leading = market.cheapest_of_each_group(market.admissible)[:top]
    return [*leading, *_best_of_each_kind(market).values(), *asked]


def _shown(market: Market, rows: Collection[int], chosen: int) -> list[int]:
    """The rows by cost, the chosen one before its equals."""
    return sorted(rows, key=lambda row: (market.curve(row).usd_per_month(market.requests_per_day), row != chosen, row))


def _why(chosen: Option, options: Sequence[Option], best: Sequence[Option]) -> str:
    """Why the chosen option, in one sentence: cheapest that qualifies, and by how much."""
    rivals = [option for option in options if option.label != chosen.label and option in best]
    others = rivals or [option for option in options if option.label != chosen.label and not option.refused]
    if not others:
        return "it is the only option that meets the requirements"
    return "the cheapest option that meets the requirements; " + ", ".join(_gap(chosen, rival) for rival in others[:2])


def _gap(chosen: Option, rival: Option) -> str:
    more = rival.usd_per_month - chosen.usd_per_month
    return f"{rival.label} costs ${more:,.2f} a month more" if more else f"{rival.label} costs the same"


def _rejections(market: Market, chosen_usd_per_month: float) -> tuple[Rejection, ...]:
    """Refused rows by kind and reason, most frequent first within a kind."""
    counted: dict[tuple[OptionKind, str], Rejection] = {}
    for table in market.tables:
        for code in np.unique(table.refusal[table.refusal > 0]).tolist():
            rejection = _rejection(table, code, market.requests_per_day, chosen_usd_per_month)
            key = rejection.kind, rejection.reason
            counted[key] = _merged(counted[key], rejection) if key in counted else rejection
    kinds = list(dict.fromkeys(table.kind for table in market.tables))
    return tuple(sorted(counted.values(), key=lambda r: (kinds.index(r.kind), -r.count)))


def _rejection(table: Candidates, code: int, requests_per_day: int, chosen_usd_per_month: float) -> Rejection:
    rows = np.flatnonzero(table.refusal == code)
    cost = table.columns.take(rows).usd_per_month(requests_per_day)
    by_cost = np.argsort(cost, kind="stable")
    cheaper = by_cost[(cost[by_cost] > 0) & (cost[by_cost] < chosen_usd_per_month)]
    return Rejection(
        kind=table.kind,
        reason=table.refusal_reasons[code - 1],
        count=len(rows),
        examples=tuple(table.label(row) for row in rows[by_cost[:_EXAMPLES]].tolist()),
        near_misses=tuple(
            NearMiss(
                label=table.label(row),
                usd_per_month=units.rounded_usd(table.curve(row).usd_per_month(requests_per_day)),
            )
            for row in rows[cheaper[:_NEAR_MISSES]].tolist()
        )
        if table.has_cost(code)
        else (),
    )


def _merged(one: Rejection, other: Rejection) -> Rejection:
    """The same refusal in two tables of one kind."""
    near_misses = sorted((*one.near_misses, *other.near_misses), key=lambda miss: miss.usd_per_month)
    return replace(
        one,
        count=one.count + other.count,
        examples=(*one.examples, *other.examples)[:_EXAMPLES],
        near_misses=tuple(near_misses[:_NEAR_MISSES]),
    )


def _nothing_fits(market: Market) -> NothingFits:
    rejections = sorted(_rejections(market, 0.0), key=lambda rejection: -rejection.count)
    if not rejections:
        return NothingFits("there is nothing to compare", cause="no candidate was given")
    reasons = "; ".join(f"{r.count:,} {r.kind}: {r.reason}" for r in rejections[:4])
    return NothingFits(
        f"nothing fits: none of {len(market):,} options meets the requirements",
        cause=reasons,
        hint=next(
            (hint for r in rejections for word, hint in _WAYS_OUT if word in r.reason),
            "leave --candidates out to compare the whole catalogue",
        ),
    )


def _months_ahead(
    workload: Workload, market: Market, contenders: Contenders, pieces: Pieces, chosen_row: int
) -> tuple[MonthAhead, ...]:
    """The chosen option and the cheapest one at the volume of each month ahead; empty without growth.

    It ends before the month whose volume is beyond those that were searched.
    """
    if not workload.growth_per_month_frac:
        return ()
    curve = market.curve(chosen_row)
    months = []
    for month in range(1, MONTHS_AHEAD + 1):
        volume = requests_per_day_in_month(workload, month)
        if volume > MAX_REQUESTS_PER_DAY:
            break
        cheapest = int(contenders.rows[pieces.winner_at(volume)])
        months.append(
            MonthAhead(
                month=month,
                requests_per_day=volume,
                chosen_usd_per_month=units.rounded_usd(curve.usd_per_month(volume)),
                cheapest_label=market.label(cheapest),
                cheapest_usd_per_month=units.rounded_usd(market.curve(cheapest).usd_per_month(volume)),
            )
        )
    return tuple(months)
