"""``breakeven catalog show`` as text, JSON (``breakeven/prices/1``) or CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from breakeven.catalog.price_card import RATE_FIELDS, PriceCard, PriceRates
from breakeven.errors import InputError
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, price_text


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
    return rendered(
        output_format,
        {
            "text": lambda: text.render(cards_document(found), style),
            "json": lambda: json.render("prices", cards_body(found)),
            "csv": lambda: csv.render(_CARD_HEADER, [_card_csv(card, rates) for card, rates in _tiers(found.cards)]),
        },
    )


def rendered(output_format: str, renderers: dict[str, Callable[[], str]]) -> str:
    """What the renderer of this format gives.

    Raises:
        InputError: an unknown format.
    """
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
    return card.label, *map(usd_cell, prices), remark


def usd_cell(usd: Decimal | None) -> str:
    """A price for people, a dash where none is published."""
    return "-" if usd is None else price_text(usd)


_CARD_HEADER = (
    "provider",
    "model",
    "processing",
    "hours_utc",
    "above_input_tokens",
    *RATE_FIELDS,
    "usd_per_request",
    "context_window_tokens",
    "refusal",
    "source",
    "checked_on",
)


def _card_csv(card: PriceCard, rates: PriceRates) -> tuple[str, ...]:
    prices = [getattr(rates, field) for field in RATE_FIELDS]
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
            | {field: text_or_none(getattr(rates, field)) for field in RATE_FIELDS}
            for rates in card.tiers
        ],
        "usd_per_request": text_or_none(card.usd_per_request),
        "context_window_tokens": card.context_window_tokens,
        "is_free": card.is_free,
        "refusal": card.refusal or None,
        "retired_on": card.retired_on.isoformat() if card.retired_on else None,
        "source": card.source,
        "checked_on": card.checked_on.isoformat(),
    }


def text_or_none(usd: Decimal | None) -> str | None:
    """Exact decimal text for scripts, None where there is no number."""
    return None if usd is None else decimal_text(usd)
