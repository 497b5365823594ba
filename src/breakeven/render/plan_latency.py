"""Cost against latency: the candidates whose latency is known, drawn and tabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from breakeven.options.option import Option
from breakeven.plan.plan import Plan
from breakeven.render.charts import Mark, cost_against_latency
from breakeven.render.curve import letter
from breakeven.render.document import Row, Section, Table, left, right
from breakeven.render.money import seconds_text, usd_text
from breakeven.render.plan_document import KIND_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """An option with the seconds that a whole answer of average length takes, named by a letter."""

    name: str
    option: Option
    answer_s: float


def latency_section(plan: Plan) -> Section | None:
    """Cost against the time to a whole average answer; None where no candidate's latency is known."""
    timed = timed_options(plan)
    if not timed:
        return None
    unknown = len(plan.options) - len(timed)
    return Section(
        title="Cost against latency",
        sentences=(f"{unknown} candidates are not drawn: their latency is unknown.",) if unknown else (),
        chart=cost_against_latency([_mark(each) for each in timed]),
        table=_table(timed, plan.chosen.label),
    )


def timed_options(plan: Plan) -> Sequence[Timed]:
    """TTFT plus TPOT for each output token after the first of an average answer."""
    later_tokens = max(plan.workload.mean_output_tokens - 1, 0)
    known = [
        (option, option.ttft_s + option.tpot_s * later_tokens)
        for option in plan.options
        if option.ttft_s is not None and option.tpot_s is not None
    ]
    return [
        Timed(name=letter(place), option=option, answer_s=answer_s) for place, (option, answer_s) in enumerate(known)
    ]


def _mark(timed: Timed) -> Mark:
    option = timed.option
    return Mark(
        name=timed.name, x=timed.answer_s, usd_per_month=float(option.usd_per_month), group=KIND_NAMES[option.kind]
    )


def _table(timed: Sequence[Timed], chosen: str) -> Table:
    columns = (left("Letter"), left("Option"), right("TTFT"), right("TPOT"), right("Whole answer"), right("$/month"))
    rows = tuple(
        Row(
            cells=(
                each.name,
                each.option.label,
                seconds_text(each.option.ttft_s),
                seconds_text(each.option.tpot_s),
                seconds_text(each.answer_s),
                usd_text(each.option.usd_per_month),
            ),
            marked=each.option.label == chosen,
        )
        for each in timed
    )
    return Table(caption="Monthly cost by latency", columns=columns, rows=rows)
