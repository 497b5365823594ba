"""How to buy a fleet, as text, JSON (``breakeven/fleet/1``), Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib import import_module
from math import isnan
from typing import Final

from breakeven.errors import InputError
from breakeven.options.statement import CostStatement
from breakeven.plan.commitments import Alternative, CommitmentPlan, Marginal
from breakeven.plan.fleet_advice import ApiAdvice, FleetAdvice, SpotAdvice
from breakeven.plan.hybrid_replay import HybridReplay
from breakeven.plan.mix import MixPlan
from breakeven.render import json, markdown, text
from breakeven.render.document import Column, Document, Row, Section, Table, left, right
from breakeven.render.fleet_json import fleet_body
from breakeven.render.money import price_text, quantity_text, seconds_text, usd_text
from breakeven.render.plan_outlook import value_text

FLEET_FORMATS: Final = ("text", "json", "markdown", "html")
"""Formats of ``breakeven fleet``."""

_LEAST_SHARE = 0.005


def render_fleet(advice: FleetAdvice, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The advice in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(fleet_document(advice), style)
        case "json":
            return json.render("fleet", fleet_body(advice))
        case "markdown":
            return markdown.render(fleet_document(advice))
        case "html":
            page: str = import_module("breakeven.render.html").render(fleet_document(advice))
            return page
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(FLEET_FORMATS)}")


def fleet_document(advice: FleetAdvice) -> Document:
    """What to buy, then what spot, an API for the peak and a mix of GPUs would make of it."""
    rates = advice.rates_per_s
    total = usd_text(advice.commitments.usd_per_month)
    headline = (
        f"{total} a month. One {advice.instance} carries {advice.carried_requests_per_s:.3g} requests/s, with room for "
        f"bursts; the demand is {min(rates):.3g} to {max(rates):.3g}."
    )
    return Document(
        title=f"Buying a fleet for {advice.model}: {advice.workload.name}",
        headline=(headline, *advice.notes),
        sections=tuple(_sections(advice)),
    )


def _sections(advice: FleetAdvice) -> Iterator[Section]:
    yield _purchase_section(advice)
    if advice.spot is not None:
        yield _spot_section(advice.spot)
    if advice.api is not None:
        yield _api_section(advice.api)
    if advice.mix is not None:
        yield _mix_section(advice.mix)
    yield _assumptions_section(advice)


def _purchase_section(advice: FleetAdvice) -> Section:
    plan = advice.commitments
    return Section(
        title="What to buy",
        table=_statement_table(plan.statement, "Purchases for the demand, a month"),
        notes=(_beside(plan.alternatives), *_one_more(plan.marginals), _regret(plan)),
    )


def _one_more(marginals: Sequence[Marginal]) -> Iterator[str]:
    for each in marginals:
        saved = each.usd_per_month_saved
        effect = (
            f"save {usd_text(saved)} a month" if saved > 0 else f"cost {usd_text(-saved)} a month more than it saves"
        )
        which = f"number {each.reserved_instances}" + (f" of {each.supply}" if len(marginals) > 1 else "")
        yield f"One more reserved instance ({which}) would {effect}."


def _regret(plan: CommitmentPlan) -> str:
    owed = sum((each.owed_usd for each in plan.bought), start=Decimal(0))
    if not owed:
        return "Nothing is reserved, so nothing is owed should volume fall."
    lost = usd_text(plan.if_halved.usd_per_month_lost)
    return (
        f"Should volume halve, these reservations lose {lost} a month against the ones then best; {usd_text(owed)} is "
        f"owed over their terms whatever happens."
    )


def _statement_table(statement: CostStatement, caption: str) -> Table:
    columns = (
        left("Line", wraps=True),
        right("Quantity"),
        left("Unit", wraps=True),
        right("USD each"),
        right("USD a month"),
        left("Basis"),
    )
    rows = tuple(
        Row(
            cells=(
                line.label,
                quantity_text(round(line.quantity, 3)),
                line.unit,
                price_text(line.usd_per_unit),
                usd_text(line.usd_per_month),
                line.basis,
            )
        )
        for line in statement.lines
    )
    return Table(caption=caption, columns=columns, rows=rows)


def _beside(alternatives: tuple[Alternative, ...]) -> str:
    return "Beside it: " + "; ".join(f"{each.name} {usd_text(each.usd_per_month)}" for each in alternatives) + "."


def _spot_section(spot: SpotAdvice) -> Section:
    outcome, price, on_demand = spot.outcome, spot.price, spot.on_demand.usd_per_h
    zones = zip(outcome.zones, outcome.available_frac, strict=True)
    cost = (
        f"Held on spot, and on demand where no zone has any, an instance costs {_hourly(price.usd_per_h)} an hour, not "
        f"the quoted {_hourly(spot.quoted.usd_per_h)}: {float(price.usd_per_h / on_demand):.0%} of on demand "
        f"({_hourly(on_demand)}); {_hourly(price.low_usd_per_h)} to {_hourly(price.high_usd_per_h)} over its range."
    )
    service = (
        f"A fleet of {outcome.policy.instances} is below target {outcome.below_target_frac:.1%} of the time and loses "
        f"{outcome.interruptions_per_year:,.0f} instances a year."
    )
    shares = ", ".join(f"{zone} {share:.0%}" for zone, share in zones)
    return Section(
        title="Spot, with its interruptions",
        sentences=(cost, service),
        notes=(f"Zones, and the share of the simulated year in which they had instances: {shares}.",),
    )


def _hourly(usd_per_h: Decimal) -> str:
    return usd_text(usd_per_h, 4)


def _api_section(api: ApiAdvice) -> Section:
    spill = api.spill
    total = usd_text(spill.statement.usd_per_month)
    answer = (
        f"Cheapest with {spill.instances} own, always on, and {spill.spilled_requests_frac:.1%} of the requests sent "
        f"to {api.label}, in {spill.spilling_intervals_frac:.0%} of the hours: {total} a month, staff included."
        if spill.instances
        else f"No own instance pays for itself beside {api.label}, staff included: {total} a month for all requests."
    )
    return Section(
        title="Own instances for the trough, an API for the peak",
        sentences=(answer,),
        table=_statement_table(spill.statement, "Own instances and spilled requests, a month"),
        notes=(_beside(spill.alternatives), *_replayed(api.replay)),
    )


def _replayed(replay: HybridReplay | None) -> Iterator[str]:
    """What a replay of the day says of it."""
    if replay is None:
        return
    waits = " and ".join(
        f"{seconds_text(None if isnan(latency_s) else latency_s)} {name}"
        for latency_s, name in ((replay.ttft_p99_s, "TTFT"), (replay.tpot_p99_s, "TPOT"))
    )
    yield (
        f"Replayed, {replay.requests:,} Poisson arrivals of a day on {replay.replicas} replicas that spill above "
        f"{replay.above_requests_per_replica} requests each: {replay.spilled_requests_frac:.2%} spilled, "
        f"{usd_text(replay.statement.usd_per_month)} a month; p99 {waits} for the rest, the API's being unknown."
    )


def _mix_section(plan: MixPlan) -> Section:
    columns = (left("Requests", wraps=True), right("a second"), *(right(_short(part.name)) for part in plan.parts))
    rows = tuple(
        Row(
            cells=(
                bucket.name,
                f"{bucket.requests_per_s:.3g}",
                *(_share(part.served_frac[place]) for part in plan.parts),
            )
        )
        for place, bucket in enumerate(plan.buckets)
    )
    bought = ", ".join(f"{part.instances} x {part.name}" for part in plan.parts)
    table = Table(caption="Share of each size that each type serves", columns=columns, rows=rows)
    return Section(
        title="GPU types mixed by request size",
        sentences=(f"On demand, for the peak: {bought}, {usd_text(plan.statement.usd_per_month)} a month.",),
        table=table if len(plan.parts) > 1 else None,
        notes=(_against_one_type(plan),),
    )


def _against_one_type(plan: MixPlan) -> str:
    if plan.single_usd_per_month is None:
        return "No single type serves all sizes."
    saved = plan.single_usd_per_month - plan.statement.usd_per_month
    single = f"{plan.single_instances} x {plan.single_name}, {usd_text(plan.single_usd_per_month)} a month"
    return f"The best single type, {single}, costs {usd_text(saved)} more." if saved else "No mix of types costs less."


def _share(served_frac: float) -> str:
    return f"{served_frac:.0%}" if served_frac >= _LEAST_SHARE else "-"


def _short(name: str) -> str:
    """An instance type without provider and region."""
    where, _, how = name.partition(" ")
    return f"{where.partition('/')[2].partition('@')[0]} {how}"


def _assumptions_section(advice: FleetAdvice) -> Section:
    columns: tuple[Column, ...] = (
        left("Assumption"),
        Column(title="Value", align="right", wraps=True),
        left("Unit", wraps=True),
        left("Basis"),
        left("Source", wraps=True),
    )
    rows = tuple(
        Row(cells=(fact.name, value_text(fact.value), fact.unit, fact.basis, fact.source))
        for fact in advice.assumptions
    )
    table = Table(caption="Assumptions behind the purchases", columns=columns, rows=rows)
    return Section(title="Assumptions", table=table, folded=True)
