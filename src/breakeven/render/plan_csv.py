"""A plan as CSV: one row a cost line, the option's own columns repeated beside it."""

from __future__ import annotations

from collections.abc import Iterator

from breakeven.options.option import Option
from breakeven.plan.plan import Plan
from breakeven.render import csv
from breakeven.render.csv import text_cell
from breakeven.render.money import decimal_text, usd_per_1k_requests

HEADER = (
    "chosen",
    "kind",
    "option",
    "option_usd_per_month",
    "option_usd_per_1k_requests",
    "ttft_s",
    "tpot_s",
    "latency_note",
    "quality",
    "control",
    "line",
    "quantity",
    "unit",
    "usd_per_unit",
    "usd_per_month",
    "basis",
    "source",
)
"""Column names; new ones are only ever added at the end."""


def render(plan: Plan) -> str:
    """All shown options; summing ``usd_per_month`` over an option's rows gives ``option_usd_per_month`` exactly."""
    return csv.render(HEADER, (row for option in plan.options for row in _option_rows(plan, option)))


def _option_rows(plan: Plan, option: Option) -> Iterator[tuple[str, ...]]:
    option_cells = (
        "yes" if option.label == plan.chosen.label else "no",
        option.kind,
        text_cell(option.label),
        decimal_text(option.usd_per_month),
        decimal_text(usd_per_1k_requests(option.usd_per_month, plan.workload.requests_per_day)),
        _latency_cell(option.ttft_s),
        _latency_cell(option.tpot_s),
        text_cell(option.latency_note),
        text_cell(option.quality.tier),
        text_cell(option.control),
    )
    for line in option.statement.lines:
        yield (
            *option_cells,
            text_cell(line.label),
            decimal_text(line.quantity),
            text_cell(line.unit),
            decimal_text(line.usd_per_unit),
            decimal_text(line.usd_per_month),
            line.basis,
            text_cell(line.source),
        )


def _latency_cell(duration_s: float | None) -> str:
    """Seconds, or empty where unknown: the note beside it says why."""
    return "" if duration_s is None else repr(float(duration_s))
