"""From each provider's usage JSON to nano-dollars. Every expected amount is worked out by hand from the price list.

A price of $1.25 per million tokens is 1,250 nano-dollars a token; the comment of a case names the published prices
(of 24 November 2026) that its arithmetic uses, in dollars per million: input / cached / output.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import genai_prices
import pytest

from breakeven.catalog.hosted import find_card
from breakeven.catalog.negotiated import read_price_config
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import UnknownName, Unpriced
from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.wire import Answer

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Case(NamedTuple):
    """A usage as the provider sends it, its price card, and the cost in nano-dollars."""

    name: str
    operation: Operation
    usage: dict[str, Any]
    card: tuple[str, str]
    nano_usd: int
    service_tier: str | None = None


CASES = [
    # 2.50 / 1.25 / 10
    Case(
        "OpenAI chat: cached tokens are part of the prompt, reasoning of the completion",
        "chat",
        {
            "prompt_tokens": 2_006,
            "completion_tokens": 300,
            "total_tokens": 2_306,
            "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 192,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        ("openai", "gpt-4o"),
        86 * 2_500 + 1_920 * 1_250 + 300 * 10_000,
    ),
    # priority: 4.25 / 2.125 / 17
    Case(
        "OpenAI chat, priority tier",
        "chat",
        {"prompt_tokens": 1_000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 400}},
        ("openai", "gpt-4o"),
        600 * 4_250 + 400 * 2_125 + 10 * 17_000,
        "priority",
    ),
    # 4 / 0.40 / 20, cache write 5
    Case(
        "OpenAI chat with cache writes",
        "chat",
        {
            "prompt_tokens": 10_000,
            "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 4_000, "cache_write_tokens": 5_000},
        },
        ("openai", "gpt-5.6-sol"),
        1_000 * 4_000 + 4_000 * 400 + 5_000 * 5_000 + 100 * 20_000,
        "default",
    ),
    # above 272,000: flex 4 / 0.40 / 15
    Case(
        "OpenAI responses, flex tier, above 272,000 input tokens",
        "responses",
        {
            "input_tokens": 272_001,
            "input_tokens_details": {"cached_tokens": 200_000, "cache_write_tokens": 0},
            "output_tokens": 1_000,
            "output_tokens_details": {"reasoning_tokens": 900},
            "total_tokens": 273_001,
        },
        ("openai", "gpt-5.6-sol"),
        72_001 * 4_000 + 200_000 * 400 + 1_000 * 15_000,
        "flex",
    ),
    # batch 2 / 0.20 / 10
    Case(
        "OpenAI responses, batch",
        "responses",
        {"input_tokens": 500, "output_tokens": 100, "total_tokens": 600},
        ("openai", "gpt-5.6-sol"),
        500 * 2_000 + 100 * 10_000,
        "batch",
    ),
    # 0.02
    Case(
        "OpenAI embeddings",
        "embeddings",
        {"prompt_tokens": 8_191, "total_tokens": 8_191},
        ("openai", "text-embedding-3-small"),
        8_191 * 20,
    ),
    # 2.50 / 1.25 / 10
    Case(
        "OpenAI legacy completion",
        "completions",
        {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
        ("openai", "gpt-4o"),
        5 * 2_500 + 7 * 10_000,
    ),
    # 3 / 0.30 / 15, writes 3.75 and 6
    Case(
        "Anthropic: reads and writes stand beside the input, writes for 5 minutes and an hour",
        "messages",
        {
            "input_tokens": 21,
            "cache_creation_input_tokens": 1_500,
            "cache_read_input_tokens": 10_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 500},
            "output_tokens": 393,
            "service_tier": "standard",
        },
        ("anthropic", "claude-sonnet-4-5"),
        21 * 3_000 + 10_000 * 300 + 1_000 * 3_750 + 500 * 6_000 + 393 * 15_000,
    ),
    # above 200,000: 6 / 0.60 / 22.50, writes 7.50; the tier counts 1 + 190,000 + 10,000 = 200,001 tokens
    Case(
        "Anthropic above 200,000, which cached tokens count towards",
        "messages",
        {
            "input_tokens": 1,
            "cache_creation_input_tokens": 10_000,
            "cache_read_input_tokens": 190_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 10_000, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 10,
        },
        ("anthropic", "claude-sonnet-4-5"),
        1 * 6_000 + 190_000 * 600 + 10_000 * 7_500 + 10 * 22_500,
    ),
    # batch: 1.50 / 0.15 / 7.50, write 1.875
    Case(
        "Anthropic batch, writes without a breakdown are for 5 minutes",
        "messages",
        {
            "input_tokens": 100,
            "cache_creation_input_tokens": 200,
            "cache_read_input_tokens": 400,
            "output_tokens": 50,
            "service_tier": "batch",
        },
        ("anthropic", "claude-sonnet-4-5"),
        100 * 1_500 + 200 * 1_875 + 400 * 150 + 50 * 7_500,
    ),
    # 0.27 / 0.07 / 1.10, by day
    Case(
        "DeepSeek: hits and misses of its cache",
        "chat",
        {
            "prompt_tokens": 1_000,
            "completion_tokens": 200,
            "total_tokens": 1_200,
            "prompt_cache_hit_tokens": 640,
            "prompt_cache_miss_tokens": 360,
        },
        ("deepseek", "deepseek-chat"),
        360 * 270 + 640 * 70 + 200 * 1_100,
    ),
    # 1.25 / 0.125 / 10
    Case(
        "Gemini's OpenAI endpoint: thoughts are only in the total",
        "chat",
        {"prompt_tokens": 15, "completion_tokens": 20, "total_tokens": 735},
        ("google", "gemini-2.5-pro"),
        15 * 1_250 + (735 - 15) * 10_000,
    ),
    # above 200,000: 2.50 / 0.25 / 15
    Case(
        "Gemini above 200,000",
        "chat",
        {"prompt_tokens": 200_001, "completion_tokens": 1, "total_tokens": 200_002},
        ("google", "gemini-2.5-pro"),
        200_001 * 2_500 + 1 * 15_000,
    ),
    # 0.50 / 0.05 / 1.50
    Case(
        "Mistral",
        "chat",
        {
            "prompt_tokens": 100,
            "total_tokens": 170,
            "completion_tokens": 70,
            "prompt_tokens_details": {"cached_tokens": 64},
        },
        ("mistral", "mistral-large-2512"),
        36 * 500 + 64 * 50 + 70 * 1_500,
    ),
    # 0.59 / - / 0.79
    Case(
        "Groq, with its times",
        "chat",
        {
            "queue_time": 0.03,
            "prompt_tokens": 38,
            "prompt_time": 0.002,
            "completion_tokens": 12,
            "completion_time": 0.01,
            "total_tokens": 50,
            "total_time": 0.012,
        },
        ("groq", "llama-3.3-70b-versatile"),
        38 * 590 + 12 * 790,
        "on_demand",
    ),
    # 3 / 0.75 / 15; 32 + 9 + 310 = 351
    Case(
        "xAI: reasoning is outside the completion",
        "chat",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 351,
            "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 310, "audio_tokens": 0},
            "num_sources_used": 0,
        },
        ("x-ai", "grok-4-0709"),
        26 * 3_000 + 6 * 750 + (9 + 310) * 15_000,
    ),
    # 0.60 / 0.15 / 2.50
    Case(
        "Moonshot: cached tokens beside the counts",
        "chat",
        {"prompt_tokens": 19, "completion_tokens": 21, "total_tokens": 40, "cached_tokens": 10},
        ("moonshotai", "kimi-k2-0905-preview"),
        9 * 600 + 10 * 150 + 21 * 2_500,
    ),
    # 2 / - / 8, reasoning 3; citations are output: 33 + 7 + 1,000
    Case(
        "Perplexity: reasoning and citations are outside the completion",
        "chat",
        {
            "prompt_tokens": 33,
            "completion_tokens": 7,
            "total_tokens": 40,
            "citation_tokens": 1_000,
            "reasoning_tokens": 5_000,
            "num_search_queries": 30,
        },
        ("perplexity", "sonar-deep-research"),
        33 * 2_000 + (7 + 1_000) * 8_000 + 5_000 * 3_000,
    ),
    # 2.50 / 1.25 / 10; its own cost is not ours
    Case(
        "OpenRouter: our price, not its cost",
        "chat",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.95,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
            "cost_details": {"upstream_inference_cost": None},
        },
        ("openrouter", "openai/gpt-4o"),
        94 * 2_500 + 100 * 1_250 + 2 * 10_000,
    ),
    # 2.50 / 1.25 / 10
    Case(
        "vLLM and Ollama: the details are null",
        "chat",
        {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "prompt_tokens_details": None},
        ("openai", "gpt-4o"),
        12 * 2_500 + 3 * 10_000,
    ),
    # 2.50 / - / 10; audio 32 / - / 64
    Case(
        "OpenAI chat, heard and spoken: audio is part of the prompt and of the completion",
        "chat",
        {
            "prompt_tokens": 1_100,
            "completion_tokens": 350,
            "total_tokens": 1_450,
            "prompt_tokens_details": {"cached_tokens": 0, "text_tokens": 100, "image_tokens": 0, "audio_tokens": 1_000},
            "completion_tokens_details": {"reasoning_tokens": 0, "text_tokens": 50, "audio_tokens": 300},
        },
        ("openai", "gpt-audio"),
        100 * 2_500 + 1_000 * 32_000 + 50 * 10_000 + 300 * 64_000,
    ),
    # 0.30 / 0.03 / 2.50; audio 1 / 0.10; 3,000 cached and 4,000 of audio in 5,000: 2,000 are both
    Case(
        "Gemini with audio, part of it cached",
        "chat",
        {
            "prompt_tokens": 5_000,
            "completion_tokens": 100,
            "total_tokens": 5_150,
            "prompt_tokens_details": {"cached_tokens": 3_000, "audio_tokens": 4_000},
        },
        ("google", "gemini-2.5-flash"),
        1_000 * 30 + 2_000 * 100 + 2_000 * 1_000 + (100 + 50) * 2_500,
    ),
    # 0.30 / 0.03 / 2.50; audio 1; cached and heard tokens have room beside each other
    Case(
        "Gemini with audio, nothing of it known to be cached",
        "chat",
        {
            "prompt_tokens": 5_000,
            "completion_tokens": 100,
            "total_tokens": 5_100,
            "prompt_tokens_details": {"cached_tokens": 1_000, "audio_tokens": 3_000},
        },
        ("google", "gemini-2.5-flash"),
        1_000 * 300 + 1_000 * 30 + 3_000 * 1_000 + 100 * 2_500,
    ),
]

HEARD = {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA"}}]}]}
SPOKEN = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}


def answer(
    operation: Operation, usage: object, *, prompt: str = "hi", asked: dict[str, Any] | None = None, **beside: object
) -> Answer:
    fields: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": prompt}], "input": "hi"}
    fields |= asked or {}
    codec = codec_of(operation, "anthropic" if operation == "messages" else "openai")
    assert codec is not None
    body = json.dumps({"id": "x", "choices": [{"message": {"content": '"usage":{'}}], "usage": usage, **beside})
    given = codec.answer(ENDPOINTS[operation].question(json.dumps(fields).encode()), body.encode())
    assert given.body == body.encode()
    return given


def cost_nano_usd(case: Case, given: Answer) -> int:
    provider, model = case.card
    card = find_card(model, provider=provider, processing=given.processing or "standard", at=AT)
    assert given.usage is not None
    return price(card, given.usage).nano_usd


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    assert cost_nano_usd(case, answer(case.operation, case.usage, service_tier=case.service_tier)) == case.nano_usd


@pytest.mark.parametrize("case", [case for case in CASES if case.name[:6] != "Gemini"], ids=lambda case: case.name)
def test_tokens_are_those_that_another_library_reads(case: Case) -> None:
    """genai-prices has extractors of its own; it knows nothing of thoughts that only Gemini's total counts."""
    provider, _ = case.card
    flavors = {"messages": "default", "completions": "chat"}
    flavor = flavors.get(case.operation, case.operation)
    if provider in {"mistral", "groq", "perplexity"}:
        flavor = "default"
    theirs = genai_prices.extract_usage(
        {"model": case.card[1], "usage": case.usage}, provider_id=provider, api_flavor=flavor
    ).usage
    ours = answer(case.operation, case.usage).usage
    assert ours is not None
    written = ours.cache_write_5m_tokens + ours.cache_write_1h_tokens
    assert (theirs.input_tokens, theirs.output_tokens or 0) == (ours.input_tokens, ours.output_tokens)
    assert (theirs.cache_write_tokens or 0) == written
    assert (theirs.input_audio_tokens or 0) == ours.input_audio_tokens
    assert (theirs.output_audio_tokens or 0) == ours.output_audio_tokens
    if not {"cached_tokens", "prompt_cache_hit_tokens"} & set(case.usage):  # fields that it does not read
        assert (theirs.cache_read_tokens or 0) == ours.cache_read_tokens


