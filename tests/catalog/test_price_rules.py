"""What a price card promises: exact lines, one rounding, cliffs, parts inside wholes, refusals instead of $0."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from breakeven.catalog.price_card import HourWindow, PriceCard, PriceRates
from breakeven.catalog.pricing import mean_lines, mean_usd_per_request, price, refusal
from breakeven.catalog.token_totals import TokenTotals
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced, UsageError

BASE = PriceRates(
    input_usd_per_mtok=Decimal("3"),
    cache_read_usd_per_mtok=Decimal("0.3"),
    cache_write_5m_usd_per_mtok=Decimal("3.75"),
    cache_write_1h_usd_per_mtok=Decimal("6"),
    output_usd_per_mtok=Decimal("15"),
)
LONG = replace(BASE, above_input_tokens=200_000, input_usd_per_mtok=Decimal("6"), output_usd_per_mtok=Decimal("22.5"))
CARD = PriceCard(
    provider="maker", model="model", processing="standard", tiers=(BASE,), checked_on=date(2026, 11, 9), source="test"
)
TIERED = replace(CARD, tiers=(BASE, LONG))


def with_rates(**rates: Decimal | None) -> PriceCard:
    return replace(CARD, tiers=(PriceRates(**rates),))  # type: ignore[arg-type]


@st.composite
def usages(draw: st.DrawFn, most: int = 1_000_000) -> Usage:
    parts = [draw(st.integers(0, most)) for _ in range(4)]
    reasoning, answer = draw(st.integers(0, most)), draw(st.integers(0, most))
    audio, cached_audio, spoken = (draw(st.just(0) | st.integers(0, most)) for _ in range(3))
    return Usage(
        input_tokens=sum(parts) + audio + cached_audio,
        input_audio_tokens=audio + cached_audio,
        cache_read_audio_tokens=cached_audio,
        output_audio_tokens=spoken,
        cache_read_tokens=parts[1] + cached_audio,
        cache_write_5m_tokens=parts[2],
        cache_write_1h_tokens=parts[3],
        output_tokens=reasoning + answer + spoken,
        reasoning_tokens=reasoning,
    )


rates_usd = st.decimals(min_value=0, max_value=1_000, places=17)
cards = st.lists(rates_usd, min_size=15, max_size=15).map(
    lambda usd: replace(
        CARD,
        tiers=(
            PriceRates(
                input_usd_per_mtok=usd[0],
                cache_read_usd_per_mtok=usd[1],
                cache_write_5m_usd_per_mtok=usd[2],
                cache_write_1h_usd_per_mtok=usd[3],
                output_usd_per_mtok=usd[4],
                reasoning_usd_per_mtok=usd[5],
                input_audio_usd_per_mtok=usd[10],
                cache_read_audio_usd_per_mtok=usd[11],
                output_audio_usd_per_mtok=usd[12],
            ),
            PriceRates(
                above_input_tokens=1_000,
                input_usd_per_mtok=usd[6],
                cache_read_usd_per_mtok=usd[7],
                output_usd_per_mtok=usd[8],
                input_audio_usd_per_mtok=usd[13],
                output_audio_usd_per_mtok=usd[14],
            ),
        ),
        usd_per_request=usd[9],
    )
)


def test_a_price_is_the_sum_of_its_lines() -> None:
    usage = Usage(
        input_tokens=1_000,
        cache_read_tokens=400,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=100,
        output_tokens=50,
    )
    priced = price(CARD, usage)
    assert [(line.kind, line.quantity, line.usd) for line in priced.lines] == [
        ("input", 300, Decimal("0.0009")),
        ("cache_read", 400, Decimal("0.00012")),
        ("cache_write_5m", 200, Decimal("0.00075")),
        ("cache_write_1h", 100, Decimal("0.0006")),
        ("output", 50, Decimal("0.00075")),
    ]
    assert priced.usd == Decimal("0.003120000")
    assert priced.nano_usd == 3_120_000


@settings(deadline=None)
@given(cards, usages())
def test_tokens_are_neither_lost_nor_priced_twice(card: PriceCard, usage: Usage) -> None:
    try:
        priced = price(card, usage)
    except Unpriced:
        return
    tokens = [line.quantity for line in priced.lines if line.kind != "request"]
    assert sum(tokens) == usage.input_tokens + usage.output_tokens
    exact = sum((Fraction(line.usd) for line in priced.lines), Fraction(0))
    assert abs(exact * 10**9 - priced.nano_usd) <= Fraction(1, 2)


@settings(deadline=None)
@given(cards, usages(most=120))
def test_more_tokens_in_one_tier_never_cost_less(card: PriceCard, usage: Usage) -> None:
    more = structs.replace(usage, input_tokens=usage.input_tokens + 100, output_tokens=usage.output_tokens + 100)
    assert price(card, more).nano_usd >= price(card, usage).nano_usd


@pytest.mark.parametrize(("usd_per_mtok", "nano_usd"), [("0.0005", 0), ("0.0015", 2), ("0.0025", 2), ("0.00050001", 1)])
def test_a_row_is_rounded_once_half_to_even(usd_per_mtok: str, nano_usd: int) -> None:
    assert price(with_rates(input_usd_per_mtok=Decimal(usd_per_mtok)), Usage(input_tokens=1)).nano_usd == nano_usd


def test_halves_of_two_lines_are_added_before_rounding() -> None:
    card = with_rates(input_usd_per_mtok=Decimal("0.0005"), output_usd_per_mtok=Decimal("0.0005"))
    assert price(card, Usage(input_tokens=1, output_tokens=1)).nano_usd == 1


def test_many_requests_cost_many_rounded_rows() -> None:
    card = with_rates(input_usd_per_mtok=Decimal("0.0004"))
    assert price(card, Usage(input_tokens=1), requests=1_000).nano_usd == 0
    assert price(CARD, Usage(input_tokens=1), requests=1_000).nano_usd == 3_000_000
    with pytest.raises(UsageError):
        price(CARD, Usage(input_tokens=1), requests=0)


def test_prices_of_seventeen_decimals_and_huge_counts_stay_exact() -> None:
    card = with_rates(input_usd_per_mtok=Decimal("0.04999999999999999"))
    assert price(card, Usage(input_tokens=10**20)).nano_usd == 4_999_999_999_999_999_000_000
    assert price(card, Usage(input_tokens=10**200)).nano_usd > 10**200


@pytest.mark.parametrize(("input_tokens", "usd"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_the_tier_prices_the_whole_request_above_its_threshold(input_tokens: int, usd: str) -> None:
    assert price(TIERED, Usage(input_tokens=input_tokens)).usd == Decimal(usd)


def test_a_part_without_a_price_is_charged_as_its_whole() -> None:
    card = with_rates(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(8))
    usage = Usage(
        input_tokens=60,
        cache_read_tokens=10,
        cache_write_5m_tokens=20,
        cache_write_1h_tokens=30,
        output_tokens=5,
        reasoning_tokens=5,
    )
    lines = price(card, usage).lines
    assert [(line.kind, line.priced_as) for line in lines] == [
        ("cache_read", "input"),
        ("cache_write_5m", "input"),
        ("cache_write_1h", "input"),
        ("reasoning", "output"),
    ]
    assert price(card, usage).nano_usd == price(card, Usage(input_tokens=60, output_tokens=5)).nano_usd


def test_a_whole_without_a_price_is_refused_rather_than_free() -> None:
    card = with_rates(input_usd_per_mtok=Decimal(2))
    assert price(card, Usage(input_tokens=1_000)).usd == Decimal("0.002")
    with pytest.raises(Unpriced, match="no published output price"):
        price(card, Usage(input_tokens=1_000, output_tokens=1))


AUDIO = replace(
    BASE,
    input_audio_usd_per_mtok=Decimal(40),
    cache_read_audio_usd_per_mtok=Decimal("2.5"),
    output_audio_usd_per_mtok=Decimal(80),
)


def test_audio_is_priced_apart_from_text_and_cached_audio_apart_from_both() -> None:
    usage = Usage(
        input_tokens=1_000,
        cache_read_tokens=400,
        input_audio_tokens=300,
        cache_read_audio_tokens=100,
        output_tokens=50,
        output_audio_tokens=30,
    )
    priced = price(replace(CARD, tiers=(AUDIO,)), usage)
    assert [(line.kind, line.quantity, line.usd) for line in priced.lines] == [
        ("input", 400, Decimal("0.0012")),
        ("cache_read", 300, Decimal("0.00009")),
        ("output", 20, Decimal("0.0003")),
        ("input_audio", 200, Decimal("0.008")),
        ("cache_read_audio", 100, Decimal("0.00025")),
        ("output_audio", 30, Decimal("0.0024")),
    ]
    assert priced.nano_usd == 12_240_000


def test_cached_audio_without_a_price_is_charged_as_audio_and_never_as_cached_text() -> None:
    card = replace(CARD, tiers=(replace(AUDIO, cache_read_audio_usd_per_mtok=None),))
    usage = Usage(input_tokens=10, cache_read_tokens=10, input_audio_tokens=10, cache_read_audio_tokens=10)
    (line,) = price(card, usage).lines
    assert (line.kind, line.priced_as, line.usd) == ("cache_read_audio", "input_audio", Decimal("0.0004"))


@pytest.mark.parametrize(
    ("usage", "kind"),
    [
        (Usage(input_tokens=10, input_audio_tokens=1), "input audio"),
        (
            Usage(input_tokens=10, input_audio_tokens=1, cache_read_tokens=1, cache_read_audio_tokens=1),
            "cache read audio",
        ),
        (Usage(output_tokens=10, output_audio_tokens=1), "output audio"),
    ],
)
def test_audio_is_never_sold_at_the_price_of_text(usage: Usage, kind: str) -> None:
    with pytest.raises(Unpriced, match=f"no published {kind} price") as caught:
        price(CARD, usage)
    assert "as text" in (caught.value.cause or "")


def test_an_hour_write_is_not_sold_at_the_price_of_five_minutes() -> None:
    card = with_rates(input_usd_per_mtok=Decimal(3), cache_write_5m_usd_per_mtok=Decimal("3.75"))
    with pytest.raises(Unpriced, match="cache write 1h"):
        price(card, Usage(input_tokens=10, cache_write_1h_tokens=10))


def test_a_card_that_tokens_cannot_price_says_why() -> None:
    card = replace(CARD, refusal="billed by the hour of audio, which a token count cannot price")
    with pytest.raises(Unpriced) as caught:
        price(card, Usage(input_tokens=1))
    assert caught.value.cause == card.refusal
    assert refusal(card, TokenTotals.of(np.array([1]), np.array([1]))) == card.refusal


def test_a_fee_a_request_is_a_line_even_without_tokens() -> None:
    priced = price(replace(CARD, usd_per_request=Decimal("0.012")), Usage())
    assert [(line.kind, line.quantity, line.usd) for line in priced.lines] == [("request", 1, Decimal("0.012"))]
    assert priced.usd == Decimal("0.012")


@settings(deadline=None)
@given(
    cards, st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000), st.floats(0, 1)), min_size=1, max_size=30)
)
def test_the_mean_over_columns_is_the_mean_over_rows(card: PriceCard, rows: list[tuple[int, int, float]]) -> None:
    usages = [
        Usage(input_tokens=tokens, output_tokens=answer, cache_read_tokens=int(tokens * share))
        for tokens, answer, share in rows
    ]
    totals = TokenTotals.of(
        np.array([usage.input_tokens for usage in usages], dtype=np.int64),
        np.array([usage.output_tokens for usage in usages], dtype=np.int64),
        np.array([usage.cache_read_tokens for usage in usages], dtype=np.int64),
    )
    exact = sum(Fraction(line.usd) for usage in usages for line in price(card, usage).lines)
    assert mean_usd_per_request(card, totals) == exact / len(usages)
    assert sum(line.usd_per_request for line in mean_lines(card, totals)) == exact / len(usages)


def test_columns_put_the_threshold_itself_into_the_lower_tier() -> None:
    ones = np.array([1, 1, 1], dtype=np.int64)
    totals = TokenTotals.of(np.array([200_001, 0, 200_000], dtype=np.int64), ones)
    lines = [(line.kind, line.above_input_tokens, line.quantity_per_request) for line in mean_lines(TIERED, totals)]
    assert lines == [
        ("input", 0, Fraction(200_000, 3)),
        ("output", 0, Fraction(2, 3)),
        ("input", 200_000, Fraction(200_001, 3)),
        ("output", 200_000, Fraction(1, 3)),
    ]


def test_columns_that_cannot_be_meant_are_refused() -> None:
    one, two = np.array([1], dtype=np.int64), np.array([2], dtype=np.int64)
    for columns in [(one[:0], one[:0], None), (one, one[:0], None), (-one, one, None), (one, one, two)]:
        with pytest.raises(UsageError):
            TokenTotals.of(*columns)


def test_refusal_names_what_is_missing_only_where_it_is_used() -> None:
    card = with_rates(input_usd_per_mtok=Decimal(2))
    one, none = np.array([1], dtype=np.int64), np.array([0], dtype=np.int64)
    assert refusal(card, TokenTotals.of(one, one)) == "no published output price"
    assert refusal(card, TokenTotals.of(one, none)) == ""


def test_hours_are_half_open_and_may_wrap_midnight() -> None:
    night = HourWindow(start=time(16, 30), end=time(0, 30))
    assert [
        night.contains(moment) for moment in (time(16, 29, 59), time(16, 30), time(0, 0), time(0, 29), time(0, 30))
    ] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_validity_is_by_the_utc_day_from_and_until() -> None:
    card = replace(CARD, valid_from=date(2026, 10, 14), valid_to=date(2027, 1, 1))
    tokyo = timezone(timedelta(hours=9))
    assert not card.valid_at(datetime(2026, 10, 13, 23, 59, 59, tzinfo=UTC))
    assert card.valid_at(datetime(2026, 10, 14, tzinfo=UTC))
    assert not card.valid_at(datetime(2026, 10, 14, 8, 59, tzinfo=tokyo))
    assert card.valid_at(datetime(2026, 12, 31, 23, 59, 59))
    assert not card.valid_at(datetime(2027, 1, 1))


def test_free_means_published_as_zero() -> None:
    zero = Decimal(0)
    assert with_rates(input_usd_per_mtok=zero, output_usd_per_mtok=zero).is_free
    assert not with_rates().is_free
    assert not CARD.is_free
    assert not replace(with_rates(input_usd_per_mtok=zero), usd_per_request=Decimal("0.01")).is_free


def test_labels_name_processing_and_hours() -> None:
    assert CARD.label == "maker/model"
    hours = (HourWindow(start=time(1), end=time(4)),)
    assert replace(CARD, processing="batch").label == "maker/model (batch)"
    assert replace(CARD, processing="batch", hours_utc=hours).name == "maker/model (batch)"
    assert replace(CARD, hours_utc=hours).label == "maker/model [01:00-04:00 UTC]"


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": -1},
        {"input_tokens": 1.5},
        {"input_tokens": True},
        {"input_tokens": 10, "cache_read_tokens": 11},
        {"input_tokens": 10, "cache_read_tokens": 5, "cache_write_5m_tokens": 5, "cache_write_1h_tokens": 1},
        {"output_tokens": 1, "reasoning_tokens": 2},
        {"input_audio_tokens": -1},
        {"output_tokens": 1, "output_audio_tokens": True},
        {"input_tokens": 9, "input_audio_tokens": 10},
        {"input_tokens": 10, "input_audio_tokens": 6, "cache_read_tokens": 5},
        {"input_tokens": 10, "input_audio_tokens": 6, "cache_write_5m_tokens": 5},
        {"input_tokens": 10, "input_audio_tokens": 3, "cache_read_tokens": 5, "cache_read_audio_tokens": 4},
        {"input_tokens": 10, "input_audio_tokens": 5, "cache_read_tokens": 3, "cache_read_audio_tokens": 4},
        {"output_tokens": 10, "reasoning_tokens": 6, "output_audio_tokens": 5},
    ],
)
def test_usage_that_contradicts_itself_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        Usage(**counts)
