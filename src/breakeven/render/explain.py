"""The arithmetic behind an option or a cost line: quantity times unit price, with basis and source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from breakeven.errors import InputError, UnknownName
from breakeven.options.option import Option
from breakeven.options.statement import CostLine
from breakeven.plan.plan import Plan
from breakeven.render import json, markdown, text
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import price_text, quantity_text, usd_text
from breakeven.render.plan_json import option_body

EXPLAIN_FORMATS = ("text", "json", "markdown")
"""Formats of ``breakeven plan --explain``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """An option, and those of its lines that were asked about."""

    option: Option
    lines: tuple[CostLine, ...]


def render_explanation(plan: Plan, label: str, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The arithmetic of the option or line that ``label`` names.

    Raises:
        UnknownName: the plan shows no option and no line of that name.
        InputError: a format that cannot carry it.
    """
    found = find(plan, label)
    match output_format:
        case "text":
            return text.render(explanation_document(plan, label, found), style)
        case "markdown":
            return markdown.render(explanation_document(plan, label, found))
        case "json":
            return json.render("explain", explanation_body(plan, label, found))
    raise InputError(f"--explain has no format {output_format!r}", hint=f"use one of: {', '.join(EXPLAIN_FORMATS)}")


def find(plan: Plan, label: str) -> tuple[Explained, ...]:
    """What ``label`` names: one option with all of its lines, or a line in every shown option that has it.

    Raises:
        UnknownName: nothing shown has that name; the hint lists the nearest names.
    """
    wanted = label.casefold()
    options = [option for option in plan.options if option.label.casefold() == wanted]
    if options:
        return tuple(Explained(option=option, lines=option.statement.lines) for option in options)
    found = tuple(
        Explained(option=option, lines=lines)
        for option in plan.options
        if (lines := tuple(line for line in option.statement.lines if line.label.casefold() == wanted))
    )
    if not found:
        raise UnknownName(
            f"the plan shows no option or line {label!r}",
            cause=f"{len(plan.options)} options are shown",
            hint=_nearest(label, plan.options),
        )
    return found


def _nearest(label: str, options: Iterable[Option]) -> str:
    names = list(dict.fromkeys([option.label for option in options]))
    names += list(dict.fromkeys(line.label for option in options for line in option.statement.lines))
    containing = [name for name in names if label.casefold() in name.casefold()]
    near = containing[:3] or get_close_matches(label, names, n=3, cutoff=0.3) or names[:3]
    return f"--explain with one of: {'; '.join(near)}; or a larger --top"


def explanation_document(plan: Plan, label: str, found: Iterable[Explained]) -> Document:
    """The arithmetic in words and tables."""
    return Document(
        title=f"Arithmetic of {label} in the plan for {plan.workload.name}",
        headline=("Amount = quantity x unit price, rounded once, half to even, to a billionth of a dollar.",),
        sections=tuple(_section(explained) for explained in found),
    )


def _section(explained: Explained) -> Section:
    option = explained.option
    columns = (
        left("Line", wraps=True),
        right("Quantity a month"),
        left("Unit", wraps=True),
        right("Unit price"),
        right("Amount"),
        left("Basis"),
        left("Source", wraps=True),
    )
    rows = [
        Row(
            cells=(
                line.label,
                quantity_text(line.quantity),
                line.unit,
                price_text(line.usd_per_unit),
                price_text(line.usd_per_month),
                line.basis,
                line.source,
            )
        )
        for line in explained.lines
    ]
    whole = len(explained.lines) == len(option.statement.lines)
    if whole:
        rows.append(Row(cells=("total", "", "", "", price_text(option.usd_per_month), "", "")))
    refused = f"Refused: {option.refused}" if option.refused else ""
    share = "" if whole else f"Part of {usd_text(option.usd_per_month)} a month."
    return Section(
        title=option.label,
        sentences=tuple(sentence for sentence in (share, refused, option.note, _latency_sentence(option)) if sentence),
        table=Table(caption=f"Arithmetic of {option.label}", columns=columns, rows=tuple(rows)),
    )


def _latency_sentence(option: Option) -> str:
    return f"Latency: {option.latency_note}" if option.latency_note else ""


def explanation_body(plan: Plan, label: str, found: Iterable[Explained]) -> dict[str, Any]:
    """The same as JSON values: options as in the plan, with only the lines that were asked about."""
    bodies = []
    for explained in found:
        body = option_body(explained.option, plan.workload.requests_per_day)
        wanted = {line.label for line in explained.lines}
        bodies.append({**body, "lines": [line for line in body["lines"] if line["label"] in wanted]})
    return {"label": label, "options": bodies}