def test_llama_cpp_states_usage_beside_its_timings_or_only_those() -> None:
    timings = {"cache_n": 200, "prompt_n": 36, "prompt_ms": 30.5, "predicted_n": 35, "predicted_ms": 661.1}
    stated = {"prompt_tokens": 236, "completion_tokens": 35, "total_tokens": 271}
    assert answer("chat", stated, timings=timings).usage == Usage(input_tokens=236, output_tokens=35)
    only = answer("chat", None, timings=timings).usage
    assert only == Usage(input_tokens=236, cache_read_tokens=200, output_tokens=35)


COUNTS = {"prompt_tokens": 100, "completion_tokens": 40}


@pytest.mark.parametrize(
    ("asked", "details", "usage"),
    [
        ({}, {}, Usage(input_tokens=100, output_tokens=40)),
        (HEARD, {}, Usage(input_tokens=100, input_audio_tokens=100, output_tokens=40)),
        (
            HEARD,
            {"prompt_tokens_details": {"audio_tokens": 0}},
            Usage(input_tokens=100, input_audio_tokens=100, output_tokens=40),
        ),
        (
            HEARD,
            {"prompt_tokens_details": {"audio_tokens": 9}},
            Usage(input_tokens=100, input_audio_tokens=9, output_tokens=40),
        ),
        (
            HEARD,
            {"prompt_tokens_details": {"cached_tokens": 30}},
            Usage(
                input_tokens=100,
                cache_read_tokens=30,
                input_audio_tokens=100,
                cache_read_audio_tokens=30,
                output_tokens=40,
            ),
        ),
        (SPOKEN, {}, Usage(input_tokens=100, output_tokens=40, output_audio_tokens=40)),
        (SPOKEN, {"completion_tokens_details": {"audio_tokens": 0}}, Usage(input_tokens=100, output_tokens=40)),
        (
            SPOKEN,
            {"completion_tokens_details": {"reasoning_tokens": 15}},
            Usage(input_tokens=100, output_tokens=40, reasoning_tokens=15, output_audio_tokens=25),
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_audio_that_the_upstream_does_not_count_is_all_that_it_may_be(
    asked: dict[str, Any], details: dict[str, Any], usage: Usage, streamed: bool
) -> None:
    if not streamed:
        assert answer("chat", {**COUNTS, **details}, asked=asked).usage == usage
        return
    fields = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True, **asked}
    codec = codec_of("chat", "openai")
    assert codec is not None
    stream = codec.stream(ENDPOINTS["chat"].question(json.dumps(fields).encode()))
    stream.feed(b'data: {"choices":[],"usage":%s}\n\ndata: [DONE]\n\n' % json.dumps({**COUNTS, **details}).encode())
    assert stream.usage() == usage


def test_audio_of_a_response_is_all_of_its_input() -> None:
    asked = {"input": HEARD["messages"]}
    given = answer("responses", {"input_tokens": 100, "output_tokens": 40}, asked=asked)
    assert given.usage == Usage(input_tokens=100, input_audio_tokens=100, output_tokens=40)


def test_audio_is_not_priced_by_a_list_that_has_only_text() -> None:
    used = answer("chat", {**COUNTS, "prompt_tokens_details": {"audio_tokens": 60}}).usage
    assert used is not None
    with pytest.raises(Unpriced, match="no published input audio price"):
        price(find_card("openai/gpt-4o-audio-preview", at=AT), used)
    # a contract's 40 dollars; the list has 2.50 and 10, for text
    stated = {"provider": "openai", "model": "gpt-4o-audio-preview", "input_audio_usd_per_mtok": 40}
    card = find_card("openai/gpt-4o-audio-preview", at=AT, config=read_price_config({"prices": [stated]}))
    assert price(card, used).nano_usd == 40 * 2_500 + 60 * 40_000 + 40 * 10_000


CONTRADICTIONS: list[tuple[str, Operation, dict[str, Any], Usage | None]] = [
    (
        "audio beyond the prompt is beside it",
        "chat",
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 15}},
        Usage(input_tokens=25, input_audio_tokens=15, output_tokens=1),
    ),
    (
        "audio and reasoning beyond the completion are the completion",
        "chat",
        {
            "prompt_tokens": 1,
            "completion_tokens": 10,
            "completion_tokens_details": {"audio_tokens": 8, "reasoning_tokens": 5},
        },
        Usage(input_tokens=1, output_tokens=13, reasoning_tokens=5, output_audio_tokens=8),
    ),
    (
        "audio is not written to a cache",
        "chat",
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "prompt_tokens_details": {"audio_tokens": 7, "cache_write_tokens": 6, "cached_tokens": 2},
        },
        Usage(
            input_tokens=13,
            cache_write_5m_tokens=6,
            cache_read_tokens=2,
            input_audio_tokens=7,
            cache_read_audio_tokens=2,
            output_tokens=1,
        ),
    ),
    ("explicit zero stays zero", "chat", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, Usage()),
    ("no counts are no usage", "chat", {}, None),
    ("null is no usage", "chat", {"prompt_tokens": None, "completion_tokens": None}, None),
    ("half a usage is none", "chat", {"prompt_tokens": 5}, None),
    (
        "unless the total says it",
        "chat",
        {"prompt_tokens": 5, "total_tokens": 12},
        Usage(input_tokens=5, output_tokens=7),
    ),
    (
        "more cached than input: the input does not count them",
        "chat",
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 90}},
        Usage(input_tokens=100, cache_read_tokens=90, output_tokens=1),
    ),
    (
        "reads and writes overlap: the dearer writes stay",
        "chat",
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 7},
        },
        Usage(input_tokens=10, cache_read_tokens=3, cache_write_5m_tokens=7, output_tokens=1),
    ),
    (
        "negative counts are zero, fractions whole, words and truths no counts",
        "chat",
        {
            "prompt_tokens": 10.2,
            "completion_tokens": -3,
            "total_tokens": True,
            "prompt_tokens_details": {"cached_tokens": "5"},
            "completion_tokens_details": [1],
        },
        Usage(input_tokens=11),
    ),
    (
        "more reasoning than output is outside it",
        "chat",
        {"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 5}},
        Usage(input_tokens=1, output_tokens=7, reasoning_tokens=5),
    ),
    (
        "a breakdown that says less than the sum: the rest may be for an hour",
        "messages",
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_5m_input_tokens": 4},
        },
        Usage(input_tokens=11, output_tokens=1, cache_write_5m_tokens=4, cache_write_1h_tokens=6),
    ),
    (
        "a breakdown that says more than the sum counts",
        "messages",
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": None},
        },
        Usage(input_tokens=5, output_tokens=1, cache_write_5m_tokens=4),
    ),
    (
        "thinking that exceeds the output raises it",
        "messages",
        {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 9}},
        Usage(input_tokens=1, output_tokens=9, reasoning_tokens=9),
    ),
    ("a usage without output is none", "messages", {"input_tokens": 1}, None),
    ("embeddings with only a total", "embeddings", {"total_tokens": 4}, Usage(input_tokens=4)),
    ("embeddings without counts", "embeddings", {"prompt_tokens": None}, None),
    ("a response without output is none", "responses", {"input_tokens": 4}, None),
]


