"""The official Anthropic client, unchanged but for base URL and key, before an upstream of its own wire."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from gateway.clients import CLAUDE, GPT, PROVIDER_SECRET, Between, gateway_between, refusal_of
from gateway.provider import Said
from gateway.provider_answers import ARGUMENTS, CACHED_TOKENS, OUTPUT_TOKENS, TEXT, TOOL, WORDS, named

HI: Any = [{"role": "user", "content": "Hi, Zoë 👋"}]
TOOLS: Any = [
    {
        "name": TOOL,
        "description": "Weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
EPHEMERAL: Any = {"type": "ephemeral"}
ASKED: dict[str, dict[str, Any]] = {
    "plain": {"messages": HI},
    "every field": {
        "messages": HI,
        "system": "Be kind.",
        "stop_sequences": ["\n\n"],
        "metadata": {"user_id": "u-1"},
        "service_tier": "standard_only",
        "extra_body": {"temperature": 0.5, "top_k": 3},  # which clients before 2.0 had as arguments
    },
    "tools": {"messages": HI, "tools": TOOLS, "tool_choice": {"type": "auto"}},
    "a tool's result": {
        "messages": [
            *HI,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": TOOL, "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "sunny"}]},
        ],
        "tools": TOOLS,
    },
    "a cached system": {
        "messages": HI,
        "system": [{"type": "text", "text": "Long " * 50, "cache_control": EPHEMERAL}],
    },
    "images": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
                    {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ],
            }
        ]
    },
    "unknown fields": {"messages": HI, "extra_body": {"x_future": {"π": [1.0, None, "\u2028"]}}},
    "thoughts": {"messages": HI, "max_tokens": 2_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}},
}


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def client(between: Between) -> anthropic.Anthropic:
    return between.anthropic()


def cost_nano_usd(written_tokens: int) -> int:
    """By $1 input, $0.10 read, $1.25 written, $5 output a million tokens."""
    plain = 100 - CACHED_TOKENS - written_tokens
    return plain * 1_000 + CACHED_TOKENS * 100 + written_tokens * 1_250 + OUTPUT_TOKENS * 5_000


@pytest.mark.parametrize("name", ASKED)
def test_a_message_reaches_the_provider_byte_for_byte_and_comes_back(between: Between, name: str) -> None:
    asked = {"model": CLAUDE, "max_tokens": 100, **ASKED[name]}
    raw = between.anthropic().messages.with_raw_response.create(**asked)
    assert between.anthropic_provider.heard[-1].body == between.sent[-1].content
    answer = raw.parse()
    written = 30 if "cache_control" in json.dumps(asked) else 0
    assert (answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (CACHED_TOKENS, OUTPUT_TOKENS)
    assert answer.usage.cache_creation_input_tokens == written
    assert int(raw.headers["x-breakeven-cost-nano-usd"]) == cost_nano_usd(written)
    assert between.ledger(raw.headers["x-breakeven-request-id"])["cost_nano_usd"] == cost_nano_usd(written)
    [block] = answer.content
    if "tools" in asked:
        assert block.type == "tool_use"
        assert (block.name, block.input, answer.stop_reason) == (TOOL, ARGUMENTS, "tool_use")
    else:
        assert block.type == "text"
        assert (block.text, answer.stop_reason) == (TEXT, "end_turn")


@pytest.mark.parametrize("name", ASKED)
def test_a_stream_reaches_the_provider_byte_for_byte_and_comes_back(between: Between, name: str) -> None:
    asked = {"model": CLAUDE, "max_tokens": 100, **ASKED[name]}
    with between.anthropic().messages.stream(**asked) as stream:
        said = [event.text for event in stream if event.type == "text"]
        whole = stream.get_final_message()
    assert between.anthropic_provider.heard[-1].body == between.sent[-1].content
    [block] = whole.content
    assert whole.usage.output_tokens == OUTPUT_TOKENS
    assert whole.usage.cache_read_input_tokens == CACHED_TOKENS
    if "tools" in asked:
        assert block.type == "tool_use"
        assert block.input == ARGUMENTS
    else:
        assert said == list(WORDS)


def test_events_come_as_they_were_sent_and_then_the_cost(between: Between, client: anthropic.Anthropic) -> None:
    strange = named({"type": "x_new_event", "x": [1]})
    asked: Any = {"model": CLAUDE, "max_tokens": 100, "messages": HI, "stream": True}
    usual = between.anthropic_provider.answering(
        between.anthropic_provider.heard[-1]._replace(body=json.dumps(asked).encode())
    ).pieces
    pieces = (*usual[:3], strange, *usual[3:])
    between.anthropic_provider.next.append(Said(pieces=pieces))
    with client.messages.with_streaming_response.create(**asked) as stream:
        came = b"".join(stream.iter_bytes())
    head, _, comment = came.rpartition(b": breakeven ")
    assert head == b"".join(pieces)
    assert re.fullmatch(rb"cost_nano_usd=(\d+)\n\n", comment)
    row = between.ledger(stream.headers["x-breakeven-request-id"])
    assert int(comment.split(b"=")[1]) == row["cost_nano_usd"] == cost_nano_usd(0)


def test_the_version_and_betas_of_the_client_reach_the_provider(between: Between, client: anthropic.Anthropic) -> None:
    asked: Any = {"model": CLAUDE, "max_tokens": 100, "messages": HI}
    client.messages.create(**asked, extra_headers={"anthropic-beta": "context-1m-2025-08-07"})
    heard = between.anthropic_provider.heard[-1].headers
    assert heard["anthropic-version"] == between.sent[-1].headers["anthropic-version"]
    assert heard["anthropic-beta"] == "context-1m-2025-08-07"
    assert between.live.key not in str(heard)
    assert heard["x-api-key"] == PROVIDER_SECRET
    assert "authorization" not in heard


def test_models(between: Between, client: anthropic.Anthropic) -> None:
    assert CLAUDE in {model.id for model in client.models.list()}
    assert client.models.retrieve(CLAUDE).id == CLAUDE
    refusal_of(anthropic.NotFoundError, lambda: client.models.retrieve("claude-99"))


def test_the_async_client(between: Between) -> None:
    async def scenario() -> None:
        asked: Any = {"model": CLAUDE, "max_tokens": 100, "messages": HI}
        async with anthropic.AsyncAnthropic(base_url=between.url, api_key=between.live.key, max_retries=0) as client:
            answers = await asyncio.gather(*(client.messages.create(**asked) for _ in range(10)))
            assert {answer.content[0].to_dict()["text"] for answer in answers} == {TEXT}
            async with client.messages.stream(**asked) as stream:
                assert "".join([text async for text in stream.text_stream]) == TEXT

    asyncio.run(scenario())


def test_a_key_may_come_as_a_bearer_too(between: Between) -> None:
    client = anthropic.Anthropic(base_url=between.url, api_key=None, auth_token=between.live.key, max_retries=0)
    answer = client.messages.create(model=CLAUDE, max_tokens=100, messages=HI)
    assert answer.content[0].to_dict()["text"] == TEXT


# -- refusals ---------------------------------------------------------------------------------------------------------


def raw_request(client: anthropic.Anthropic, **fields: Any) -> Callable[[], object]:
    return lambda: client.messages.create(**{"model": CLAUDE, "max_tokens": 100, "messages": HI, **fields})


def test_each_refusal_is_the_error_that_the_client_has_for_it(between: Between, client: anthropic.Anthropic) -> None:
    limited = between.another_key("errors", "--models", GPT)
    heard = len(between.anthropic_provider.heard)
    cases: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (anthropic.AuthenticationError, "authentication_error", raw_request(between.anthropic("be-nonsense"))),
        (anthropic.PermissionDeniedError, "permission_error", raw_request(between.anthropic(limited))),
        (anthropic.NotFoundError, "not_found_error", raw_request(client, model="claude-99")),
        (anthropic.BadRequestError, "invalid_request_error", raw_request(client, extra_body={"max_tokens": "many"})),
        (anthropic.BadRequestError, "invalid_request_error", raw_request(client, messages="Hi")),
    ]
    for kind, told, call in cases:
        error = refusal_of(kind, call)
        assert (error.body["type"], error.body["error"]["type"]) == ("error", told)
        assert error.body["request_id"] == error.response.headers["x-breakeven-request-id"]
        assert between.live.key not in str(error)
    assert len(between.anthropic_provider.heard) == heard, "a refused request was sent"


def test_a_full_budget_is_told_once_and_not_asked_again(between: Between) -> None:
    poor = between.another_key("poor", "--budget-usd", "0.000001", "--window", "day")
    sent = len(between.sent)
    error = refusal_of(anthropic.RateLimitError, raw_request(between.anthropic(poor, max_retries=5)))
    assert error.body["error"]["type"] == "rate_limit_error"
    assert len(between.sent) - sent == 1


def test_a_providers_error_comes_as_it_is(between: Between, client: anthropic.Anthropic) -> None:
    body = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9 > 8"},"request_id":"req_x"}'
    )
    between.anthropic_provider.next.append(Said(status=400, body=body))
    error = refusal_of(anthropic.BadRequestError, raw_request(client))
    assert error.response.content == body


def test_an_overload_in_a_stream_is_an_error_of_the_client(between: Between, client: anthropic.Anthropic) -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    between.anthropic_provider.next.append(Said(pieces=(named(begun), named(failed))))
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(client.messages.create(model=CLAUDE, max_tokens=100, messages=HI, stream=True))


def test_a_stream_that_breaks_is_an_error_and_not_an_end(between: Between, client: anthropic.Anthropic) -> None:
    begun = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}
    between.anthropic_provider.next.append(Said(pieces=(named(begun),)))
    with pytest.raises(anthropic.APIStatusError, match="ended the stream early"):
        list(client.messages.create(model=CLAUDE, max_tokens=100, messages=HI, stream=True))
