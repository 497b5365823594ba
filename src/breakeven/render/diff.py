"""A diff of two plans as text, JSON (``breakeven/diff/1``) or Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from breakeven.errors import InputError
from breakeven.render import json, markdown, text
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import change_text, decimal_text, percent_text, usd_text
from breakeven.render.plan_diff import AmountChange, ChangeKind, FactChange, PlanDiff

DIFF_FORMATS = ("text", "json", "markdown")
"""Formats of ``breakeven diff``."""

_SIGNS: dict[ChangeKind, str] = {"added": "+", "removed": "-", "changed": "~"}


def render_diff(diff: PlanDiff, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The diff in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(diff_document(diff), style)
        case "json":
            return json.render("diff", diff_body(diff))
        case "markdown":
            return markdown.render(diff_document(diff))
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(DIFF_FORMATS)}")


def diff_document(diff: PlanDiff) -> Document:
    """One sentence first, then the lines, the options and the assumptions that changed."""
    sections = (_lines_section(diff), _options_section(diff), _assumptions_section(diff))
    return Document(
        title=f"Change of plan for {diff.after.workload_name}",
        headline=tuple(sentence for sentence in _headline(diff) if sentence),
        sections=tuple(section for section in sections if section is not None),
    )


def _headline(diff: PlanDiff) -> tuple[str, ...]:
    before, after = diff.before, diff.after
    moved = before.requests_per_day != after.requests_per_day
    volume = f"Volume: {before.requests_per_day:,} -> {after.requests_per_day:,} requests a day." if moved else ""
    changed = before.chosen.label != after.chosen.label
    choice = f"Chosen: {before.chosen.label} -> {after.chosen.label}." if changed else f"Chosen: {after.chosen.label}."
    return (_total_sentence(diff.total), choice, volume, _threshold_sentence(diff))


def _total_sentence(total: AmountChange) -> str:
    change = total.change_usd_per_month
    if not change:
        return f"Monthly cost stays at {usd_text(total.after_usd_per_month or Decimal(0))}."
    direction = "increases" if change > 0 else "decreases"
    return f"Monthly cost {direction} by {usd_text(abs(change))}{_percent_suffix(total)}."


def _percent_suffix(change: AmountChange) -> str:
    return "" if change.change_frac is None else f" ({percent_text(change.change_frac)})"


def _threshold_sentence(diff: PlanDiff) -> str:
    limit = diff.threshold
    allowed = [
        *([usd_text(limit.max_increase_usd)] if limit.max_increase_usd is not None else []),
        *([percent_text(limit.max_increase_frac).lstrip("+")] if limit.max_increase_frac is not None else []),
    ]
    if not allowed:
        return ""
    verdict = "Past the threshold" if diff.exceeded else "Within the threshold"
    return f"{verdict}: an increase of at most {' and '.join(allowed)} is allowed."


def _amount_text(change: AmountChange) -> str:
    """``+$343.00 ($0.00 -> $343.00)``."""
    before = usd_text(change.before_usd_per_month or Decimal(0))
    after = usd_text(change.after_usd_per_month or Decimal(0))
    return f"{change_text(change.change_usd_per_month)} ({before} -> {after})"


def _lines_table(changes: Iterable[AmountChange]) -> Table:
    columns = (left(""), left("Line", wraps=True), left("$/month"), right("Percent"), left("Because", wraps=True))
    rows = tuple(
        Row(
            cells=(
                _SIGNS[change.kind],
                change.label,
                _amount_text(change),
                percent_text(change.change_frac) if change.kind == "changed" else change.kind,
                change.reason,
            )
        )
        for change in changes
    )
    return Table(caption="Changed cost lines", columns=columns, rows=rows)


def _options_table(changes: Iterable[AmountChange]) -> Table:
    """Candidates; one that a plan does not show has no amount there, which is not an amount of zero."""
    columns = (left(""), left("Option", wraps=True), right("Before"), right("After"), right("Percent"))
    rows = tuple(
        Row(
            cells=(
                _SIGNS[change.kind],
                change.label,
                _shown_text(change.before_usd_per_month),
                _shown_text(change.after_usd_per_month),
                percent_text(change.change_frac) if change.kind == "changed" else "",
            )
        )
        for change in changes
    )
    return Table(caption="Changed candidates", columns=columns, rows=rows)


def _shown_text(usd_per_month: Decimal | None) -> str:
    return "not shown" if usd_per_month is None else usd_text(usd_per_month)


def _lines_section(diff: PlanDiff) -> Section | None:
    if not diff.lines:
        return None
    return Section(
        title="Cost lines of the chosen option",
        table=_lines_table(diff.lines),
        notes=(f"Amount: {_amount_text(diff.total)}{_percent_suffix(diff.total)}",),
    )


def _options_section(diff: PlanDiff) -> Section | None:
    if not diff.options:
        return None
    return Section(
        title=f"Candidates that changed: {len(diff.options)}",
        table=_options_table(diff.options),
        folded=True,
    )


def _assumptions_section(diff: PlanDiff) -> Section | None:
    if not diff.assumptions:
        return None
    columns = (left("Assumption", wraps=True), left("Before", wraps=True), left("After", wraps=True))
    rows = tuple(Row(cells=(fact.name, _fact_text(fact.before), _fact_text(fact.after))) for fact in diff.assumptions)
    return Section(
        title=f"Assumptions that changed: {len(diff.assumptions)}",
        table=Table(caption="Changed assumptions", columns=columns, rows=rows),
        folded=True,
    )


def _fact_text(value: str | None) -> str:
    return "not stated" if value is None else value


def diff_body(diff: PlanDiff) -> dict[str, Any]:
    """The diff as JSON values."""
    limit = diff.threshold
    return {
        "workload": diff.after.workload_name,
        "total": _amount_body(diff.total),
        "chosen": {"before": diff.before.chosen.label, "after": diff.after.chosen.label},
        "requests_per_day": {"before": diff.before.requests_per_day, "after": diff.after.requests_per_day},
        "lines": [_amount_body(change) for change in diff.lines],
        "options": [_option_body(change) for change in diff.options],
        "assumptions": [_fact_body(fact) for fact in diff.assumptions],
        "threshold": {
            "max_increase_usd": _maybe_text(limit.max_increase_usd),
            "max_increase_frac": _maybe_text(limit.max_increase_frac),
            "exceeded": diff.exceeded,
        },
    }


def _amount_body(change: AmountChange) -> dict[str, Any]:
    return {
        "change": "same" if change.kind == "changed" and not _differs(change) else change.kind,
        "label": change.label,
        "before_usd_per_month": _maybe_text(change.before_usd_per_month),
        "after_usd_per_month": _maybe_text(change.after_usd_per_month),
        "change_usd_per_month": decimal_text(change.change_usd_per_month),
        "change_frac": None if change.change_frac is None else float(change.change_frac),
        "reason": change.reason,
    }


def _option_body(change: AmountChange) -> dict[str, Any]:
    """A candidate; its change is null where one of the plans does not show it."""
    body = _amount_body(change)
    return body if change.kind == "changed" else {**body, "change_usd_per_month": None}


def _differs(change: AmountChange) -> bool:
    return bool(change.change_usd_per_month) or bool(change.reason)


def _fact_body(fact: FactChange) -> dict[str, Any]:
    return {"name": fact.name, "before": fact.before, "after": fact.after}


def _maybe_text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