@pytest.mark.parametrize(
    ("operation", "usage", "expected"), [case[1:] for case in CONTRADICTIONS], ids=[c[0] for c in CONTRADICTIONS]
)
def test_contradictions(operation: Operation, usage: dict[str, Any], expected: Usage | None) -> None:
    assert answer(operation, usage).usage == expected


@pytest.mark.parametrize("usage", [None, 5, "5", [], [{"prompt_tokens": 1}], {"prompt_tokens": {"a": 1}}])
@pytest.mark.parametrize("operation", ["chat", "responses", "embeddings", "messages", "completions"])
def test_what_is_no_usage_is_none(operation: Operation, usage: object) -> None:
    assert answer(operation, usage).usage is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"usage":', b'{"usage": 5} x', b"\xff", b"<html>"])
@pytest.mark.parametrize("operation", ["chat", "responses", "embeddings", "messages"])
def test_a_body_that_is_no_answer_has_no_usage(operation: Operation, body: bytes) -> None:
    codec = codec_of(operation, "echo")
    assert codec is not None
    question = ENDPOINTS[operation].question(b'{"model":"m","messages":[],"input":"x"}')
    assert codec.answer(question, body) == Answer(body=body, usage=None)


def test_a_count_that_no_model_could_reach_still_fits_a_ledger() -> None:
    usage = answer("chat", {"prompt_tokens": 10**300, "completion_tokens": 1e300}).usage
    assert usage == Usage(input_tokens=10**12, output_tokens=10**12)


