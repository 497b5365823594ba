"""``breakeven catalog check`` and ``catalog update`` as text, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.price_check import CheckReport, Disagreement, Quote, StaleRows
from breakeven.catalog.price_update import PriceChange, UpdateReport
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, price_text
from breakeven.render.price_lists import card_body, rendered, text_or_none, usd_cell

SHOWN_CHANGES = 20
"""Changes that the text of an update names; JSON and CSV have all."""


def render_check(report: CheckReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """Where sources disagree and what is stale; CSV has the disagreements.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(check_document(report), style),
            "json": lambda: json.render("price-check", check_body(report)),
            "csv": lambda: csv.render(_DISAGREEMENT_HEADER, map(_disagreement_csv, report.disagreements)),
        },
    )


def render_update(report: UpdateReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """What an update changed; CSV has the changes.

    Raises:
        InputError: an unknown format.
    """
    return rendered(
        output_format,
        {
            "text": lambda: text.render(update_document(report), style),
            "json": lambda: json.render("price-update", update_body(report)),
            "csv": lambda: csv.render(("model", "before", "after"), map(_change_cells, report.changes)),
        },
    )


def check_document(report: CheckReport) -> Document:
    """Disagreements as a table, then stale rows."""
    differing = report.compared - report.agreed
    columns = (left("model", wraps=True), left("price"), right("first"), right("second"), right("ratio"))
    rows = tuple(Row(cells=_disagreement_cells(item)) for item in report.disagreements)
    return Document(
        title=f"Price sources on {report.checked_at}",
        headline=(
            f"{report.compared} prices are in both sources: {report.agreed} agree, {differing} do not.",
            f"{len(report.unmatched)} are only in the second source.",
            *_sources(report),
        ),
        sections=(
            Section(
                title="Disagreements, US dollars per million tokens",
                table=Table(caption="Prices that two sources state differently", columns=columns, rows=rows),
                notes=("An alias may have moved to a newer model in one source. The provider's own page decides.",),
            ),
            Section(
                title="Stale rows",
                points=tuple(map(_stale_sentence, report.stale)) or ("None: every row was checked within 180 days.",),
            ),
        ),
    )


def _sources(report: CheckReport) -> Sequence[str]:
    """Which sources were compared, and the day on which each stood."""
    quotes = [("first", item.ours) for item in report.disagreements]
    quotes += [("second", item.other) for item in report.disagreements]
    return sorted({f"The {place}: {quote.source}, as of {quote.checked_on}." for place, quote in quotes})


def _disagreement_cells(item: Disagreement) -> tuple[str, ...]:
    tier = f" above {item.above_input_tokens:,}" if item.above_input_tokens else ""
    processing = "" if item.processing == "standard" else f" ({item.processing})"
    return (
        f"{item.provider}/{item.model}{processing}",
        item.kind.replace("_", " ") + tier,
        price_text(item.ours.usd_per_mtok),
        price_text(item.other.usd_per_mtok),
        "-" if item.ratio is None else f"{item.ratio:.2f}x",
    )


def _stale_sentence(stale: StaleRows) -> str:
    rows = "1 row" if stale.rows == 1 else f"{stale.rows:,} rows"
    return (
        f"{stale.table}: {rows} of {stale.source}, checked {stale.checked_on} ({stale.age_days} days ago), "
        f"such as {stale.example}"
    )


_DISAGREEMENT_HEADER = (
    "provider",
    "model",
    "listed_as",
    "processing",
    "kind",
    "above_input_tokens",
    "our_usd_per_mtok",
    "our_source",
    "other_usd_per_mtok",
    "other_source",
    "other_checked_on",
)


def _disagreement_csv(item: Disagreement) -> tuple[str, ...]:
    return (
        *map(text_cell, (item.provider, item.model, item.listed_as)),
        item.processing,
        item.kind,
        str(item.above_input_tokens),
        decimal_text(item.ours.usd_per_mtok),
        text_cell(item.ours.source),
        decimal_text(item.other.usd_per_mtok),
        text_cell(item.other.source),
        item.other.checked_on.isoformat(),
    )


def check_body(report: CheckReport) -> dict[str, Any]:
    """The fields of ``breakeven/price-check/1``."""
    return {
        "checked_at": report.checked_at.isoformat(),
        "compared": report.compared,
        "agreed": report.agreed,
        "only_in_other_source": list(report.unmatched),
        "disagreements": [
            {
                "provider": item.provider,
                "model": item.model,
                "listed_as": item.listed_as,
                "processing": item.processing,
                "kind": item.kind,
                "above_input_tokens": item.above_input_tokens,
                "ours": _quote_body(item.ours),
                "other": _quote_body(item.other),
                "ratio": text_or_none(item.ratio),
            }
            for item in report.disagreements
        ],
        "stale": [
            {
                "table": stale.table,
                "source": stale.source,
                "checked_on": stale.checked_on.isoformat(),
                "age_days": stale.age_days,
                "rows": stale.rows,
                "example": stale.example,
            }
            for stale in report.stale
        ],
    }


def _quote_body(quote: Quote) -> dict[str, Any]:
    return {
        "source": quote.source,
        "checked_on": quote.checked_on.isoformat(),
        "usd_per_mtok": decimal_text(quote.usd_per_mtok),
    }


def update_document(report: UpdateReport) -> Document:
    """The counts, then the first changes."""
    points = [f"{label}: {before} -> {after}" for label, before, after in map(_change_cells, report.changes)]
    hidden = len(points) - SHOWN_CHANGES
    return Document(
        title="Prices updated",
        headline=(
            f"{report.models_after:,} models ({report.models_before:,} before), {len(points):,} prices changed.",
            f"Kept in {report.path}.",
        ),
        sections=(
            Section(
                title="Changes, input/output in US dollars per million tokens",
                points=tuple(points[:SHOWN_CHANGES]) or ("None.",),
                notes=(f"{hidden:,} more: --format json has them all.",) if hidden > 0 else (),
            ),
        ),
    )


def update_body(report: UpdateReport) -> dict[str, Any]:
    """The fields of ``breakeven/price-update/1``."""
    return {
        "source": report.source,
        "path": str(report.path),
        "models_before": report.models_before,
        "models_after": report.models_after,
        "changes": [
            {
                "label": change.label,
                "before": None if change.before is None else card_body(change.before),
                "after": None if change.after is None else card_body(change.after),
            }
            for change in report.changes
        ],
    }


def _change_cells(change: PriceChange) -> tuple[str, str, str]:
    return text_cell(change.label), _short(change.before), _short(change.after)


def _short(card: PriceCard | None) -> str:
    if card is None:
        return "none"
    prices = [f"{usd_cell(rates.input_usd_per_mtok)}/{usd_cell(rates.output_usd_per_mtok)}" for rates in card.tiers]
    return ", ".join(prices) or card.refusal
