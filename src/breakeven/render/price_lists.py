"""``breakeven catalog show``, ``check`` and ``update`` as text, JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.price_check import CheckReport, Disagreement, Quote, StaleRows
from breakeven.catalog.price_update import PriceChange, UpdateReport
from breakeven.errors import InputError
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, price_text

LIST_FORMATS = ("text", "json", "csv")
"""Formats of the three commands."""

SHOWN_CHANGES = 20
"""Changes that the text of an update names; JSON and CSV have all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardList:
    """Cards that a question found, valid on a day; ``total`` counts those beyond the ones shown, too."""

    at: date
    cards: Sequence[PriceCard]
    total: int


def render_cards(found: CardList, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """Price cards, one row a tier.

    Raises:
        InputError: an unknown format.
    """
    return _rendered(
        output_format,
        {
            "text": lambda: text.render(cards_document(found), style),
            "json": lambda: json.render("prices", cards_body(found)),
            "csv": lambda: csv.render(_CARD_HEADER, [_card_csv(card, rates) for card, rates in _tiers(found.cards)]),
        },
    )


def render_check(report: CheckReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """Where sources disagree and what is stale; CSV has the disagreements.

    Raises:
        InputError: an unknown format.
    """
    return _rendered(
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
    return _rendered(
        output_format,
        {
            "text": lambda: text.render(update_document(report), style),
            "json": lambda: json.render("price-update", update_body(report)),
            "csv": lambda: csv.render(("model", "before", "after"), map(_change_cells, report.changes)),
        },
    )


def _rendered(output_format: str, renderers: dict[str, Callable[[], str]]) -> str:
    if output_format not in renderers:
        raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(renderers)}")
    return renderers[output_format]()


def cards_document(found: CardList) -> Document:
    """The prices as a table, US dollars per million tokens."""
    shown, hidden = len(found.cards), found.total - len(found.cards)
    more = (f"{hidden:,} more: narrow the question, or --limit 0 for all.",) if hidden else ()
    columns = (left("model", wraps=True), right("input"), right("cached"), right("output"), left("for inputs"))
    rows = tuple(Row(cells=_card_cells(card, rates)) for card, rates in _tiers(found.cards))
    return Document(
        title=f"Hosted prices on {found.at}",
        headline=(f"{shown:,} of {found.total:,} prices, in US dollars per million tokens.",),
        sections=(
            Section(
                title="Prices",
                table=Table(caption="Prices by model and tier", columns=columns, rows=rows) if rows else None,
                notes=more,
            ),
        ),
    )


def _tiers(cards: Sequence[PriceCard]) -> list[tuple[PriceCard, PriceRates]]:
    return [(card, rates) for card in cards for rates in card.tiers or (PriceRates(),)]


def _card_cells(card: PriceCard, rates: PriceRates) -> tuple[str, ...]:
    condition = f"above {rates.above_input_tokens:,}" if rates.above_input_tokens else "all" * (len(card.tiers) < 2)
    remark = card.refusal or ("free tier" if card.is_free else condition or "up to the next tier")
    if card.retired_on is not None:
        remark += f", retired {card.retired_on}"
    prices = (rates.input_usd_per_mtok, rates.cache_read_usd_per_mtok, rates.output_usd_per_mtok)
    return card.label, *map(_usd_cell, prices), remark


def _usd_cell(usd: Decimal | None) -> str:
    return "-" if usd is None else price_text(usd)


_RATE_FIELDS = (
    "input_usd_per_mtok",
    "cache_read_usd_per_mtok",
    "cache_write_5m_usd_per_mtok",
    "cache_write_1h_usd_per_mtok",
    "output_usd_per_mtok",
    "reasoning_usd_per_mtok",
)
_CARD_HEADER = (
    "provider",
    "model",
    "processing",
    "hours_utc",
    "above_input_tokens",
    *_RATE_FIELDS,
    "usd_per_request",
    "context_window_tokens",
    "refusal",
    "source",
    "checked_on",
)


def _card_csv(card: PriceCard, rates: PriceRates) -> tuple[str, ...]:
    prices = [getattr(rates, field) for field in _RATE_FIELDS]
    return (
        text_cell(card.provider),
        text_cell(card.model),
        card.processing,
        " ".join(map(str, card.hours_utc)),
        str(rates.above_input_tokens),
        *("" if usd is None else decimal_text(usd) for usd in (*prices, card.usd_per_request)),
        "" if card.context_window_tokens is None else str(card.context_window_tokens),
        text_cell(card.refusal),
        text_cell(card.source),
        card.checked_on.isoformat(),
    )


def cards_body(found: CardList) -> dict[str, Any]:
    """The fields of ``breakeven/prices/1``."""
    return {"at": found.at.isoformat(), "total": found.total, "prices": [card_body(card) for card in found.cards]}


def card_body(card: PriceCard) -> dict[str, Any]:
    """One card: money as decimal text, null where nothing is published."""
    return {
        "label": card.label,
        "provider": card.provider,
        "model": card.model,
        "processing": card.processing,
        "hours_utc": [str(window) for window in card.hours_utc],
        "valid_from": card.valid_from.isoformat() if card.valid_from else None,
        "valid_to": card.valid_to.isoformat() if card.valid_to else None,
        "tiers": [
            {"above_input_tokens": rates.above_input_tokens}
            | {field: _text_or_none(getattr(rates, field)) for field in _RATE_FIELDS}
            for rates in card.tiers
        ],
        "usd_per_request": _text_or_none(card.usd_per_request),
        "context_window_tokens": card.context_window_tokens,
        "is_free": card.is_free,
        "refusal": card.refusal or None,
        "retired_on": card.retired_on.isoformat() if card.retired_on else None,
        "source": card.source,
        "checked_on": card.checked_on.isoformat(),
    }


def _text_or_none(usd: Decimal | None) -> str | None:
    return None if usd is None else decimal_text(usd)


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
                "ratio": _text_or_none(item.ratio),
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
    prices = [f"{_usd_cell(rates.input_usd_per_mtok)}/{_usd_cell(rates.output_usd_per_mtok)}" for rates in card.tiers]
    return ", ".join(prices) or card.refusal
