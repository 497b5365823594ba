"""An OpenAI client and an Anthropic upstream: each sees its own wire, checked by the types of both official clients."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types import MessageCreateParams
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ConfigDict, TypeAdapter

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, Unavailable
from breakeven.upstreams.chat_over_anthropic import ChatOverMessages
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.wire import Question

CODEC = ChatOverMessages()
PARAMS = TypeAdapter(MessageCreateParams, config=ConfigDict(extra="forbid"))
SAMPLING = {"temperature", "top_p", "top_k"}
USER = {"role": "user", "content": "hi"}


def question(**fields: object) -> Question:
    return ENDPOINTS["chat"].question(json.dumps({"model": "c", "messages": [USER], **fields}).encode())


def asked(model: str = "claude-opus-5", **fields: object) -> dict[str, Any]:
    """The request that Anthropic gets, which its own client's types accept; they no longer know of sampling."""
    sent: dict[str, Any] = json.loads(CODEC.request(question(**fields), model, None))
    PARAMS.validate_python({name: value for name, value in sent.items() if name not in SAMPLING})
    return sent


def test_it_is_how_chats_reach_anthropic() -> None:
    codec = codec_of("chat", "anthropic")
    assert isinstance(codec, ChatOverMessages)
    assert (codec.path, codec.headers) == ("/messages", {b"anthropic-version": b"2023-06-01"})


def test_a_small_question() -> None:
    assert asked() == {
        "model": "claude-opus-5",
        "max_tokens": 4_096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_a_conversation_with_tools_and_images() -> None:
    png = "data:image/png;base64,iVBORw0KGgo="
    call = {"type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
    sent = asked(
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "developer", "content": [{"type": "text", "text": "be kind"}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is it?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    {"type": "image_url", "image_url": {"url": png, "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "t1", **call}, {"id": "t2", **call}]},
            {"role": "tool", "tool_call_id": "t1", "content": "blue"},
            {"role": "tool", "tool_call_id": "t2", "content": [{"type": "text", "text": "grey"}]},
            {"role": "user", "content": "and now?"},
            {"role": "assistant", "content": ""},
        ],
        tools=[{"type": "function", "function": {"name": "look", "description": "Look.", "strict": True}}],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    assert sent["system"] == [{"type": "text", "text": "be brief"}, {"type": "text", "text": "be kind"}]
    said, called, found = sent["messages"]
    assert said["content"] == [
        {"type": "text", "text": "what is it?", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
    ]
    assert called == {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}},
            {"type": "tool_use", "id": "t2", "name": "look", "input": {"at": "sky"}},
        ],
    }
    assert found["role"] == "user"
    assert [block["type"] for block in found["content"]] == ["tool_result", "tool_result", "text"]
    assert found["content"][0] == {"type": "tool_result", "tool_use_id": "t1", "content": "blue"}
    assert found["content"][1]["content"] == [{"type": "text", "text": "grey"}]
    assert sent["tools"] == [
        {"name": "look", "description": "Look.", "strict": True, "input_schema": {"type": "object"}}
    ]
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": 0.3, "top_p": 0.9, "top_k": 5}, {"temperature": 0.3, "top_p": 0.9, "top_k": 5}),
        ({"temperature": 1, "top_p": 1.0, "top_k": None}, {}),
        ({"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral"}}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"user": "u-1"}, {"metadata": {"user_id": "u-1"}}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "between_tools"}}, {"thinking": {"type": "between_tools"}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({"response_format": {"type": "text"}, "n": 1, "logprobs": False, "seed": None, "store": True}, {}),
        ({"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "metadata": {"a": "b"}}, {}),
    ],
)
def test_settings(fields: dict[str, object], expected: dict[str, object]) -> None:
    sent = asked(**fields)
    assert {name: sent[name] for name in sent if name not in {"model", "messages", "max_tokens"}} == {
        name: value for name, value in expected.items() if name != "max_tokens"
    }
    assert sent["max_tokens"] == expected.get("max_tokens", 4_096)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice(choice: object, expected: object) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    sent = asked(tools=tools, tool_choice=choice)
    assert sent["tool_choice"] == expected
    assert sent["tools"] == [{"name": "f", "input_schema": schema}]


@pytest.mark.parametrize(
    ("effort", "limit", "budget_tokens"), [("low", 5_000, 1_024), ("high", 20_000, 16_384), ("high", 3_000, 2_999)]
)
def test_older_models_think_within_a_budget(effort: str, limit: int, budget_tokens: int) -> None:
    sent = asked("claude-sonnet-4-5-20250929", reasoning_effort=effort, max_tokens=limit)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": budget_tokens}
    assert "output_config" not in sent


def test_older_models_do_not_think_without_room_nor_within_a_round_of_calls() -> None:
    assert "thinking" not in asked("claude-sonnet-4-5", reasoning_effort="high", max_tokens=500)
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
    messages = [USER, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "t", "content": ""}]
    assert "thinking" not in asked("claude-sonnet-4-5", messages=messages, reasoning_effort="low")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 2}, "n: "),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"seed": 1}, "seed"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"web_search_options": {"a": 1}}, "web_search_options"),
        ({"something_new": 1}, "something_new"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "custom"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "maybe"}, "maybe"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "x"}}, "x"),
        ({"tools": 5}, "tools"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "function"),
        ({"messages": [{"content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": 5}]}, "content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "input_audio"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "file"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]}, "http"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": "data:image/tiff;base64,A"}]}
                ]
            },
            "image/tiff",
        ),
        ({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": "https://x"}]}]}, "text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": ""}}]}, "function_call"),
        (
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "["}}]}
                ]
            },
            "arguments",
        ),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]}]}, "tool_calls"),
    ],
)
def test_what_anthropic_does_not_have_is_refused_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        CODEC.request(question(**fields), "claude-opus-5", None)


MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Let me "},
        {"type": "text", "text": "look."},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "sky"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 12},
        "service_tier": "standard",
    },
}
USED = Usage(input_tokens=130, cache_read_tokens=100, cache_write_5m_tokens=20, output_tokens=30, reasoning_tokens=12)


def test_an_answer() -> None:
    given = CODEC.answer(question(), json.dumps(MESSAGE).encode())
    assert given.usage == USED
    assert given.processing == "standard"
    completion = ChatCompletion.model_validate_json(given.body, strict=True)
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me look."
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("t1", "look", {"at": "sky"})
    extra = choice.message.model_extra
    assert extra is not None
    assert extra["reasoning_content"] == "hm"
    assert extra["thinking_blocks"] == [MESSAGE["content"][0]]
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (130, 30)
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 100
    assert completion.service_tier == "default"


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
        (None, "stop"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons(stop_reason: str | None, finish_reason: str) -> None:
    given = CODEC.answer(question(), json.dumps({**MESSAGE, "content": [], "stop_reason": stop_reason}).encode())
    (choice,) = ChatCompletion.model_validate_json(given.body, strict=True).choices
    assert (choice.finish_reason, choice.message.content) == (finish_reason, None)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"content": 5}', b'{"content": [5]}'])
def test_an_answer_that_is_no_message_is_not_given_on(body: bytes) -> None:
    with pytest.raises(Unavailable):
        CODEC.answer(question(), body)


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def tool_use(call: str, name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": name, "input": {}}


STREAM = sse(
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Let me "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look\n\nhere."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2, "content_block": tool_use("t1", "look")},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"at": '}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '"sky"}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "content_block_start", "index": 3, "content_block": tool_use("t2", "now")},
    {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_stop", "index": 3},
    {"type": "something_new", "index": 3},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 30}},
    {"type": "message_stop"},
)


def chunks(sent: bytes) -> list[ChatCompletionChunk]:
    events = sent.decode().split("\n\n")
    assert events.pop() == ""
    return [ChatCompletionChunk.model_validate_json(event.removeprefix("data: "), strict=True) for event in events]


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=30), asks=st.booleans())
def test_a_stream(cuts: list[int], asks: bool) -> None:
    stream = CODEC.stream(question(stream=True, stream_options={"include_usage": asks}))
    edges = sorted({0, len(STREAM), *cuts})
    sent = b"".join(stream.feed(STREAM[start:end]) for start, end in pairwise(edges)) + stream.finish()
    assert (stream.ended, stream.ending, stream.failure) == (True, b"data: [DONE]\n\n", None)
    assert stream.usage() == USED
    assert stream.delivered_tokens() >= 5
    told = chunks(sent)
    if asks:
        usage_chunk = told.pop()
        assert usage_chunk.choices == []
        assert usage_chunk.usage is not None
        assert usage_chunk.usage.total_tokens == 160
    assert all(chunk.usage is None for chunk in told)
    assert {(chunk.id, chunk.model) for chunk in told} == {("msg_01", "claude-opus-5")}
    deltas = [chunk.choices[0].delta for chunk in told]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == "Let me look\n\nhere."
    assert "".join((delta.model_extra or {}).get("reasoning_content", "") for delta in deltas) == "hm"
    assert told[-1].choices[0].finish_reason == "tool_calls"
    arguments = {0: "", 1: ""}
    names = {}
    for part in (part for delta in deltas for part in delta.tool_calls or ()):
        assert part.function is not None
        arguments[part.index] += part.function.arguments or ""
        if part.id:
            names[part.index] = (part.id, part.function.name)
    assert names == {0: ("t1", "look"), 1: ("t2", "now")}
    assert [json.loads(text) for text in arguments.values()] == [{"at": "sky"}, {}]


def test_an_error_in_a_stream() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    stream = CODEC.stream(question(stream=True))
    sent = stream.feed(sse(error) + b"data: {nonsense\n\n: comment\n\n")
    assert json.loads(sent.removeprefix(b"data: "))["error"]["message"] == "Overloaded"
    assert (stream.failure, stream.ended) == ("Overloaded", False)
    assert stream.usage() is None


def test_a_refusal_is_in_openais_shape() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"r"}'
    assert json.loads(CODEC.refusal(429, body)) == {
        "error": {"message": "slow down", "type": "rate_limit_error", "param": None, "code": "rate_limit_error"}
    }


def test_thoughts_that_come_back_are_passed_on() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    sent = asked(messages=[USER, {"role": "assistant", "content": "a", "thinking_blocks": [thought]}, USER])
    assert sent["messages"][1]["content"] == [thought, {"type": "text", "text": "a"}]
