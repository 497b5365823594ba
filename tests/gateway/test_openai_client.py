"""The official OpenAI client, unchanged but for base URL and key: every answer whole, every request as it was sent."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import openai
import pytest
from pydantic import BaseModel

from gateway.clients import (
    CLAUDE,
    EMBEDDING,
    GPT,
    GPT_NANO_USD,
    LEGACY,
    PROVIDER_SECRET,
    Between,
    gateway_between,
    refusal_of,
)
from gateway.provider import Said
from gateway.provider_answers import ARGUMENTS, INPUT_TOKENS, OUTPUT_TOKENS, TEXT, TOOL, VECTOR, WORDS

HI: Any = [{"role": "user", "content": "Hi, Zoë 👋"}]
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9aw=="
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"type": "function", "function": {"name": TOOL, "description": "Weather", "parameters": SCHEMA}}]
LOOKS: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": PIXEL}},
        ],
    }
]
ASKED: dict[str, dict[str, Any]] = {
    "plain": {"messages": HI},
    "every sampling field": {
        "messages": HI,
        "temperature": 0.1,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["\n\n"],
        "presence_penalty": -0.5,
        "frequency_penalty": 1e-7,
        "logit_bias": {"50256": -100},
        "max_completion_tokens": 30,
        "user": "u-1",
        "metadata": {"a": "b"},
        "store": False,
    },
    "logprobs": {"messages": HI, "logprobs": True, "top_logprobs": 1},
    "two choices": {"messages": HI, "n": 2},
    "tools": {"messages": HI, "tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": False},
    "a tool's result": {
        "messages": [
            *HI,
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": TOOL, "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        ]
    },
    "images": {"messages": LOOKS},
    "a schema": {
        "messages": HI,
        "response_format": {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": SCHEMA}},
    },
    "unknown fields": {
        "messages": HI,
        "extra_body": {"guided_json": {"π": [1.0, 1e300, -0.0, 10**30, None]}, "x_future": "😀\u2028\u0000"},
    },
    "a price tier": {"messages": HI, "service_tier": "default"},
}


class Weather(BaseModel):
    city: str


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    with gateway_between(tmp_path_factory.mktemp("gateway")) as found:
        yield found


@pytest.fixture
def client(between: Between) -> openai.OpenAI:
    return between.openai()


def cost_of_stream(lines: list[str]) -> int:
    """What the comment at the end of a stream says."""
    found = re.fullmatch(r": breakeven cost_nano_usd=(\d+)", [line for line in lines if line][-1])
    assert found
    return int(found[1])


# -- chat -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ASKED)
def test_a_chat_reaches_the_provider_byte_for_byte_and_comes_back(between: Between, name: str) -> None:
    asked = dict(ASKED[name])
    answer = between.openai().chat.completions.create(model=GPT, **asked)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    choice = answer.choices[0]
    assert choice.message.content in (TEXT, json.dumps(ARGUMENTS), None)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert (answer.system_fingerprint, answer.service_tier) == ("fp_50cad350e4", "default")
    assert len(answer.choices) == asked.get("n", 1)
    if "logprobs" in asked:
        assert choice.logprobs is not None
        assert [each.token for each in choice.logprobs.content or ()] == list(WORDS)
    if "tools" in asked:
        [call] = choice.message.tool_calls or ()
        assert call.type == "function"
        assert json.loads(call.function.arguments) == ARGUMENTS


@pytest.mark.parametrize("name", ASKED)
def test_a_stream_is_asked_for_with_its_usage_and_nothing_else_changes(between: Between, name: str) -> None:
    chunks = list(between.openai().chat.completions.create(model=GPT, stream=True, **ASKED[name]))
    told = between.openai_provider.heard[-1].body
    assert told.replace(b',"stream_options":{"include_usage":true}', b"") == between.sent[-1].content
    assert all(chunk.choices for chunk in chunks), "usage was not asked for"
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    if "tools" in ASKED[name]:
        calls = [call for delta in deltas for call in delta.tool_calls or ()]
        assert (calls[0].id, calls[0].function and calls[0].function.name) == ("call_4f1x", TOOL)
        said = "".join((call.function and call.function.arguments) or "" for call in calls)
        assert json.loads(said) == ARGUMENTS
    else:
        assert [delta.content for delta in deltas if delta.content] == list(WORDS)
    assert chunks[-1].choices[0].finish_reason in ("stop", "tool_calls")


def test_a_stream_shows_its_usage_where_it_is_asked_for(between: Between, client: openai.OpenAI) -> None:
    asked: Any = {"model": GPT, "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = client.chat.completions.create(**asked)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert all(chunk.usage is None for chunk in chunks)


def test_the_stream_helper_gathers_a_whole_answer(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=GPT, messages=HI) as stream:
        kinds = {event.type for event in stream}
        whole = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert whole.choices[0].message.content == TEXT


def test_an_answer_of_a_schema_is_parsed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(model=GPT, messages=HI, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(city="Zürich")


def test_unknown_fields_of_answers_and_events_pass(between: Between, client: openai.OpenAI) -> None:
    strange = (
        b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [], "x_new": {"a": 1e0}}'
    )
    between.openai_provider.next.append(Said(body=strange))
    raw = client.chat.completions.with_raw_response.create(model=GPT, messages=HI)
    assert raw.content == strange
    pieces = (
        b': keep-alive\n\nevent: x_new\nid: 7\nretry: 9\ndata: {"x":\ndata: 1}\n\n',
        b'data: {"choices": [], "x_new": 1}\r\n\r\n',
        b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
        b"data: [DONE]\n\n",
    )
    between.openai_provider.next.append(Said(pieces=pieces))
    asked: Any = {"model": GPT, "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
    with client.chat.completions.with_streaming_response.create(**asked) as stream:
        came = b"".join(stream.iter_bytes())
    assert came.startswith(b"".join(pieces))


# -- the other endpoints ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"tools": [{"type": "function", **TOOLS[0]["function"]}]}, {"store": False}])
def test_responses(between: Between, client: openai.OpenAI, more: Any) -> None:
    asked: Any = {"model": GPT, "input": "Hi", "instructions": "Be kind.", "extra_body": {"x_future": [1]}, **more}
    answer = client.responses.create(**asked)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    assert answer.usage is not None
    assert answer.usage.output_tokens == OUTPUT_TOKENS
    events = list(client.responses.create(**asked, stream=True))
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == answer.output_text == ("" if "tools" in more else TEXT)
    if "tools" in more:
        [call] = last.response.output
        assert call.type == "function_call"
        assert json.loads(call.arguments) == ARGUMENTS
    else:
        assert [event.delta for event in events if event.type == "response.output_text.delta"] == list(WORDS)


def test_the_stream_helper_of_responses(client: openai.OpenAI) -> None:
    with client.responses.stream(model=GPT, input="Hi") as stream:
        assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == TEXT
        assert stream.get_final_response().output_text == TEXT


def test_legacy_completions(between: Between, client: openai.OpenAI) -> None:
    answer = client.completions.create(model=LEGACY, prompt="Say hello", max_tokens=20)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    assert answer.choices[0].text == TEXT
    chunks = client.completions.create(model=LEGACY, prompt="Say hello", max_tokens=20, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT


@pytest.mark.parametrize("encoding", ["float", "base64", None])
def test_embeddings(between: Between, client: openai.OpenAI, encoding: Any) -> None:
    how = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model=EMBEDDING, input=["a", "b"], dimensions=3, **how)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content
    if encoding == "base64":
        assert isinstance(answer.data[0].embedding, str)
    else:  # the client asks for base64 by itself, and decodes it
        assert [each.embedding for each in answer.data] == [list(VECTOR)] * 2
    assert answer.usage.prompt_tokens == 8


def test_models_are_those_that_the_key_may_call(between: Between, client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {GPT, EMBEDDING, LEGACY, CLAUDE} == names
    limited = between.another_key("models", "--models", GPT)
    assert [model.id for model in between.openai(limited).models.list()] == [GPT]
    assert client.models.retrieve(GPT).id == GPT
    error = refusal_of(openai.NotFoundError, lambda: between.openai(limited).models.retrieve(LEGACY))
    assert error.code == "model_not_found"
    refusal_of(openai.AuthenticationError, lambda: between.openai("be-nonsense").models.retrieve(GPT))


def test_the_async_client(between: Between) -> None:
    async def scenario() -> None:
        async with openai.AsyncOpenAI(base_url=f"{between.url}/v1", api_key=between.live.key, max_retries=0) as client:
            answers = [client.chat.completions.create(model=GPT, messages=HI) for _ in range(20)]
            assert {each.choices[0].message.content for each in await asyncio.gather(*answers)} == {TEXT}
            stream = await client.chat.completions.create(model=GPT, messages=HI, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TEXT
            async with client.responses.stream(model=GPT, input="Hi") as events:
                assert (await events.get_final_response()).output_text == TEXT

    asyncio.run(scenario())


# -- what it cost -----------------------------------------------------------------------------------------------------


def test_the_cost_in_the_headers_is_the_ledgers(between: Between, client: openai.OpenAI) -> None:
    asked: Any = {"model": GPT, "messages": HI, "extra_headers": {"x-breakeven-tags": "project=atlas, step=draft"}}
    raw = client.chat.completions.with_raw_response.create(**asked)
    assert raw.parse().choices[0].message.content == TEXT
    assert raw.headers["x-breakeven-decision"] == "gpt-4o-mini@openai; requested"
    assert int(raw.headers["x-breakeven-cost-nano-usd"]) == GPT_NANO_USD
    row = between.ledger(raw.headers["x-breakeven-request-id"])
    assert row["cost_nano_usd"] == GPT_NANO_USD
    [attempt] = row["attempts"]
    assert attempt["tags"] == ["project=atlas", "step=draft"]
    assert "x-breakeven-tags" not in between.openai_provider.heard[-1].headers


def test_the_cost_at_the_end_of_a_stream_is_the_ledgers(between: Between, client: openai.OpenAI) -> None:
    asked: Any = {"model": GPT, "messages": HI, "stream": True}
    with client.chat.completions.with_streaming_response.create(**asked) as stream:
        cost_nano_usd = cost_of_stream(list(stream.iter_lines()))
    row = between.ledger(stream.headers["x-breakeven-request-id"])
    assert cost_nano_usd == row["cost_nano_usd"] == GPT_NANO_USD
    with client.responses.with_streaming_response.create(model=GPT, input="Hi", stream=True) as events:
        assert cost_of_stream(list(events.iter_lines())) == GPT_NANO_USD


def test_a_provider_never_sees_a_key_of_ours(between: Between, client: openai.OpenAI) -> None:
    client.chat.completions.create(model=GPT, messages=HI)
    heard = between.openai_provider.heard[-1]
    assert between.live.key not in str(heard.headers)
    assert heard.headers["authorization"] == f"Bearer {PROVIDER_SECRET}"
    assert heard.headers["accept-encoding"] == "identity"
    assert "x-stainless-os" not in heard.headers


# -- refusals ---------------------------------------------------------------------------------------------------------


def raw_request(client: openai.OpenAI, **fields: Any) -> Callable[[], object]:
    return lambda: client.chat.completions.create(**{"model": GPT, "messages": HI, **fields})


def test_each_refusal_is_the_error_that_the_client_has_for_it(between: Between, client: openai.OpenAI) -> None:
    key = between.live.key
    limited = between.another_key("errors", "--models", LEGACY)
    cases: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (openai.AuthenticationError, "invalid_api_key", raw_request(between.openai("be-nonsense"))),
        (openai.PermissionDeniedError, "model_not_allowed", raw_request(between.openai(limited))),
        (openai.NotFoundError, "model_not_found", raw_request(client, model="gpt-99")),
        (openai.BadRequestError, "invalid_request", raw_request(client, max_tokens="many")),
        (openai.BadRequestError, "invalid_request", raw_request(client, messages={"not": "a list"})),
        (openai.NotFoundError, "not_found", client.fine_tuning.jobs.list),
    ]
    heard = len(between.openai_provider.heard)
    for kind, code, call in cases:
        error = refusal_of(kind, call)
        assert error.code == code
        assert error.message
        assert key not in str(error)
        assert "be-nonsense" not in str(error)
    assert len(between.openai_provider.heard) == heard, "a refused request was sent"


def test_a_full_budget_is_told_once_and_not_asked_again(between: Between) -> None:
    poor = between.another_key("poor", "--budget-usd", "0.000001", "--window", "day")
    sent = len(between.sent)
    started = datetime.now(UTC)
    error = refusal_of(openai.RateLimitError, raw_request(between.openai(poor, max_retries=5), max_tokens=50))
    assert error.code == error.type == "insufficient_quota"
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.headers["x-breakeven-cost-nano-usd"] == "0"
    assert len(between.sent) - sent == 1
    assert (datetime.now(UTC) - started).total_seconds() < 5


def test_a_rate_limit_of_a_key_says_when_to_ask_again(between: Between) -> None:
    client = between.openai(between.another_key("slow", "--rpm", "2"))
    for _ in range(2):
        client.chat.completions.create(model=GPT, messages=HI)
    error = refusal_of(openai.RateLimitError, raw_request(client))
    assert error.code == "rate_limit_exceeded"
    assert 50 <= int(error.response.headers["retry-after"]) <= 61  # counted by whole seconds
    assert "x-should-retry" not in error.response.headers


def test_requests_at_once_beyond_a_keys_limit_are_asked_again_and_served(between: Between) -> None:
    narrow = between.another_key("narrow", "--parallel", "1")

    async def scenario() -> None:
        async with openai.AsyncOpenAI(base_url=f"{between.url}/v1", api_key=narrow, max_retries=8) as client:
            asked = [client.chat.completions.create(model=GPT, messages=HI) for _ in range(3)]
            assert {answer.choices[0].message.content for answer in await asyncio.gather(*asked)} == {TEXT}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (422, openai.UnprocessableEntityError)],
)
def test_a_providers_refusal_comes_as_it_is(
    between: Between, client: openai.OpenAI, status: int, kind: type[openai.APIStatusError]
) -> None:
    body = (
        b'{"error": {"message": "No, Zo\xc3\xab", "type": "invalid_request_error", "param": "messages", "code": null}}'
    )
    between.openai_provider.next.append(Said(status=status, body=body))
    error = refusal_of(kind, raw_request(client))
    assert error.response.content == body
    assert error.body == json.loads(body)["error"]
    row = between.ledger(error.response.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["cost_nano_usd"]) == ("refused_by_upstream", 0)


def test_a_providers_refusal_of_our_credential_is_no_fault_of_the_clients_key(
    between: Between, client: openai.OpenAI
) -> None:
    secret = b'{"error": {"message": "Incorrect API key provided: sk-prov****9abc", "code": "invalid_api_key"}}'
    between.openai_provider.next.append(Said(status=401, body=secret))
    error = refusal_of(openai.InternalServerError, raw_request(client))
    assert (error.status_code, error.code) == (502, "upstream_refused_credential")
    assert "sk-prov" not in str(error)


def test_a_stream_that_breaks_is_an_error_and_not_an_end(between: Between, client: openai.OpenAI) -> None:
    chunk = b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
    between.openai_provider.next.append(Said(pieces=(chunk,)))
    stream = client.chat.completions.create(model=GPT, messages=HI, stream=True)
    assert next(stream).choices[0].delta.content == "half"
    with pytest.raises(openai.APIError, match="ended the stream early"):
        next(stream)


def test_a_lost_gateway_is_a_connection_error() -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="x", max_retries=0, http_client=httpx2.Client())
    refusal_of(openai.APIConnectionError, raw_request(client))
