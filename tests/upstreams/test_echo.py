from __future__ import annotations

import asyncio
import base64
import json
import math
from array import array
from typing import Any

import anthropic.types
import openai.types
import openai.types.chat as chat_types
import openai.types.responses as response_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.json import Decoder
from pydantic import TypeAdapter

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError
from breakeven.upstreams.echo import EchoUpstream
from breakeven.upstreams.echo_embeddings import unit_vector
from breakeven.upstreams.echo_prompt import echo_usage, read_prompt, split_tokens
from upstreams.loopback import Heard, Run

FOX = "The quick brown fox jumps over the lazy dog."
PATHS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "responses": "/responses",
    "messages": "/messages",
    "embeddings": "/embeddings",
}


class Asked:
    """The part of a `Question` that the usage of an echo is counted from."""

    def __init__(self, operation: str, body: dict[str, Any]) -> None:
        self.operation = operation
        self.fields = Decoder(dict[str, Raw]).decode(json.dumps(body).encode())


def usage_of(operation: str, body: dict[str, Any]) -> Usage:
    return echo_usage(Asked(operation, body))


async def tell(path: str, body: bytes) -> Heard:
    heard = Heard()
    EchoUpstream().send(path, {}, body, heard)
    return await heard.end()


def answer(operation: str, body: dict[str, Any]) -> Heard:
    return asyncio.run(tell(PATHS[operation], json.dumps(body).encode()))


