"""``breakeven replay`` as text, JSON (``breakeven/replay/1``), CSV, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from math import isinf
from typing import Final

from breakeven.errors import InputError
from breakeven.options.replayed_bills import Interval
from breakeven.plan.lever_report import LeverReport, LeverResult, PrefixShare
from breakeven.render import csv, json, markdown, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import UNKNOWN, decimal_text, usd_text
from breakeven.render.replay_json import replay_body
from breakeven.units import usd

REPLAY_FORMATS: Final = ("text", "json", "csv", "markdown", "html")
"""Formats of ``breakeven replay``."""

_NAMES: Final = {
    "response-cache": "response cache",
    "single-flight": "single flight",
    "prompt-cache": "provider prompt cache",
}


def render_replay(report: LeverReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The report in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(replay_document(report), style)
        case "json":
            return json.render("replay", replay_body(report))
        case "csv":
            return replay_csv(report)
        case "markdown":
            return markdown.render(replay_document(report))
        case "html":
            page: str = import_module("breakeven.render.html").render(replay_document(report))
            return page
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(REPLAY_FORMATS)}")


def replay_document(report: LeverReport) -> Document:
    """The answer, the levers side by side, how much repeats, and what it rests on."""
    return Document(
        title=f"What caching would save on {report.trace_name}",
        headline=tuple(_headline(report)),
        sections=(
            _lever_section(report),
            Section(title="How much repeats", points=tuple(_repetition_points(report))),
            Section(title="Basis", points=tuple(_basis_points(report)), notes=report.notes),
        ),
    )


def replay_csv(report: LeverReport) -> str:
    """One row a lever; what is unknown is empty."""
    names = ("lever", "bill_ratio", "input_bill_ratio", "hits", "usd_saved", "usd_saved_per_month")
    ends = ("usd_saved_per_month_low", "usd_saved_per_month_high", "unknown")
    return csv.render(tuple(map(text_cell, (*names, *ends))), map(_csv_row, report.levers))


def _csv_row(lever: LeverResult) -> tuple[str, ...]:
    found = lever.saving
    if found is None:
        return (lever.name, "", "", "", "", "", "", "", text_cell(lever.unknown))
    month, interval = found.usd_saved_per_month, found.usd_saved_per_month_interval
    ends = ("", "") if interval is None else (decimal_text(interval.low), decimal_text(interval.high))
    return (
        lever.name,
        *("" if ratio is None else repr(ratio) for ratio in (found.bill_ratio, found.input_bill_ratio)),
        str(lever.hits),
        decimal_text(usd(found.saved_nano_usd)),
        "" if month is None else decimal_text(month),
        *ends,
        "",
    )


def _headline(report: LeverReport) -> Iterator[str]:
    bill = next((lever.saving for lever in report.levers if lever.saving is not None), None)
    cost = "" if bill is None else f" that cost {usd_text(usd(bill.without_nano_usd))} at {report.card.label}"
    yield f"{report.requests:,} requests in {_time_text(report.span_s)}{cost}."
    known = [lever for lever in report.levers if lever.saving is not None]
    if len(known) > 1:
        best = min(known, key=lambda lever: lever.saving.with_nano_usd if lever.saving is not None else 0)
        yield f"Most is saved by the {_NAMES[best.name]}. What two levers save together is less than their sum."


def _lever_section(report: LeverReport) -> Section:
    columns = (
        left("Lever", wraps=True),
        right("Hits"),
        right("Bill ratio"),
        right("Input bill"),
        right("Saved"),
        right("Saved a month"),
        right("95% of draws"),
    )
    rows = tuple(Row(cells=tuple(_cells(lever))) for lever in report.levers)
    told = (f"{_NAMES[lever.name]}: {lever.rule}." for lever in report.levers if lever.saving is not None)
    missing = (f"{_NAMES[lever.name]}: unknown; {lever.unknown}." for lever in report.levers if lever.saving is None)
    compared = (_compared(lever) for lever in report.levers if lever.compared)
    return Section(
        title="Levers",
        table=Table(caption="The bill with each lever over the bill without", columns=columns, rows=rows),
        notes=(*told, *compared, *missing),
    )


def _compared(lever: LeverResult) -> str:
    shown = ", ".join(f"{label} {ratio:.3f}" for label, ratio in lever.compared)
    return f"{_NAMES[lever.name]}, input bill of other ways to mark: {shown}."


def _cells(lever: LeverResult) -> Iterator[str]:
    yield _NAMES[lever.name]
    found = lever.saving
    if found is None:
        yield from (UNKNOWN,) * 6
        return
    yield f"{lever.hits:,}"
    yield from (UNKNOWN if ratio is None else f"{ratio:.4f}" for ratio in (found.bill_ratio, found.input_bill_ratio))
    yield usd_text(usd(found.saved_nano_usd))
    yield UNKNOWN if found.usd_saved_per_month is None else usd_text(found.usd_saved_per_month)
    yield _interval_text(found.usd_saved_per_month_interval)


def _interval_text(interval: Interval | None) -> str:
    return UNKNOWN if interval is None else f"{usd_text(interval.low)} to {usd_text(interval.high)}"


def _repetition_points(report: LeverReport) -> Iterator[str]:
    found = report.repetition
    if found is None:
        yield "Whole requests: unknown, the trace has no digest of them."
    else:
        dollars = "" if found.usd_frac is None else f", {found.usd_frac:.2%} of the dollars"
        yield (
            f"Exact duplicates: {found.requests_frac:.2%} of the requests, {found.input_tokens_frac:.2%} of the input "
            f"tokens{dollars}."
        )
        yield (
            f"Within {_time_text(found.ttl_s)} of the first answer: {found.within_ttl_frac:.2%} of the requests; "
            f"while it is under way: {found.single_flight_frac:.2%}."
        )
        if found.unknown_requests:
            yield f"{found.unknown_requests:,} requests have no hash; they count as not repeated."
    if report.prefixes is None:
        yield "Prefixes: unknown, the trace has no hash_ids."
    else:
        shown = "; ".join(map(_prefix_text, report.prefixes))
        yield f"Input tokens in a prefix of {report.prefix_min_tokens:,} tokens or more that was sent {shown}."


def _prefix_text(share: PrefixShare) -> str:
    when = "ever before" if isinf(share.ttl_s) else f"within {_time_text(share.ttl_s)}"
    return f"{when}: {share.input_tokens_frac:.1%}"


def _basis_points(report: LeverReport) -> Iterator[str]:
    card = report.card
    yield f"Prices: {card.label}, {card.source}, checked {card.checked_on} (quoted)."
    for each in report.assumptions:
        unit = f" {each.unit}" if each.unit else ""
        yield f"{each.name} = {each.value}{unit} ({each.basis}: {each.source})"


def _time_text(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
