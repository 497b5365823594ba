"""Price cards compiled from the genai-prices library: its data, its history, its request variants.

The library's own resolution (which dated price, which variant, which price the variant inherits) is asked once
for each stretch of time in which it cannot change; the answers become flat cards. So a card holds what the
library would charge at any moment of its window, and pricing with it needs the library no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from breakeven.catalog import price_store
from breakeven.catalog.price_card import PROCESSINGS, HourWindow, PriceCard, PriceRates, Processing

PUBLISHED_ON: Mapping[str, date] = {"0.2.3": date(2026, 11, 9)}
"""Day on which a release's prices stood as quoted: the newest price already in force in its data."""

CONTEXTS: Mapping[Processing, Mapping[str, str]] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
"""The library's request context for each processing."""

_TOKEN_KEYS = {
    "input_usd_per_mtok": ("input_mtok",),
    "cache_read_usd_per_mtok": ("cache_read_mtok",),
    "cache_write_5m_usd_per_mtok": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h_usd_per_mtok": ("cache_write_1h_mtok",),
    "output_usd_per_mtok": ("output_mtok",),
    "reasoning_usd_per_mtok": ("output_reasoning_mtok",),
    "input_audio_usd_per_mtok": ("input_audio_mtok",),
    "cache_read_audio_usd_per_mtok": ("cache_audio_read_mtok",),
    "output_audio_usd_per_mtok": ("output_audio_mtok",),
}
_OTHER_UNITS = {
    "audio_hours": "hour of audio",
    "input_audio_hours": "hour of audio",
    "output_audio_hours": "hour of audio",
    "input_mchars": "character",
    "input_text_messages_kcount": "message",
    "input_gpixels": "pixel",
    "input_document_kpages": "page",
    "input_annotated_document_kpages": "page",
    "rerank_searches_kcount": "search",
}
_ZERO = Decimal(0)
_FREE = PriceRates(
    input_usd_per_mtok=_ZERO, output_usd_per_mtok=_ZERO, input_audio_usd_per_mtok=_ZERO, output_audio_usd_per_mtok=_ZERO
)
_MIDNIGHT = time(0)

Prices = Mapping[str, Decimal | TieredPrices]


@cache
def snapshot() -> DataSnapshot:
    """The library's data: as an update stored it, unless the installed release is newer.

    Raises:
        CatalogError: the stored price list cannot be read.
    """
    stored = price_store.read()
    return stored if stored is not None and stored.timestamp.date() >= _released_on() else get_snapshot()


@cache
def providers() -> Mapping[str, Provider]:
    """The library's providers by id, in its order."""
    return {provider.id: provider for provider in snapshot().providers}


@cache
def models(provider: str) -> Mapping[str, ModelInfo]:
    """A provider's models by lower-case id, in the library's order."""
    return {model.id.lower(): model for model in providers()[provider].models}


@cache
def cards(provider: str, model_id: str) -> tuple[PriceCard, ...]:
    """Every card of one model, past and future; ``model_id`` as in ``models`` (any case)."""
    return tuple(_model_cards(provider, models(provider)[model_id.lower()]))


@cache
def all_cards() -> tuple[PriceCard, ...]:
    """Every card of every model of every provider, past and future."""
    return tuple(
        card for provider in providers() for model_id in models(provider) for card in cards(provider, model_id)
    )


def forget() -> None:
    """Drop what was compiled, after the library's data changed."""
    for cached in (snapshot, providers, models, cards, all_cards, checked_on, source):
        cached.cache_clear()


@cache
def checked_on() -> date:
    """Day on which the prices stood as quoted."""
    data = snapshot()
    if data.from_auto_update:
        return data.timestamp.date()
    return _released_on()


@cache
def source() -> str:
    """Name and version of the price source, as printed beside a price."""
    updated = " (updated)" if snapshot().from_auto_update else ""
    return f"genai-prices {version('genai-prices')}{updated}"


def _released_on() -> date:
    return PUBLISHED_ON.get(version("genai-prices"), max(PUBLISHED_ON.values()))


def _model_cards(provider: str, model: ModelInfo) -> Iterator[PriceCard]:
    for processing in PROCESSINGS:
        variants = [variant for variant in model.price_variants or () if variant.when == CONTEXTS[processing]]
        if processing != "standard" and not variants:
            continue
        blank = PriceCard(
            provider=provider,
            model=model.id,
            processing=_processing_of(model.id, processing),
            tiers=(),
            checked_on=checked_on(),
            source=source(),
            context_window_tokens=model.context_window,
        )
        yield from _dated_cards(blank, model, processing, variants)


def _processing_of(model_id: str, processing: Processing) -> Processing:
    """A model id that ends in ``:batch`` is the batch endpoint of its model, whatever else the library calls it."""
    return "batch" if model_id.endswith(":batch") else processing


