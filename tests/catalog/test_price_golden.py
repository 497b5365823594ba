"""Every card prices what the library prices, to the nano-dollar: over all of its models, variants, dates and hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
from genai_prices.types import ModelInfo, Provider

from breakeven import units
from breakeven.catalog import genai_source
from breakeven.catalog.price_card import PriceCard, Processing
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced

MOMENTS = [
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2025, 6, 10, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 8, 17, tzinfo=UTC),
    datetime(2026, 10, 14, 12, tzinfo=UTC),
    datetime(2026, 11, 24, 2, tzinfo=UTC),
    datetime(2026, 11, 24, 16, 30, tzinfo=UTC),
    datetime(2027, 3, 1, 7, tzinfo=UTC),
]

USAGES = [
    Usage(input_tokens=1),
    Usage(input_tokens=799, output_tokens=401),
    Usage(input_tokens=100_000, output_tokens=7, cache_read_tokens=99_999),
    Usage(input_tokens=199_999, output_tokens=1_000, cache_read_tokens=1_024, cache_write_5m_tokens=2_048),
    Usage(input_tokens=200_001, output_tokens=3_333, reasoning_tokens=3_000, cache_write_1h_tokens=17),
    Usage(input_tokens=272_001, output_tokens=1, cache_write_5m_tokens=5, cache_write_1h_tokens=7),
    Usage(input_tokens=150_001, input_audio_tokens=40_003),
    Usage(output_tokens=2_003, output_audio_tokens=1_501, reasoning_tokens=7),
    Usage(
        input_tokens=9_001,
        cache_read_tokens=4_001,
        input_audio_tokens=3_001,
        cache_read_audio_tokens=1_001,
        output_tokens=11,
    ),
]


def library_usage(usage: Usage) -> dict[str, int]:
    """The same tokens as the library names them; a five-minute write is a write without its own price."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "cache_audio_read_tokens": usage.cache_read_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
    }


def library_nano_usd(provider: Provider, model: ModelInfo, usage: Usage, at: datetime, processing: Processing) -> int:
    context = dict(genai_source.CONTEXTS[processing])
    asked: Any = genai_prices.Usage(**library_usage(usage))
    total: Decimal = model.calc_price(asked, provider, genai_request_timestamp=at, price_context=context).total_price
    return units.nano_usd(total)


def cases() -> Iterator[tuple[Provider, ModelInfo, Processing, PriceCard]]:
    for provider in genai_source.providers().values():
        for model in provider.models:
            for card in genai_source.cards(provider.id, model.id):
                yield provider, model, as_library_calls_it(card), card


def moments_of(card: PriceCard) -> list[datetime]:
    """The moments at which a card is valid; two of them where its price never changes."""
    valid = [at for at in MOMENTS if card.valid_at(at)]
    always = (card.valid_from, card.valid_to, card.hours_utc) == (None, None, ())
    return [valid[0], valid[-1]] if always else valid


def as_library_calls_it(card: PriceCard) -> Processing:
    """The library has a batch endpoint named ``id:batch`` as a model of its own, at its standard price."""
    return "standard" if card.model.endswith(f":{card.processing}") else card.processing


def test_every_model_has_a_card_at_every_moment() -> None:
    for provider in genai_source.providers().values():
        for model in provider.models:
            standard = [
                card for card in genai_source.cards(provider.id, model.id) if as_library_calls_it(card) == "standard"
            ]
            for at in MOMENTS:
                assert sum(card.valid_at(at) for card in standard) == 1, (provider.id, model.id, at)


def test_cards_price_what_the_library_prices() -> None:
    refused: dict[str, int] = {}
    priced = 0
    for provider, model, processing, card in cases():
        for at in moments_of(card):
            for usage in USAGES:
                try:
                    ours = price(card, usage).nano_usd
                except Unpriced as error:
                    reason = card.refusal or error.message.partition(" has ")[2]
                    refused[reason] = refused.get(reason, 0) + 1
                    continue
                assert ours == library_nano_usd(provider, model, usage, at, processing), (card.label, at, usage)
                priced += 1
    assert priced > 25_000
    assert set(refused) == {
        "no published price",
        "no published output price",
        "no published cache write 1h price",
        "no published input audio price",
        "no published output audio price",
        "billed by the character, which a token count cannot price",
        "billed by the hour of audio, which a token count cannot price",
        "billed by the hour of audio and the message, which a token count cannot price",
        "billed by the page, which a token count cannot price",
    }


def test_the_whole_request_moves_to_the_tier_above_the_threshold() -> None:
    at = datetime(2026, 11, 24, 2, tzinfo=UTC)
    seen: set[int] = set()
    for provider, model, processing, card in cases():
        if card.refusal or not card.valid_at(at):
            continue
        output_tokens = 1_000 if card.tiers[0].output_usd_per_mtok is not None else 0
        for threshold in (rates.above_input_tokens for rates in card.tiers[1:]):
            for input_tokens in (threshold, threshold + 1):
                usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
                assert price(card, usage).nano_usd == library_nano_usd(provider, model, usage, at, processing)
            seen.add(threshold)
    assert len(seen) >= 9
