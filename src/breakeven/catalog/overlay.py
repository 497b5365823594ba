"""The second price source: rows of LiteLLM's price file for the main models, each with its page and its date.

It serves three ends: it is held against the first source (``catalog check``), it supplies the processing tiers that
the first source lacks, and it unmasks ``-latest`` aliases whose price has moved on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

from breakeven.catalog import genai_source, matching
from breakeven.catalog.price_card import PROCESSINGS, PriceCard, PriceRates, Processing
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import AmbiguousName

Key = tuple[str, str, Processing]
"""Provider, model and processing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OverlayRow:
    """One tier of one price, as read."""

    card: PriceCard
    rates: PriceRates

    @property
    def key(self) -> Key:
        return self.card.provider, self.card.model, self.card.processing


@cache
def cards() -> Mapping[Key, PriceCard]:
    """The second source's cards by provider, model as that source names it, and processing.

    They are valid from the day they were read, because the source keeps no history.

    Raises:
        CatalogError: a row of ``data/price_overlay.csv`` is wrong.
    """
    rows = read_table("price_overlay.csv", _row)
    grouped = {key: list(group) for key, group in groupby(rows, key=lambda row: row.key)}
    return {key: replace(group[0].card, tiers=tuple(row.rates for row in group)) for key, group in grouped.items()}


def cards_of(provider: str, model: str) -> tuple[PriceCard, ...]:
    """The second source's cards of a model that the first one lists under this id, one for each processing."""
    return tuple(replace(card, model=model) for card in _by_listed_id().get((provider, model), ()))


@cache
def missing_cards() -> tuple[PriceCard, ...]:
    """Cards for processing tiers that only the second source prices."""
    return tuple(
        card
        for provider, model in _by_listed_id()
        for card in cards_of(provider, model)
        if card.processing not in {known.processing for known in genai_source.cards(provider, model)}
    )


def forget() -> None:
    """Drop what was matched against the first source, after its list changed."""
    missing_cards.cache_clear()
    _by_listed_id.cache_clear()


def with_other_source(card: PriceCard, asked: str) -> PriceCard:
    """The card with a note where the second source has another price for the name that was asked for.

    Raises:
        AmbiguousName: the name is a ``-latest`` alias, and the sources disagree about what it costs now.
    """
    name = asked.strip().rpartition("/")[2].lower()
    other = cards().get((card.provider, name, card.processing)) or cards().get(
        (card.provider, card.model, card.processing)
    )
    if other is None or other.source == card.source or agrees(card, other):
        return card
    said = f"{other.source} of {other.checked_on} has {price_text(other)}, {card.source} has {price_text(card)}"
    if name.endswith("-latest"):
        raise AmbiguousName(
            f"the price sources disagree about the alias {asked!r}",
            cause=f"{said}; an alias moves to newer models, and a price list may stay behind",
            hint=f"name a model instead of the alias: breakeven catalog show --provider {card.provider}",
        )
    return replace(card, note="; ".join(filter(None, (card.note, said))))


def agrees(card: PriceCard, other: PriceCard) -> bool:
    """Whether two cards have the same input and output prices in every tier."""
    return base_prices(card) == base_prices(other)


def base_prices(card: PriceCard) -> Sequence[tuple[object, object]]:
    """Input and output price of every tier, US dollars per million tokens."""
    return [(rates.input_usd_per_mtok, rates.output_usd_per_mtok) for rates in card.tiers]


def price_text(card: PriceCard) -> str:
    """Input and output price of a card as people write them, each tier apart.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> rates = PriceRates(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(6))
    >>> today = date(2026, 11, 24)
    >>> price_text(PriceCard(provider="a", model="b", processing="batch", tiers=(rates,), checked_on=today, source="s"))
    '$2/$6'
    """
    return ", ".join("/".join("-" if usd is None else f"${usd:f}" for usd in pair) for pair in base_prices(card))


@cache
def _by_listed_id() -> Mapping[tuple[str, str], tuple[PriceCard, ...]]:
    """The second source's cards by the first source's id; aliases that move are left out."""
    listed: dict[tuple[str, str], list[PriceCard]] = {}
    for card in cards().values():
        match = None if card.model.endswith("-latest") else matching.match_in(card.provider, card.model)
        if match is not None:
            listed.setdefault((card.provider, match.model), []).append(card)
    return {key: tuple(found) for key, found in listed.items()}


def _row(row: Row) -> _OverlayRow:
    card = PriceCard(
        provider=row.text("provider"),
        model=row.text("model"),
        processing=row.choice("processing", PROCESSINGS),
        tiers=(),
        checked_on=row.date("checked_on"),
        valid_from=row.date("checked_on"),
        context_window_tokens=row.count("context_window_tokens"),
        source=row.text("source"),
    )
    return _OverlayRow(
        card=card,
        rates=PriceRates(
            above_input_tokens=row.count("above_input_tokens"),
            input_usd_per_mtok=row.optional_price("input_usd_per_mtok"),
            cache_read_usd_per_mtok=row.optional_price("cache_read_usd_per_mtok"),
            cache_write_5m_usd_per_mtok=row.optional_price("cache_write_5m_usd_per_mtok"),
            cache_write_1h_usd_per_mtok=row.optional_price("cache_write_1h_usd_per_mtok"),
            output_usd_per_mtok=row.optional_price("output_usd_per_mtok"),
        ),
    )