def events(operation: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    heard = answer(operation, body | {"stream": True})
    assert heard.headers[b"content-type"].startswith(b"text/event-stream")
    found = []
    for event in heard.body.decode().removesuffix("\n\n").split("\n\n"):
        *named, data = event.split("\n")
        assert data.startswith("data: ")
        if data != "data: [DONE]":
            found.append(json.loads(data[6:]))
            assert named == ([f"event: {found[-1]['type']}"] if named else [])
    return found


def chat(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "echo", "messages": [{"role": "user", "content": text}], **more}


def test_chat_says_the_last_user_message_back() -> None:
    told = json.loads(answer("chat", chat(FOX)).body)
    assert told["object"] == "chat.completion"
    assert told["model"] == "echo"
    (choice,) = told["choices"]
    assert choice["message"] == {"role": "assistant", "content": FOX, "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert told["usage"]["prompt_tokens"] == 14
    assert told["usage"]["completion_tokens"] == 10
    assert told["usage"]["total_tokens"] == 24


def test_a_limit_cuts_and_says_so_and_choices_multiply() -> None:
    told = json.loads(answer("chat", chat(FOX, max_tokens=3, n=2)).body)
    assert [choice["message"]["content"] for choice in told["choices"]] == ["The quick brown"] * 2
    assert {choice["finish_reason"] for choice in told["choices"]} == {"length"}
    assert told["usage"]["completion_tokens"] == 6
    assert usage_of("chat", chat(FOX, max_tokens=3, n=2)) == Usage(input_tokens=14, output_tokens=6)


def test_parts_of_other_kinds_and_other_roles_are_not_said() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = {
        "model": "echo",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is "}, image, {"type": "text", "text": "it?"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "look"}}]},
            {"role": "tool", "tool_call_id": "1", "content": "a fox"},
        ],
    }
    assert json.loads(answer("chat", body).body)["choices"][0]["message"]["content"] == "What is it?"


def test_a_streamed_chat_joins_to_the_whole_answer_and_shows_usage_where_asked() -> None:
    body = chat(FOX, stream_options={"include_usage": True}, n=2)
    chunks = events("chat", body)
    for index in (0, 1):
        deltas = [c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"] if c["index"] == index]
        assert "".join(deltas) == FOX
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == json.loads(answer("chat", body).body)["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert not any("usage" in chunk for chunk in events("chat", chat(FOX)))
    assert answer("chat", chat(FOX, stream=True)).body.endswith(b"data: [DONE]\n\n")


def test_a_long_answer_is_streamed_in_a_bounded_number_of_events() -> None:
    chunks = events("chat", chat("word " * 5_000))
    assert len(chunks) <= 202
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in chunks) == "word " * 5_000


def test_legacy_completions_take_several_prompts() -> None:
    body = {"model": "echo", "prompt": ["a b", "c"], "n": 2}
    told = json.loads(answer("completions", body).body)
    assert [(choice["index"], choice["text"]) for choice in told["choices"]] == [
        (0, "a b"),
        (1, "a b"),
        (2, "c"),
        (3, "c"),
    ]
    assert told["usage"]["prompt_tokens"] == 3
    assert told["usage"]["completion_tokens"] == 6
    chunks = events("completions", body)
    assert "".join(c["text"] for chunk in chunks for c in chunk["choices"] if c["index"] == 1) == "a b"
    assert json.loads(answer("completions", {"model": "m", "prompt": [1, 22]}).body)["choices"][0]["text"] == "1 22"


def test_a_response_and_its_stream() -> None:
    body = {"model": "echo", "input": FOX, "instructions": "Be brief.", "max_output_tokens": 4}
    told = json.loads(answer("responses", body).body)
    assert told["status"] == "incomplete"
    assert told["incomplete_details"] == {"reason": "max_output_tokens"}
    assert told["output"][0]["content"][0]["text"] == "The quick brown fox"
    assert told["usage"]["input_tokens"] == 17
    assert told["usage"]["output_tokens"] == 4
    streamed = events("responses", body)
    assert [event["sequence_number"] for event in streamed] == list(range(len(streamed)))
    assert streamed[-1]["type"] == "response.incomplete"
    assert streamed[-1]["response"]["output"][0]["content"] == told["output"][0]["content"]
    assert streamed[-1]["response"]["usage"] == told["usage"]
    assert "".join(e["delta"] for e in streamed if e["type"] == "response.output_text.delta") == "The quick brown fox"
    parts = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call_output", "output": "1"},
    ]
    assert events("responses", {"model": "m", "input": parts})[-1]["type"] == "response.completed"


def test_a_message_and_its_stream() -> None:
    body = chat([{"type": "text", "text": FOX}], max_tokens=3, system=[{"type": "text", "text": "Be brief."}])
    told = json.loads(answer("messages", body).body)
    assert told["content"] == [{"type": "text", "text": "The quick brown"}]
    assert told["stop_reason"] == "max_tokens"
    assert told["usage"]["input_tokens"] == 17
    assert told["usage"]["output_tokens"] == 3
    streamed = events("messages", body)
    assert [event["type"] for event in streamed] == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert streamed[0]["message"]["usage"]["input_tokens"] == 17
    assert streamed[-2]["usage"]["output_tokens"] == 3
    assert "".join(e["delta"]["text"] for e in streamed[3:6]) == "The quick brown"


def test_embeddings_are_unit_vectors_the_same_for_equal_texts() -> None:
    body = {"model": "echo", "input": ["fox", "dog", "fox"]}
    told = json.loads(answer("embeddings", body).body)
    fox, dog, again = (each["embedding"] for each in told["data"])
    assert fox == again != dog
    assert len(fox) == 256
    assert abs(sum(a * b for a, b in zip(fox, dog, strict=True))) < 0.4
    assert told["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert usage_of("embeddings", body) == Usage(input_tokens=3)
    encoded = json.loads(answer("embeddings", body | {"encoding_format": "base64"}).body)["data"][0]["embedding"]
    assert array("f", base64.b64decode(encoded)).tolist() == fox


@given(st.text(max_size=20), st.integers(1, 300))
def test_an_embedding_has_length_one(text: str, dimensions: int) -> None:
    vector = unit_vector(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.sqrt(sum(value * value for value in vector)), 1.0, abs_tol=1e-5)


@given(st.text())
def test_tokens_join_to_their_text_and_none_is_less_than_a_byte(text: str) -> None:
    tokens = split_tokens(text)
    assert "".join(tokens) == text
    assert len(tokens) <= len(text.encode())


contents = st.text(max_size=60) | st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=30)})
)


@given(
    st.sampled_from(["chat", "messages", "responses", "completions"]),
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": contents}),
        min_size=1,
        max_size=4,
    ),
    st.none() | st.integers(0, 20),
    st.integers(1, 3),
    st.booleans(),
)
def test_the_usage_that_is_reported_is_the_usage_that_was_foretold(
    operation: str, messages: list[dict[str, Any]], limit: int | None, choices: int, streams: bool
) -> None:
    body: dict[str, Any] = {"model": "echo", "messages": messages, "stream_options": {"include_usage": True}}
    body |= {"input": messages, "prompt": [json.dumps(each) for each in messages]}
    if limit is not None:
        body["max_output_tokens" if operation == "responses" else "max_tokens"] = limit
    if operation in {"chat", "completions"}:
        body["n"] = choices
    foretold = usage_of(operation, body)
    assert foretold.input_tokens <= len(json.dumps(body))
    if streams:
        streamed = events(operation, body)
        if operation == "messages":
            told = streamed[-2]["usage"]
        else:
            told = streamed[-1].get("usage") or streamed[-1]["response"]["usage"]
    else:
        told = json.loads(answer(operation, body).body)["usage"]
    names = (
        ("input_tokens", "output_tokens")
        if operation in {"messages", "responses"}
        else ("prompt_tokens", "completion_tokens")
    )
    assert Usage(input_tokens=told[names[0]], output_tokens=told[names[1]]) == foretold


