"""Streams reach the client byte for byte, however the network cut them, and their usage is found on the way."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.usage import Usage
from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.event_stream import event_data, split_events
from breakeven.upstreams.wire import AnswerStream, Question, WireName


def question(operation: Operation, **more: object) -> Question:
    prompt = {"input": "hi"} if operation == "responses" else {"messages": [{"role": "user", "content": "hi"}]}
    return ENDPOINTS[operation].question(json.dumps({"model": "m", "stream": True, **prompt, **more}).encode())


def reader(operation: Operation, wire: WireName = "openai", **more: object) -> AnswerStream:
    codec = codec_of(operation, wire)
    assert codec is not None
    return codec.stream(question(operation, **more))


def chunk(**more: object) -> str:
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": None}
    return json.dumps({**base, **more}, separators=(",", ":"))


def delta(text: str) -> str:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
CHAT = [
    ": keep-alive",
    "data: " + chunk(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}], service_tier="flex"),
    "data: " + delta('a "usage":{ and [DONE] and "error": in a text'),
    "data: " + delta("line\nbreak\r\n"),
    "event: unknown\nid: 7\ndata: {\ndata: }",
    "data: " + chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
]
CHAT_USAGE = "data: " + chunk(choices=[], usage=USAGE)
DONE = "data: [DONE]"


def message_event(kind: str, **more: object) -> str:
    return f"event: {kind}\ndata: " + json.dumps({"type": kind, **more})


START_USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 1,
    "service_tier": "standard",
}
MESSAGES = [
    message_event("message_start", message={"id": "msg_1", "type": "message", "usage": START_USAGE}),
    message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    message_event("ping"),
    message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": 'say "message_stop"'}),
    message_event("content_block_stop", index=0),
    message_event(
        "message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 42, "input_tokens": None}
    ),
]
STOP = message_event("message_stop")

RESPONSE = {"id": "r", "object": "response", "error": None, "service_tier": "priority", "usage": None}
RESPONSE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 20},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 25},
    "total_tokens": 80,
}
RESPONSES = [
    message_event("response.created", response=RESPONSE, sequence_number=0),
    message_event("response.output_text.delta", delta="hello", item_id="i", sequence_number=1),
    message_event("response.something_new", sequence_number=2),
]
COMPLETED = message_event("response.completed", response={**RESPONSE, "usage": RESPONSE_USAGE}, sequence_number=3)


def wired(events: list[str], newline: str) -> bytes:
    return "".join(event.replace("\n", newline) + newline * 2 for event in events).encode()


def run(stream: AnswerStream, data: bytes, cuts: list[int]) -> bytes:
    left = b""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in itertools.pairwise(edges):
        left += stream.feed(data[start:end])
    return left + stream.finish()


CUTS = st.lists(st.integers(0, 10_000), max_size=40)
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


@given(cuts=CUTS, newline=NEWLINES, asked=st.booleans())
def test_a_chat_stream_leaves_as_it_came_but_for_usage_that_the_client_did_not_ask_for(
    cuts: list[int], newline: str, asked: bool
) -> None:
    stream = reader("chat", stream_options={"include_usage": asked})
    left = run(stream, wired([*CHAT, CHAT_USAGE, DONE], newline), cuts)
    assert left == wired([*CHAT, CHAT_USAGE] if asked else CHAT, newline)
    assert (stream.ended, stream.ending) == (True, wired([DONE], newline))
    assert stream.usage() == Usage(input_tokens=9, output_tokens=4)
    assert stream.processing() == "flex"
    assert stream.failure is None


@given(cuts=CUTS, newline=NEWLINES)
def test_a_message_stream_leaves_as_it_came(cuts: list[int], newline: str) -> None:
    stream = reader("messages", "anthropic")
    assert run(stream, wired([*MESSAGES, STOP], newline), cuts) == wired(MESSAGES, newline)
    assert (stream.ended, stream.ending) == (True, wired([STOP], newline))
    assert stream.usage() == Usage(
        input_tokens=135, cache_read_tokens=100, cache_write_5m_tokens=10, cache_write_1h_tokens=20, output_tokens=42
    )


@given(cuts=CUTS, newline=NEWLINES)
def test_a_response_stream_leaves_as_it_came(cuts: list[int], newline: str) -> None:
    stream = reader("responses")
    assert run(stream, wired([*RESPONSES, COMPLETED], newline), cuts) == wired(RESPONSES, newline)
    assert (stream.ended, stream.ending) == (True, wired([COMPLETED], newline))
    assert stream.usage() == Usage(input_tokens=50, cache_read_tokens=20, output_tokens=30, reasoning_tokens=25)
    assert stream.processing() == "priority"


@given(events=st.lists(st.sampled_from([*CHAT, CHAT_USAGE, 'data: {"error": {"message": "no"}}', DONE]), max_size=12))
def test_events_that_come_at_once_are_read_as_those_that_come_one_by_one(events: list[str]) -> None:
    at_once, one_by_one = reader("chat"), reader("chat")
    data = [wired([event], "\n") for event in events]
    assert at_once.feed(b"".join(data)) == b"".join(map(one_by_one.feed, data))
    assert (at_once.ended, at_once.ending, at_once.failure) == (one_by_one.ended, one_by_one.ending, one_by_one.failure)
    assert at_once.usage() == one_by_one.usage()


@given(data=st.binary(max_size=400), cuts=CUTS)
def test_bytes_that_are_no_events_pass_or_are_dropped_without_an_error(data: bytes, cuts: list[int]) -> None:
    for stream in (reader("chat"), reader("messages", "anthropic"), reader("responses")):
        left = run(stream, data, cuts) + stream.ending
        assert data.startswith(left.rstrip(b"\n")) or stream.ended
        assert stream.usage() is None


@pytest.mark.parametrize("kept", range(len(CHAT) + 2))
def test_what_was_delivered_before_a_stream_broke_is_known(kept: int) -> None:
    events = [*CHAT, CHAT_USAGE][:kept]
    stream = reader("chat")
    stream.feed(wired(events, "\n") + b'data: {"cut')
    assert stream.finish() == b""
    assert not stream.ended
    assert stream.delivered_tokens() >= sum("data: " in event for event in events)
    assert (stream.usage() is None) == (CHAT_USAGE not in events)


def test_an_end_without_its_blank_line_is_the_end() -> None:
    stream = reader("chat")
    assert stream.feed(b"data: [DONE]") == b""
    assert stream.finish() == b""
    assert (stream.ended, stream.ending) == (True, b"data: [DONE]\n\n")


def test_a_whole_event_without_its_blank_line_is_completed() -> None:
    stream = reader("chat")
    stream.feed(b'data: {"id":"x"}\n')
    assert stream.finish() == b'data: {"id":"x"}\n\n'


def test_text_in_large_events_is_estimated_by_its_bytes() -> None:
    stream = reader("chat")
    stream.feed(wired(["data: " + delta(""), "data: " + delta("word " * 400)], "\n"))
    assert 450 <= stream.delivered_tokens() <= 600


@pytest.mark.parametrize(
    ("operation", "wire", "event"),
    [
        ("chat", "openai", 'data: {"error":{"message":"overloaded","type":"server_error","code":null}}'),
        ("chat", "openai", 'data: {"id":"x","choices":[],"error":{"code":502,"message":"overloaded"}}'),
        ("responses", "openai", 'event: error\ndata: {"type":"error","code":"x","message":"overloaded","param":null}'),
        (
            "messages",
            "anthropic",
            'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}',
        ),
    ],
)
def test_an_error_event_passes_and_is_noticed(operation: Operation, wire: WireName, event: str) -> None:
    stream = reader(operation, wire)
    assert stream.feed(wired([event], "\n")) == wired([event], "\n")
    assert stream.failure == "overloaded"
    assert not stream.ended


@pytest.mark.parametrize(
    ("operation", "wire", "event"),
    [
        ("chat", "openai", 'data: {"usage":{nonsense'),
        ("responses", "openai", 'data: {"response": nonsense'),
        ("messages", "anthropic", 'data: {"type":"message_start", nonsense'),
        ("messages", "anthropic", 'data: {"type":"message_start","message":5}'),
    ],
)
def test_a_malformed_event_passes(operation: Operation, wire: WireName, event: str) -> None:
    stream = reader(operation, wire)
    assert stream.feed(wired([event], "\n")) == wired([event], "\n")
    assert stream.usage() is None
    assert stream.delivered_tokens() >= 1


def test_a_failed_response_is_the_end_and_a_failure() -> None:
    failed = message_event("response.failed", response={**RESPONSE, "error": {"code": "x", "message": "no"}})
    stream = reader("responses")
    assert stream.feed(wired([failed], "\n")) == b""
    assert (stream.ended, stream.failure) == (True, "no")


def test_an_event_that_never_ends_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.upstreams.event_stream.LONGEST_EVENT_BYTES", 1_000)
    stream = reader("chat")
    left = b"".join(stream.feed(b"x" * 300) for _ in range(20))
    assert len(left) >= 4_800


def test_nothing_follows_the_end() -> None:
    stream = reader("chat")
    assert stream.feed(b"data: [DONE]\n\n: bye\n\nrest") == b""
    assert stream.feed(b"more\n\n") + stream.finish() == b""
    assert stream.ending == b"data: [DONE]\n\n"


def test_events_are_split_and_read_as_the_standard_says() -> None:
    data = b": c\n\ndata: a\ndata:b\r\n\r\nevent: x\rdata: [1]\r\rlast"
    assert b"".join(split_events(data)) == data
    assert [event_data(event) for event in split_events(data)] == [b"", b"a\nb", b" [1]", b""]


def test_groq_states_the_usage_of_a_stream_in_its_own_field() -> None:
    stream = reader("chat")
    event = "data: " + chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}], x_groq={"usage": USAGE})
    assert stream.feed(wired([event], "\n")) == wired([event], "\n")
    assert stream.usage() == Usage(input_tokens=9, output_tokens=4)
    assert msgspec.json.decode(event_data(event.encode()))["x_groq"]
