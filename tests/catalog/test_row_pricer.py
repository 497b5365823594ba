"""The pricer of every request says what `price` says, to the nano-dollar, or refuses as it does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.hosted import hosted_cards
from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.pricing import RowPricer, price
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced

DAY = date(2026, 11, 24)

rates_usd = st.none() | st.decimals(0, 2_000, places=17)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    read, short, long, plain = (draw(st.integers(0, 300_000)) for _ in range(4))
    reasoning, text = draw(st.integers(0, 50_000)), draw(st.integers(0, 50_000))
    audio, cached_audio, spoken = (draw(st.just(0) | st.integers(0, 50_000)) for _ in range(3))
    return Usage(
        input_tokens=plain + read + short + long + audio + cached_audio,
        output_tokens=text + reasoning + spoken,
        cache_read_tokens=read + cached_audio,
        input_audio_tokens=audio + cached_audio,
        cache_read_audio_tokens=cached_audio,
        output_audio_tokens=spoken,
        cache_write_5m_tokens=short,
        cache_write_1h_tokens=long,
        reasoning_tokens=reasoning,
    )


def priced(card: PriceCard, usage: Usage) -> int | str:
    try:
        return price(card, usage).nano_usd
    except Unpriced as error:
        return error.message


def quickly_priced(card: PriceCard, usage: Usage) -> int | str:
    try:
        return RowPricer(card).nano_usd(usage)
    except Unpriced as error:
        return error.message


@st.composite
def tiers(draw: st.DrawFn) -> tuple[PriceRates, ...]:
    above = [0, *sorted(draw(st.sets(st.integers(1, 500_000), max_size=2)))]
    return tuple(
        PriceRates(
            above_input_tokens=each,
            input_usd_per_mtok=draw(rates_usd),
            cache_read_usd_per_mtok=draw(rates_usd),
            cache_write_5m_usd_per_mtok=draw(rates_usd),
            cache_write_1h_usd_per_mtok=draw(rates_usd),
            output_usd_per_mtok=draw(rates_usd),
            reasoning_usd_per_mtok=draw(rates_usd),
            input_audio_usd_per_mtok=draw(rates_usd),
            cache_read_audio_usd_per_mtok=draw(rates_usd),
            output_audio_usd_per_mtok=draw(rates_usd),
        )
        for each in above
    )


@given(tiers=tiers(), fee=rates_usd, usage=usages())
def test_any_card_is_priced_alike(tiers: tuple[PriceRates, ...], fee: Decimal | None, usage: Usage) -> None:
    card = PriceCard(
        provider="p",
        model="m",
        processing="standard",
        tiers=tiers,
        usd_per_request=fee,
        checked_on=DAY,
        source="drawn",
    )
    assert quickly_priced(card, usage) == priced(card, usage)


@given(data=st.data(), usage=usages())
def test_every_published_card_is_priced_alike(data: st.DataObject, usage: Usage) -> None:
    card = data.draw(st.sampled_from(hosted_cards(DAY)))
    assert quickly_priced(card, usage) == priced(card, usage)


def test_half_a_nano_dollar_goes_to_the_even_one() -> None:
    rates = PriceRates(input_usd_per_mtok=Decimal("0.0005"))
    card = PriceCard(provider="p", model="m", processing="standard", tiers=(rates,), checked_on=DAY, source="s")
    assert [RowPricer(card).nano_usd(Usage(input_tokens=n)) for n in (1, 3, 5)] == [0, 2, 2]


def test_a_card_that_cannot_price_tokens_is_refused_at_once() -> None:
    rates = PriceRates(input_usd_per_mtok=Decimal(1))
    card = PriceCard(provider="p", model="m", processing="standard", tiers=(rates,), checked_on=DAY, source="s")
    with pytest.raises(Unpriced):
        RowPricer(replace(card, refusal="it is billed by the page"))
