"""An Anthropic client and an OpenAI-wire upstream: each sees its own wire, checked by the types of both clients."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParams
from pydantic import ConfigDict, TypeAdapter

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, Unavailable
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.messages_over_openai import MessagesOverChat
from breakeven.upstreams.wire import AnswerStream, Question

CODEC = MessagesOverChat()
PARAMS = TypeAdapter(CompletionCreateParams, config=ConfigDict(extra="forbid"))
USER = {"role": "user", "content": "hi"}
WEATHER = {"name": "weather", "description": "Now.", "input_schema": {"type": "object", "properties": {}}}


def question(**fields: object) -> Question:
    body = {"model": "c", "max_tokens": 50, "messages": [USER], **fields}
    return ENDPOINTS["messages"].question(json.dumps(body).encode())


def asked(model: str = "gpt-4o", **fields: object) -> dict[str, Any]:
    """The request that the upstream gets, which OpenAI's own client's types accept."""
    sent: dict[str, Any] = json.loads(CODEC.request(question(**fields), model, None))
    PARAMS.validate_python(sent)
    return sent


def test_it_is_how_messages_reach_openai() -> None:
    codec = codec_of("messages", "openai")
    assert isinstance(codec, MessagesOverChat)
    assert (codec.path, codec.headers) == ("/chat/completions", {})


def test_a_small_question() -> None:
    assert asked() == {"model": "gpt-4o", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    assert asked("gpt-5")["max_completion_tokens"] == 50


def test_a_conversation_with_tools_images_and_thoughts() -> None:
    png = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    sent = asked(
        system=[
            {"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "be kind"},
        ],
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is it?"},
                    {"type": "image", "source": png},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
                    {"type": "document", "source": {**png, "media_type": "application/pdf"}, "title": "a.pdf"},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"at": "sky"}},
                    {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "blue"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "t2",
                        "content": [{"type": "text", "text": "see"}, {"type": "image", "source": png}],
                    },
                    {"type": "text", "text": "and now?"},
                ],
            },
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "only", "signature": "s"}]},
        ],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    system, seen, called, first, second, then = sent["messages"]
    assert system == {"role": "system", "content": "be brief\n\nbe kind"}
    assert [part["type"] for part in seen["content"]] == ["text", "image_url", "image_url", "file", "text"]
    assert seen["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBO"
    assert seen["content"][3]["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,iVBO"}
    assert called["content"] == "Let me look."
    assert [(call["id"], json.loads(call["function"]["arguments"])) for call in called["tool_calls"]] == [
        ("t1", {"at": "sky"}),
        ("t2", {}),
    ]
    assert first == {"role": "tool", "tool_call_id": "t1", "content": "blue"}
    assert second == {"role": "tool", "tool_call_id": "t2", "content": "see"}
    assert [part["type"] for part in then["content"]] == ["image_url", "text"]
    assert sent["tools"][0]["function"] == {
        "name": "weather",
        "description": "Now.",
        "parameters": WEATHER["input_schema"],
    }
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("required", False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3, "top_p": 0.9}),
        ({"stop_sequences": ["a"]}, {"stop": ["a"]}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"output_config": {"effort": "high"}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "adaptive"}, "cache_control": {"type": "ephemeral"}, "top_k": None}, {}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
    ],
)
def test_settings(fields: dict[str, object], expected: dict[str, object]) -> None:
    sent = asked(**fields)
    assert {name: sent[name] for name in sent if name not in {"model", "messages", "max_tokens"}} == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_tool_choice(choice: object, expected: object) -> None:
    assert asked(tools=[{**WEATHER, "strict": True}], tool_choice=choice)["tool_choice"] == expected


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"top_k": 5}, "top_k"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"container": "c"}, "container"),
        ({"something_new": 1}, "something_new"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
        ({"tools": [WEATHER], "tool_choice": {"type": "maybe"}}, "maybe"),
        ({"system": 5}, "system"),
        ({"system": [{"type": "image"}]}, "image"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "x"}}]}]},
            "document",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]}, "image"),
        ({"messages": [{"role": "assistant", "content": [{"type": "server_tool_use"}]}]}, "server_tool_use"),
    ],
)
def test_what_openais_wire_does_not_have_is_refused_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        CODEC.request(question(**fields), "gpt-4o", None)


CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 8},
}
USED = Usage(input_tokens=100, cache_read_tokens=64, output_tokens=20, reasoning_tokens=8)
CALL = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"at": "sky"}'}}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "hm",
                "tool_calls": [CALL],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": CHAT_USAGE,
    "service_tier": "default",
}


def test_an_answer() -> None:
    given = CODEC.answer(question(), json.dumps(COMPLETION).encode())
    assert (given.usage, given.processing) == (USED, "standard")
    message = Message.model_validate_json(given.body, strict=True)
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].model_dump(include={"id", "name", "input"}) == {
        "id": "t1",
        "name": "weather",
        "input": {"at": "sky"},
    }
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (36, 64)
    assert message.usage.output_tokens == 20


@pytest.mark.parametrize(
    ("finish_reason", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        (None, "end_turn"),
        ("x", "end_turn"),
    ],
)
def test_stop_reasons(finish_reason: str | None, reason: str) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": finish_reason}
    given = CODEC.answer(question(), json.dumps({**COMPLETION, "choices": [choice]}).encode())
    message = Message.model_validate_json(given.body, strict=True)
    assert (message.stop_reason, message.content) == (reason, [])


def test_arguments_that_are_no_object_are_kept_for_the_caller_to_judge() -> None:
    call = {**CALL, "function": {"name": "weather", "arguments": "{oops"}}
    choice = {"message": {"content": None, "refusal": "no", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    body = CODEC.answer(question(), json.dumps({**COMPLETION, "choices": [choice]}).encode()).body
    refused, used = Message.model_validate_json(body, strict=True).content
    assert (refused.type, used.type) == ("text", "tool_use")
    assert used.input == {"arguments": "{oops"}


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"choices": 5}'])
def test_an_answer_that_is_no_completion_is_not_given_on(body: bytes) -> None:
    with pytest.raises(Unavailable):
        CODEC.answer(question(), body)


def chunk(delta: dict[str, Any] | None, reason: str | None = None, **more: object) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}
    return "data: " + json.dumps({**head, "choices": choices, **more}) + "\n\n"


def piece(index: int, arguments: str, **more: object) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **more, "function": {"arguments": arguments}}]}


def opening(index: int, call: str) -> dict[str, Any]:
    function = {"name": "weather", "arguments": ""}
    return {"tool_calls": [{"index": index, "id": call, "type": "function", "function": function}]}


EVENTS = [
    ": comment\n\n",
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "hm"}),
    chunk({"content": "Let me "}),
    chunk({"content": "look.\n\n"}),
    chunk(opening(0, "t1")),
    chunk(piece(0, '{"at": ')),
    chunk(piece(0, '"sky"}')),
    chunk(opening(1, "t2")),
    chunk({}, "tool_calls"),
    chunk(None, usage=CHAT_USAGE),
]
STREAM = ("".join(EVENTS) + "data: [DONE]\n\n").encode()


def by_the_client(body: bytes) -> Message:
    """What Anthropic's own client makes of a stream."""

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0)
    with client.messages.stream(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}]) as stream:
        return stream.get_final_message()


