"""What carries a plan and what would change it: break-even, decision tree, levers, months ahead, assumptions."""

from __future__ import annotations

from decimal import Decimal
from math import isnan

from breakeven.plan.fleet_replay import FleetReplay
from breakeven.plan.plan import DecisionStep, Plan, Purchase
from breakeven.render.document import Column, Row, Section, Table, left, right, sentence
from breakeven.render.money import percent_text, price_text, quantity_text, seconds_text, usd_text
from breakeven.render.zones import flip_sentence, zone_points


def breakeven_section(plan: Plan) -> Section | None:
    """The volumes at which the cheapest option changes, in words, today's volume pointed out."""
    if not plan.breakeven:
        return None
    volume = plan.workload.requests_per_day
    return Section(
        title="Break-even",
        sentences=(flip_sentence(plan.breakeven, volume),),
        points=tuple(zone_points(plan.breakeven, volume)),
    )


def decision_section(plan: Plan) -> Section:
    """The article's decision tree beside the numbers, and why they part where they do."""
    decision = plan.decision
    agreement = (
        f"The tree says {decision.answer}; the numbers agree."
        if decision.agrees
        else f"The tree says {decision.answer}; the numbers say {plan.chosen.label}: {sentence(decision.why_not)}"
    )
    return Section(
        title="Decision tree and numbers",
        sentences=(agreement,),
        points=tuple(_step_text(step) for step in decision.path),
    )


def staff_section(plan: Plan) -> Section | None:
    """The volumes below which a fleet of one's own cannot be cheaper, whatever its hardware costs."""
    thresholds = plan.decision.staff_thresholds
    if not thresholds:
        return None
    columns = (left("Hosted option", wraps=True), right("Requests a day"))
    rows = tuple(Row(cells=(each.label, f"{each.requests_per_day:,}")) for each in thresholds)
    return Section(
        title="Volume at which a hosted bill pays for the self-hosting staff alone",
        sentences=("Below it no fleet of your own is cheaper than that option.",),
        table=Table(caption="Hosted options and their staff thresholds", columns=columns, rows=rows),
        folded=True,
    )


def _step_text(step: DecisionStep) -> str:
    taken = "yes" if step.taken else "no"
    return f"{step.question} {taken}" if step.value in {"", taken} else f"{step.question} {taken} ({step.value})"


def levers_section(plan: Plan) -> Section | None:
    """Savings on the chosen option that this workload's own data supports."""
    if not plan.levers:
        return None
    columns = (left("Lever"), right("Saves at least"), right("at most"), left("Basis"), left("Note", wraps=True))
    rows = tuple(
        Row(
            cells=(
                lever.name,
                usd_text(lever.usd_per_month_saved_low),
                usd_text(lever.usd_per_month_saved_high),
                lever.basis,
                lever.note,
            )
        )
        for lever in plan.levers
    )
    return Section(title="Levers", table=Table(caption="Monthly savings by lever", columns=columns, rows=rows))


def purchases_section(plan: Plan) -> Section | None:
    """The ways to buy the leading fleet of GPUs, side by side."""
    if not plan.purchases:
        return None
    columns = (left("Bought"), right("$ an hour"), right("$/month in all"), left("Basis"), left("Admitted", wraps=True))
    rows = tuple(
        Row(
            cells=(
                purchase.option,
                _hourly_text(purchase),
                usd_text(purchase.usd_per_month),
                purchase.basis,
                f"no: {purchase.refusal}" if purchase.refusal else "yes",
            )
        )
        for purchase in plan.purchases
    )
    fleet = next((option.label for option in plan.options if option.kind == "gpu"), "the leading fleet")
    return Section(
        title="Ways to buy the leading fleet",
        sentences=(f"For {fleet}.",),
        table=Table(caption="Purchase options of the leading fleet", columns=columns, rows=rows),
    )