def _dated_cards(
    blank: PriceCard, model: ModelInfo, processing: Processing, variants: list[PriceVariant]
) -> Iterator[PriceCard]:
    """One card for each stretch of dates and hours in which nothing changes; equal neighbours become one."""
    dates, hours = _boundaries(model, variants)
    pending: list[PriceCard] = []
    for start, end in zip([None, *dates], [*dates, None], strict=True):
        day = start or (end - timedelta(days=1) if end else date(2000, 1, 1))
        current = [
            replace(card, valid_from=start, valid_to=end) if dates else card
            for card in _cards_of_day(blank, model, processing, variants, (day, hours))
        ]
        if pending and list(map(_prices, pending)) == list(map(_prices, current)):
            pending = [replace(card, valid_to=end) for card in pending]
            continue
        yield from pending
        pending = current
    yield from pending


def _prices(card: PriceCard) -> tuple[object, ...]:
    return card.tiers, card.usd_per_request, card.hours_utc, card.refusal


def _offered(variants: list[PriceVariant], moment: datetime) -> bool:
    """Whether a processing is on sale; without this, the library's answer would be the standard price."""
    return not variants or any(v.constraint is None or v.constraint.active(moment) for v in variants)


def _boundaries(model: ModelInfo, variants: list[PriceVariant]) -> tuple[list[date], list[time]]:
    """The dates and the UTC times of day at which the model's price may change."""
    entries = [] if isinstance(model.prices, ModelPrice) else model.prices
    constraints = [*(entry.constraint for entry in entries), *(variant.constraint for variant in variants)]
    dates = {item.start_date for item in constraints if isinstance(item, StartDateConstraint)}
    hours = {
        _utc(bound)
        for item in constraints
        if isinstance(item, TimeOfDateConstraint)
        for bound in (item.start_time, item.end_time)
    }
    return sorted(dates), sorted(hours)


def _utc(moment: time) -> time:
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).time()


def _cards_of_day(
    blank: PriceCard,
    model: ModelInfo,
    processing: Processing,
    variants: list[PriceVariant],
    day_and_hours: tuple[date, list[time]],
) -> list[PriceCard]:
    """The cards of one UTC day: none, one, or one for each price that the hours of the day have."""
    day, hours = day_and_hours
    windows: dict[PriceCard, list[HourWindow]] = {}
    for start, end in zip(hours or [_MIDNIGHT], [*hours[1:], *hours[:1]] or [_MIDNIGHT], strict=True):
        moment = datetime.combine(day, start, UTC)
        if _offered(variants, moment):
            prices = model.get_prices(moment, CONTEXTS[processing] or None)
            card = _priced(blank, {key: price for key, price in vars(prices).items() if price is not None})
            windows.setdefault(card, []).append(HourWindow(start=start, end=end))
    if [len(found) for found in windows.values()] == [len(hours) or 1]:
        return list(windows)
    return [replace(card, hours_utc=tuple(hours_utc)) for card, hours_utc in windows.items()]


def _priced(blank: PriceCard, prices: Prices) -> PriceCard:
    per_thousand = prices.get("requests_kcount")
    return replace(
        blank,
        tiers=_tiers(prices, free=blank.model.endswith(":free") and not prices),
        usd_per_request=per_thousand.scaleb(-3) if isinstance(per_thousand, Decimal) else None,
        refusal=_refusal(blank.model, prices),
    )


def _refusal(model_id: str, prices: Prices) -> str:
    """Why tokens cannot price the model; empty where they can."""
    other_units = sorted({unit for key, unit in _OTHER_UNITS.items() if key in prices})
    if other_units:
        return f"billed by the {' and the '.join(other_units)}, which a token count cannot price"
    if not prices and not model_id.endswith(":free"):
        return "no published price"
    return ""


def _tiers(prices: Prices, *, free: bool) -> tuple[PriceRates, ...]:
    """The library tiers each price on its own; here they share the union of their thresholds."""
    if free:
        return (_FREE,)
    tiered = [price for price in prices.values() if isinstance(price, TieredPrices)]
    thresholds = sorted({0} | {tier.start for price in tiered for tier in price.tiers})
    return tuple(PriceRates(above_input_tokens=above, **_rates(prices, above)) for above in thresholds)


def _rates(prices: Prices, above_input_tokens: int) -> dict[str, Decimal]:
    rates = {}
    for name, keys in _TOKEN_KEYS.items():
        key = next((key for key in keys if key in prices), None)
        if key is not None:
            rates[name] = _rate(prices[key], above_input_tokens)
    return rates


def _rate(price: Decimal | TieredPrices, above_input_tokens: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= above_input_tokens]
    return reached[-1] if reached else price.base