def cut(stream: AnswerStream, data: bytes, cuts: list[int]) -> bytes:
    edges = sorted({0, len(data), *cuts})
    return b"".join(stream.feed(data[start:end]) for start, end in pairwise(edges)) + stream.finish()


def test_a_stream_makes_the_message_that_the_whole_answer_would() -> None:
    stream = CODEC.stream(question(stream=True))
    sent = stream.feed(STREAM)
    assert (stream.ended, stream.usage(), stream.failure) == (True, USED, None)
    message = by_the_client(sent + stream.ending)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[1].model_dump()["text"] == "Let me look.\n\n"
    assert [block.model_dump().get("input") for block in message.content[2:]] == [{"at": "sky"}, {}]
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (36, 64)
    assert message.usage.output_tokens == 20


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_a_stream_is_the_same_whatever_the_cuts(cuts: list[int]) -> None:
    whole, parts = CODEC.stream(question(stream=True)), CODEC.stream(question(stream=True))
    assert cut(parts, STREAM, cuts) == whole.feed(STREAM)
    assert parts.ending == whole.ending == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_a_stream_without_usage_ends_with_an_estimate() -> None:
    stream = CODEC.stream(question(stream=True))
    sent = stream.feed("".join([*EVENTS[:-1], "data: [DONE]\n\n"]).encode())
    assert stream.usage() is None
    assert by_the_client(sent + stream.ending).usage.output_tokens == stream.delivered_tokens() >= 5


def test_an_error_in_a_stream() -> None:
    stream = CODEC.stream(question(stream=True))
    sent = stream.feed(b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\ndata: {nonsense\n\n')
    assert (stream.failure, stream.ended) == ("overloaded", False)
    with pytest.raises(anthropic.APIStatusError, match="overloaded"):
        by_the_client(sent)


def test_a_refusal_is_in_anthropics_shape() -> None:
    body = CODEC.refusal(429, b'{"error":{"message":"slow down","type":"tokens"}}')
    assert json.loads(body)["error"] == {"type": "rate_limit_error", "message": "slow down"}
