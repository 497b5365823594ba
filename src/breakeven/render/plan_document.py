"""A plan as a document: the answer, the candidates, why the rest lost, where the answer flips, what carries it."""

from __future__ import annotations

from collections.abc import Iterator

from breakeven.options.option import Option
from breakeven.plan.plan import Plan, Rejection
from breakeven.render.document import Document, Row, Section, Table, left, right, sentence
from breakeven.render.money import (
    UNKNOWN,
    change_text,
    column_decimals,
    percent_text,
    price_text,
    quantity_text,
    seconds_text,
    times_text,
    usd_per_1k_requests,
    usd_text,
)
from breakeven.render.plan_outlook import (
    assumptions_section,
    breakeven_section,
    decision_section,
    levers_section,
    months_section,
    purchases_section,
    replay_section,
    staff_section,
)

KIND_NAMES = {"api": "hosted API", "gpu": "own GPUs", "edge": "edge devices"}
"""The three ways of serving, in words."""


def plan_document(plan: Plan) -> Document:
    """The whole plan, most important first; sections without content are left out."""
    sections = (
        candidates_section(plan),
        statement_section(plan.chosen_option, title=f"What {plan.chosen.label} costs a month"),
        purchases_section(plan),
        replay_section(plan),
        rejected_section(plan),
        breakeven_section(plan),
        decision_section(plan),
        staff_section(plan),
        levers_section(plan),
        months_section(plan),
        assumptions_section(plan),
    )
    return Document(
        title=f"Plan for {plan.workload.name}",
        headline=headline(plan),
        sections=tuple(section for section in sections if section is not None),
    )


def headline(plan: Plan) -> tuple[str, ...]:
    """The answer, the reason, and what was asked, one sentence each."""
    chosen = plan.chosen_option
    per_1k = usd_per_1k_requests(chosen.usd_per_month, plan.workload.requests_per_day)
    amount = usd_text(per_1k, column_decimals([per_1k]))
    reference = (_reference_sentence(plan, plan.reference),) if plan.reference else ()
    take = f"Take {chosen.label} ({KIND_NAMES[chosen.kind]})"
    return (
        f"{take}: {usd_text(chosen.usd_per_month)} a month, {amount} per 1,000 requests.",
        f"Why: {sentence(plan.chosen.why)}",
        *reference,
        workload_sentence(plan),
    )


def _reference_sentence(plan: Plan, reference: str) -> str:
    """What the chosen option saves or adds against the option that the user named."""
    bill = plan.option(reference).usd_per_month
    change = plan.chosen_option.usd_per_month - bill
    percent = f" ({percent_text(change / bill)})" if bill else ""
    return f"Against {reference} at {usd_text(bill)} a month: {change_text(change)}{percent}."


def workload_sentence(plan: Plan) -> str:
    """Volume, tokens and requirements that were priced."""
    workload = plan.workload
    slo = workload.requirements.slo
    residency = ", data stays in house" if workload.requirements.data_residency else ""
    return (
        f"Asked: {workload.requests_per_day:,} requests a day of {workload.mean_input_tokens:,.0f} input and "
        f"{workload.mean_output_tokens:,.0f} output tokens on average; quality at least "
        f"{workload.requirements.min_quality}, first token within {seconds_text(slo.ttft_s)} and "
        f"{seconds_text(slo.tpot_s)} a token at p{slo.percentile:g}{residency}. "
        f"Prices of {plan.priced_on.isoformat()}; {plan.considered:,} options considered."
    )


def candidates_section(plan: Plan) -> Section:
    """The candidates, cheapest first, the chosen one marked, each with its distance from the chosen one."""
    options = sorted(plan.options, key=lambda option: option.usd_per_month)
    volume = plan.workload.requests_per_day
    decimals = column_decimals(usd_per_1k_requests(option.usd_per_month, volume) for option in options)
    rows = tuple(_candidate_row(plan, option, decimals) for option in options)
    columns = (
        left("Kind"),
        left("Option", wraps=True),
        right("$/month"),
        right("Against chosen"),
        right("$/1k requests"),
        right("TTFT"),
        right("TPOT"),
        left("Quality"),
        left("Data, model held by", wraps=True),
    )
    caption = f"Candidates for {plan.workload.name} by monthly cost"
    return Section(
        title="Candidates",
        table=Table(caption=caption, columns=columns, rows=rows),
        notes=(*_latency_notes(options), *_refusal_notes(options)),
    )