def test_writes_without_a_breakdown_are_for_an_hour_where_the_question_asked_for_it() -> None:
    fields = {"model": "m", "messages": [], "system": [{"cache_control": {"type": "ephemeral", "ttl": "1h"}}]}
    codec = codec_of("messages", "anthropic")
    assert codec is not None
    body = b'{"usage": {"input_tokens": 1, "cache_creation_input_tokens": 8, "output_tokens": 2}}'
    given = codec.answer(ENDPOINTS["messages"].question(json.dumps(fields).encode()), body)
    assert given.usage == Usage(input_tokens=9, cache_write_1h_tokens=8, output_tokens=2)


def test_what_has_a_price_of_its_own_is_named() -> None:
    drawn = {
        "prompt_tokens": 300,
        "completion_tokens": 200,
        "completion_tokens_details": {"image_tokens": 7},
        "num_search_queries": 3,
    }
    assert answer("chat", drawn).extras == (
        ("output_image_tokens", 7),
        ("web_searches", 3),
    )
    message = {"input_tokens": 1, "output_tokens": 1, "speed": "fast", "inference_geo": "us"}
    given = answer("messages", {**message, "server_tool_use": {"web_search_requests": 2}})
    assert given.extras == (("web_searches", 2), ("us_inference", 1))
    assert given.processing == "fast"
    response = answer(
        "responses", {"input_tokens": 1, "output_tokens": 1}, tool_usage={"web_search": {"num_requests": 4}}
    )
    assert response.extras == (("web_searches", 4),)


def test_a_processing_without_a_card_is_not_priced_as_another() -> None:
    given = answer("messages", {"input_tokens": 1, "output_tokens": 1, "speed": "fast"})
    with pytest.raises(UnknownName, match="fast"):
        find_card("claude-sonnet-4-5", provider="anthropic", processing=given.processing or "", at=AT)