@pytest.mark.parametrize("limit", [3, 100])
def test_every_body_and_event_is_one_of_the_official_clients_types(limit: int) -> None:
    def strictly(kind: Any, value: Any) -> None:
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)

    asked: list[tuple[str, Any, Any, dict[str, Any]]] = [
        ("chat", chat_types.ChatCompletion, chat_types.ChatCompletionChunk, chat(FOX, max_tokens=limit)),
        ("completions", openai.types.Completion, openai.types.Completion, {"prompt": FOX, "max_tokens": limit}),
        (
            "responses",
            response_types.Response,
            response_types.ResponseStreamEvent,
            {"input": FOX, "max_output_tokens": limit},
        ),
        ("messages", anthropic.types.Message, anthropic.types.RawMessageStreamEvent, chat(FOX, max_tokens=limit)),
    ]
    for operation, whole, event, body in asked:
        strictly(whole, json.loads(answer(operation, body).body))
        for each in events(operation, body | {"stream_options": {"include_usage": True}}):
            if operation == "completions":  # the API sends null, which the client's type forgets
                each["choices"] = [choice | {"finish_reason": "stop"} for choice in each["choices"]]
            if each.get("type") != "ping":  # the client drops it by its name
                strictly(event, each)
    strictly(openai.types.CreateEmbeddingResponse, json.loads(answer("embeddings", {"input": FOX}).body))


def test_equal_requests_get_equal_answers_to_the_byte() -> None:
    assert answer("chat", chat(FOX)).body == answer("chat", chat(FOX)).body


def test_the_limit_that_a_codec_sets_is_foretold_too() -> None:
    fields = Asked("chat", chat(FOX)).fields
    assert read_prompt("chat", fields, 2).limit == 2
    assert echo_usage(Asked("chat", chat(FOX)), 2).output_tokens == 2
    assert echo_usage(Asked("chat", chat(FOX, max_tokens=5)), 2).output_tokens == 5


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat", b"no json"),
        ("chat", b"[]"),
        ("chat", b'{"model":"m"}'),
        ("chat", b'{"model":"m","messages":[]}'),
        ("chat", b'{"model":"m","messages":[{"role":"user","content":7}]}'),
        ("chat", b'{"model":"m","messages":[{"role":"user","content":"a"}],"n":0}'),
        ("chat", b'{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":-1}'),
        ("chat", b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'),
        ("chat", b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}'),
        ("chat", b'{"model":"m","tools":"\xff","messages":[{"role":"user","content":"a"}]}'),
        ("responses", b'{"model":"m"}'),
        ("embeddings", b'{"model":"m"}'),
        ("embeddings", b'{"model":"m","input":"a","dimensions":99999}'),
        ("messages", b'{"model":"m","max_tokens":"1","messages":[{"role":"user","content":"a"}]}'),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_shape_of_its_wire(operation: str, body: bytes) -> None:
    heard = asyncio.run(tell(PATHS[operation], body))
    assert heard.status == 400
    assert json.loads(heard.body)["error"]["type"] == "invalid_request_error"
    assert (json.loads(heard.body).get("type") == "error") is (operation == "messages")


def test_an_unknown_path_is_not_found_and_an_unreadable_question_has_no_usage() -> None:
    assert asyncio.run(tell("/audio", b"{}")).status == 404
    with pytest.raises(InputError):
        usage_of("chat", {"model": "m", "messages": 1})


def test_an_exchange_waits_while_paused_and_ends_when_given_up(run: Run) -> None:
    async def check() -> None:
        body = json.dumps(chat(FOX, stream=True)).encode()
        heard = Heard()
        exchange = EchoUpstream().send("/chat/completions", {}, body, heard)
        assert heard.status == 0
        heard.on_piece = lambda _piece: exchange.pause()
        for pieces in range(1, 4):
            await asyncio.sleep(0.01)
            assert len(heard.pieces) == pieces
            exchange.resume()
            exchange.resume()
        exchange.abort()
        await asyncio.sleep(0.01)
        assert len(heard.pieces) == 3
        assert not heard.over.is_set()
        whole = Heard()
        again = EchoUpstream().send("/chat/completions", {}, body, whole)
        again.pause()
        again.resume()
        await whole.end()
        assert whole.body.count(b"data: ") == 13

    run(check())
