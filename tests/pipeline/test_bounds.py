"""What a request can use at most is known before it is sent, and no answer costs more than was held for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced
from breakeven.pipeline.prices import Cards, TargetPrices
from breakeven.pipeline.settled import bound_usage
from breakeven.pipeline.target import Target
from breakeven.upstreams.codecs import ENDPOINTS
from breakeven.upstreams.wire import Question

RATES = PriceRates(
    input_usd_per_mtok=Decimal(3),
    cache_read_usd_per_mtok=Decimal("0.3"),
    output_usd_per_mtok=Decimal(15),
)
CARD = PriceCard(
    provider="maker",
    model="m",
    processing="standard",
    tiers=(RATES,),
    checked_on=date(2026, 11, 24),
    source="test",
    context_window_tokens=128_000,
)
WRITES = replace(CARD, tiers=(replace(RATES, cache_write_5m_usd_per_mtok=Decimal("3.75")),))
AT_NS = 1_795_000_000_000_000_000


class Nowhere:
    """An upstream that nothing is sent to."""

    def __init__(self, wire: str) -> None:
        self.name, self.wire = "nowhere", wire


def target(card: PriceCard = CARD, wire: str = "openai", **fields: object) -> Target:
    def lookup(_moment: datetime, _processing: str) -> Cards:
        return Cards(card, card)

    upstream = Nowhere(wire)
    return Target(name="t", upstream=upstream, model="m", provider="maker", prices=TargetPrices(lookup), **fields)  # type: ignore[arg-type]


def chat(text: object, **fields: object) -> Question:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
    return ENDPOINTS["chat"].question(json.encode(body))


@given(text=st.text(max_size=400), most=st.integers(1, 5_000), choices=st.integers(1, 4), data=st.data())
def test_no_usage_that_the_question_allows_costs_more_than_its_bound(
    text: str, most: int, choices: int, data: st.DataObject
) -> None:
    question = chat(text, max_tokens=most, n=choices)
    bound = price(CARD, bound_usage(question, target(), CARD)).nano_usd
    # A tokenizer makes at most one token of a byte; a template adds a few a message, which JSON's own letters outweigh.
    used_input = data.draw(st.integers(0, len(text.encode()) + 10))
    used = Usage(
        input_tokens=used_input,
        cache_read_tokens=data.draw(st.integers(0, used_input)),
        output_tokens=data.draw(st.integers(0, most * choices)),
    )
    assert price(CARD, used).nano_usd <= bound


def test_an_input_is_never_bounded_beyond_the_context_window() -> None:
    usage = bound_usage(chat("x" * 1_000_000, max_tokens=1), target(), CARD)
    assert usage.input_tokens == 128_000


def test_what_the_provider_adds_itself_is_bounded_by_the_context_window() -> None:
    question = ENDPOINTS["responses"].question(
        json.encode({"model": "m", "input": "go on", "previous_response_id": "resp_1", "max_output_tokens": 5})
    )
    assert bound_usage(question, target(), CARD).input_tokens == 128_000


def test_a_question_without_a_limit_is_bounded_by_the_deployments() -> None:
    assert bound_usage(chat("hi"), target(max_output_tokens=77), CARD).output_tokens == 77
    assert bound_usage(chat("hi", n=3), target(max_output_tokens=77), CARD).output_tokens == 231


def test_images_have_a_stated_bound_of_their_own() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [image]}]}
    question = ENDPOINTS["chat"].question(json.encode(body))
    assert bound_usage(question, target(tokens_per_attachment=9_000), CARD).input_tokens >= 9_000


AUDIO = replace(
    CARD,
    tiers=(
        replace(
            RATES,
            cache_write_5m_usd_per_mtok=Decimal("3.75"),
            input_audio_usd_per_mtok=Decimal(32),
            output_audio_usd_per_mtok=Decimal(64),
        ),
    ),
)
CHEAP_AUDIO = replace(
    CARD,
    tiers=(replace(RATES, input_audio_usd_per_mtok=Decimal(1), output_audio_usd_per_mtok=Decimal(2)),),
)
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA" * 20, "format": "wav"}}


@given(
    card=st.sampled_from([AUDIO, CHEAP_AUDIO]),
    hears=st.booleans(),
    speaks=st.booleans(),
    data=st.data(),
)
def test_no_audio_that_the_question_allows_costs_more_than_its_bound(
    card: PriceCard, hears: bool, speaks: bool, data: st.DataObject
) -> None:
    asked = {"modalities": ["text", "audio"]} if speaks else {}
    content = [{"type": "text", "text": "hi"}, *([SOUND] if hears else [])]
    question = chat(content, max_tokens=50, **asked)
    bound = price(card, bound_usage(question, target(card), card)).nano_usd
    counted = data.draw(st.integers(0, question.body_bytes))
    cached = data.draw(st.integers(0, counted))
    audio = data.draw(st.integers(0, counted - cached)) if hears else 0
    written = data.draw(st.integers(0, 50))
    used = Usage(
        input_tokens=counted,
        cache_read_tokens=cached,
        input_audio_tokens=audio,
        output_tokens=written,
        output_audio_tokens=data.draw(st.integers(0, written)) if speaks else 0,
    )
    assert price(card, used).nano_usd <= bound


def test_audio_that_the_provider_keeps_is_bounded_by_the_context_window() -> None:
    question = ENDPOINTS["chat"].question(
        json.encode(
            {
                "model": "m",
                "modalities": ["text", "audio"],
                "messages": [{"role": "assistant", "audio": {"id": "a"}}, {"role": "user", "content": "go on"}],
            }
        )
    )
    usage = bound_usage(question, target(AUDIO), AUDIO)
    assert (usage.input_tokens, usage.input_audio_tokens) == (128_000, 128_000)


@pytest.mark.parametrize("question", [chat([SOUND]), chat("hi", modalities=["audio"])])
def test_audio_has_no_bound_where_it_has_no_price(question: Question) -> None:
    with pytest.raises(Unpriced, match="audio price"):
        bound_usage(question, target(), CARD)


def test_a_negotiated_price_of_audio_is_paid_where_the_list_has_none() -> None:
    prices = TargetPrices(lambda _moment, _processing: Cards(CARD, AUDIO))
    cost = prices.cost(Usage(input_tokens=10, input_audio_tokens=10), AT_NS)
    assert (cost.list_nano_usd, cost.effective_nano_usd) == (320_000, 320_000)
    assert prices.cost(Usage(output_tokens=1), AT_NS).list_nano_usd == 15_000


def test_cache_writes_are_bounded_where_they_are_dearer() -> None:
    automatic = bound_usage(chat("hi", max_tokens=1), target(WRITES), WRITES)
    assert automatic.cache_write_5m_tokens == automatic.input_tokens
    plain = ENDPOINTS["messages"].question(
        json.encode({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]})
    )
    assert bound_usage(plain, target(WRITES, "anthropic"), WRITES).cache_write_5m_tokens == 0
    asked = ENDPOINTS["messages"].question(
        json.encode(
            {
                "model": "m",
                "max_tokens": 1,
                "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                "messages": [{"role": "user", "content": "hi"}],
            }
        )
    )
    usage = bound_usage(asked, target(WRITES, "anthropic"), WRITES)
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (0, usage.input_tokens)


def test_prices_follow_the_day_and_a_negotiated_price_is_told_apart() -> None:
    seen: list[datetime] = []

    def lookup(moment: datetime, _processing: str) -> Cards:
        seen.append(moment)
        return Cards(
            CARD, WRITES if moment.minute else replace(CARD, tiers=(replace(RATES, input_usd_per_mtok=Decimal(1)),))
        )

    prices = TargetPrices(lookup)
    hour_ns = AT_NS - AT_NS % (3_600 * 10**9)
    usage = Usage(input_tokens=1_000)
    first = prices.cost(usage, hour_ns)
    assert (first.list_nano_usd, first.effective_nano_usd) == (3_000_000, 1_000_000)
    assert prices.cost(usage, hour_ns + 59 * 10**9).effective_nano_usd == 1_000_000
    assert len(seen) == 1  # looked up once a minute
    assert prices.cost(usage, hour_ns + 60 * 10**9).effective_nano_usd == 3_000_000


def test_a_deployment_that_counts_more_than_was_sent_is_held_for_more_from_then_on() -> None:
    question, deployment = chat("hi", max_tokens=1), target()
    before = bound_usage(question, deployment, CARD).input_tokens
    deployment.note_input_tokens(question, before + 1_000)
    assert bound_usage(question, deployment, CARD).input_tokens == before + 1_000
    deployment.note_input_tokens(question, 10)
    assert bound_usage(question, deployment, CARD).input_tokens == before + 1_000


@pytest.mark.parametrize(
    ("mark", "written_at"), [("{}", "cache_write_5m_tokens"), ('{"ttl":"1h"}', "cache_write_1h_tokens")]
)
def test_a_hold_covers_the_marks_that_are_sent_and_not_only_the_clients(mark: str, written_at: str) -> None:
    plain = chat("hi", max_tokens=1)
    marked = plain.body[:-1] + f',"cache_control":{mark}}}'.encode()
    usage = bound_usage(plain, target(WRITES, "anthropic"), WRITES, marked)
    assert getattr(usage, written_at) == usage.input_tokens
    assert bound_usage(plain, target(WRITES, "anthropic"), WRITES, plain.body).cache_write_5m_tokens == 0
