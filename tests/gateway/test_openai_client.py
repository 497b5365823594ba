"""The official OpenAI client, unchanged but for base URL and key: every answer whole, every request as it was sent."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

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
from gateway.provider_answers import (
    ARGUMENTS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TEXT,
    TOOL,
    VECTOR,
    WORDS,
    chat_chunks,
    events,
)

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
    assert {GPT, EMBEDDING, LEGACY, CLAUDE, "fast"} == names
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


@pytest.mark.parametrize("stream", [False, True])
def test_of_a_request_by_another_name_only_the_name_changes(between: Between, stream: bool) -> None:
    asked: Any = {"model": "fast", "messages": HI, "seed": 7, "extra_body": {"x_future": [1.50]}}
    options: Any = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    told = between.openai().chat.completions.create(**asked, **options)
    answers = list(told) if isinstance(told, openai.Stream) else [told]
    assert {answer.model for answer in answers} == {GPT}
    sent, heard = between.sent[-1].content, between.openai_provider.heard[-1].body
    assert heard == sent.replace(b'"fast"', b'"gpt-4o-mini"')


def test_a_limit_is_added_where_a_budget_needs_one_and_none_was_stated(between: Between) -> None:
    client = between.openai(between.another_key("thrifty", "--budget-usd", "1", "--window", "day"))
    client.chat.completions.create(model=GPT, messages=HI)
    sent, heard = between.sent[-1].content, between.openai_provider.heard[-1].body
    assert heard == sent[:-1] + b',"max_tokens":16384}'
    client.chat.completions.create(model=GPT, messages=HI, max_tokens=9)
    assert between.openai_provider.heard[-1].body == between.sent[-1].content


def test_a_client_that_leaves_a_stream_pays_for_it(between: Between, client: openai.OpenAI) -> None:
    chunks = chat_chunks({"model": GPT, "stream_options": {"include_usage": True}})
    between.openai_provider.next.append(Said(pieces=events(chunks, done=True).pieces, gap_s=0.02))
    raw = client.chat.completions.with_raw_response.create(model=GPT, messages=HI, stream=True)
    stream = raw.parse()
    next(stream)
    stream.close()
    row = next(row for row in between.all_rows() if row["request_id"] == raw.headers["x-breakeven-request-id"])
    assert row["effective_nano_usd"] == GPT_NANO_USD, "it was heard out, and says what was billed"


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