def _hourly_text(purchase: Purchase) -> str:
    shown = price_text(purchase.usd_per_h)
    if purchase.low_usd_per_h == purchase.high_usd_per_h:
        return shown
    return f"{shown} ({price_text(purchase.low_usd_per_h)}-{price_text(purchase.high_usd_per_h)})"


def replay_section(plan: Plan) -> Section | None:
    """What scaling the leading fleet on its queue, or to zero, saves, and what it does to the slowest requests."""
    replay = plan.replay
    if replay is None:
        return None
    columns = (
        left("Scaled"),
        right("$/month"),
        right("Replica hours"),
        right("p99 TTFT"),
        right("p99 TPOT"),
        right("Met"),
    )
    rows = tuple(
        Row(
            cells=(
                way.label,
                usd_text(way.usd_per_month),
                f"{way.replica_h_per_month:,.1f}",
                seconds_text(known(way.ttft_p99_s)),
                seconds_text(known(way.tpot_p99_s)),
                f"{way.within_slo_frac:.1%}",
            )
        )
        for way in replay.ways
    )
    return Section(
        title="The leading fleet, replayed",
        sentences=(_replayed_sentence(replay), _scaling_sentence(replay)),
        table=Table(caption="The leading fleet under the workload's arrivals", columns=columns, rows=rows),
        notes=tuple(sentence(note) for note in replay.notes),
    )


def _replayed_sentence(replay: FleetReplay) -> str:
    return (
        f"{replay.requests:,} requests through {replay.label}, the cheapest fleet that is always on; $/month is its "
        "instances alone."
    )


def _scaling_sentence(replay: FleetReplay) -> str:
    fixed, to_zero, saved = replay.fixed, replay.scaled_to_zero, replay.usd_per_month_saved
    share = percent_text(abs(saved) / fixed.usd_per_month if fixed.usd_per_month else None).lstrip("+")
    money = f"saves {usd_text(saved)} a month" if saved >= 0 else f"costs {usd_text(-saved)} a month more"
    return (
        f"Scaling to zero {money} ({share}) and takes p99 TTFT from {seconds_text(known(fixed.ttft_p99_s))} to "
        f"{seconds_text(known(to_zero.ttft_p99_s))}."
    )


def known(value: float) -> float | None:
    """A figure of a replay; None where no request had one, which is told as NaN."""
    return None if isnan(value) else value


def months_section(plan: Plan) -> Section | None:
    """The months ahead under the stated growth."""
    if not plan.months:
        return None
    columns = (
        right("Month"),
        right("Requests a day"),
        right("Chosen $/month"),
        left("Cheapest then", wraps=True),
        right("$/month"),
    )
    rows = tuple(
        Row(
            cells=(
                f"+{month.month}" if month.month else "now",
                f"{month.requests_per_day:,}",
                usd_text(month.chosen_usd_per_month),
                "the chosen one" if month.cheapest_label == plan.chosen.label else month.cheapest_label,
                usd_text(month.cheapest_usd_per_month),
            )
        )
        for month in plan.months
    )
    growth = f"Volume changes by {percent_text(plan.workload.growth_per_month_frac)} a month."
    table = Table(caption="Cost in the months ahead", columns=columns, rows=rows)
    return Section(title="Months ahead", sentences=(growth,), table=table)


def assumptions_section(plan: Plan) -> Section | None:
    """Every input that the answer rests on, with its basis and source."""
    if not plan.assumptions:
        return None
    columns: tuple[Column, ...] = (
        left("Assumption"),
        Column(title="Value", align="right", wraps=True),
        left("Unit", wraps=True),
        left("Basis"),
        left("Source", wraps=True),
    )
    rows = tuple(
        Row(cells=(fact.name, value_text(fact.value), fact.unit, fact.basis, fact.source)) for fact in plan.assumptions
    )
    table = Table(caption="Assumptions behind the plan", columns=columns, rows=rows)
    return Section(title="Assumptions", table=table, folded=True)


def value_text(value: object) -> str:
    """An assumption's value: yes and no for truths, thousands separators for whole numbers, text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return quantity_text(value)
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