def _candidate_row(plan: Plan, option: Option, decimals: int) -> Row:
    chosen = plan.chosen_option
    is_chosen = option.label == chosen.label
    per_1k = usd_per_1k_requests(option.usd_per_month, plan.workload.requests_per_day)
    return Row(
        cells=(
            option.kind,
            option.label,
            usd_text(option.usd_per_month),
            "chosen" if is_chosen else _against(option, chosen),
            usd_text(per_1k, decimals),
            seconds_text(option.ttft_s),
            seconds_text(option.tpot_s),
            option.quality.tier,
            option.control,
        ),
        marked=is_chosen,
    )


def _against(option: Option, chosen: Option) -> str:
    """How much dearer: nothing, percent up to twice the chosen cost, then a multiple."""
    if not chosen.usd_per_month:
        return change_text(option.usd_per_month)
    times = option.usd_per_month / chosen.usd_per_month
    if times == 1:
        return "same"
    return percent_text(times - 1) if times < 2 else times_text(times)


def _latency_notes(options: list[Option]) -> Iterator[str]:
    """Each distinct reason for a missing latency, once, with how many options share it."""
    unmeasured = [option for option in options if option.ttft_s is None or option.tpot_s is None]
    for note in dict.fromkeys(option.latency_note for option in unmeasured):
        count = sum(option.latency_note == note for option in unmeasured)
        yield f"Latency {UNKNOWN} for {count} of them: {sentence(note)}"


def _refusal_notes(options: list[Option]) -> Iterator[str]:
    """Options that are shown because the user named them, though they may not be recommended."""
    for option in options:
        if option.refused:
            yield f"{option.label} is shown because it was named, and refused: {sentence(option.refused)}"


def statement_section(option: Option, title: str) -> Section:
    """The lines of one option's cost statement, adding up to its total; quantities rounded for reading."""
    rows = [
        Row(
            cells=(
                line.label,
                quantity_text(round(line.quantity, 2)),
                line.unit,
                price_text(line.usd_per_unit),
                usd_text(line.usd_per_month),
                line.basis,
                line.source,
            )
        )
        for line in option.statement.lines
    ]
    rows.append(Row(cells=("total", "", "", "", usd_text(option.usd_per_month), "", "")))
    columns = (
        left("Line", wraps=True),
        right("Quantity"),
        left("Unit", wraps=True),
        right("Unit price"),
        right("$/month"),
        left("Basis"),
        left("Source", wraps=True),
    )
    return Section(
        title=title,
        table=Table(caption=f"Cost lines of {option.label}", columns=columns, rows=tuple(rows)),
        notes=(sentence(option.note),) if option.note else (),
    )


def rejected_section(plan: Plan) -> Section | None:
    """What was refused, counted by reason, and the refused options that would have been cheaper."""
    if not plan.rejected:
        return None
    refused = sum(rejection.count for rejection in plan.rejected)
    columns = (left("Kind"), right("Count"), left("Reason", wraps=True), left("For example", wraps=True))
    ordered = sorted(plan.rejected, key=lambda rejection: (rejection.kind, -rejection.count))
    rows = tuple(
        Row(cells=(rejection.kind, f"{rejection.count:,}", rejection.reason, next(iter(rejection.examples), "")))
        for rejection in ordered
    )
    return Section(
        title="Refused",
        sentences=(f"{refused:,} of {plan.considered:,} options were refused{_rest_text(plan, refused)}.",),
        points=tuple(_near_miss_point(rejection) for rejection in ordered if rejection.near_misses),
        table=Table(caption="Refused options by reason", columns=columns, rows=rows),
    )


def _rest_text(plan: Plan, refused: int) -> str:
    """The admissible options that are not shown: each costs more than those that are."""
    rest = plan.considered - refused - len(plan.options)
    return f"; {rest:,} more meet the requirements and lost on cost alone" if rest > 0 else ""


def _near_miss_point(rejection: Rejection) -> str:
    """The refused options that would have been cheaper, by label, and what they lack."""
    misses = "; ".join(f"{miss.label} at {usd_text(miss.usd_per_month)} a month" for miss in rejection.near_misses)
    return f"Cheaper, but refused ({rejection.reason}): {misses}."
