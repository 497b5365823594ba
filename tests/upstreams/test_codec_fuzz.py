"""Whatever clients and upstreams send, a codec answers or refuses; nothing else ever comes out of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError, Unavailable
from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.wire import Codec, WireName

PAIRS: list[tuple[Operation, WireName]] = [
    (operation, wire)
    for operation in ENDPOINTS
    for wire in ("openai", "anthropic")
    if codec_of(operation, wire) is not None
]
NAMES = [
    *(
        "type",
        "text",
        "content",
        "role",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "index",
        "delta",
        "usage",
    ),
    *("message", "choices", "input", "source", "data", "url", "image_url", "tools", "tool_choice", "system", "stop"),
    *("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "cache_creation", "x_groq", "timings"),
    *("prompt_tokens_details", "cached_tokens", "content_block", "stop_reason", "finish_reason", "error", "response"),
    *("model", "messages", "thinking", "reasoning_effort", "response_format", "output_config", "stream_options"),
    *("service_tier", "metadata", "max_tokens", "n", "tool_use_id", "tool_call_id", "prompt", "temperature"),
]
WORDS = [
    *("user", "assistant", "system", "tool", "text", "image", "image_url", "tool_use", "tool_result", "function"),
    *("message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "error", "{}"),
    *("content_block_stop", "response.completed", "text_delta", "input_json_delta", "auto", ""),
    "data:image/png;base64,A",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)


def codec(operation: Operation, wire: WireName) -> Codec:
    found = codec_of(operation, wire)
    assert found is not None
    return found


@given(
    pair=st.sampled_from(PAIRS), fields=OBJECTS, messages=st.lists(OBJECTS, max_size=3), limit=st.none() | st.just(7)
)
def test_a_question_is_sent_as_json_or_refused(
    pair: tuple[Operation, WireName], fields: dict[str, Any], messages: list[Any], limit: int | None
) -> None:
    body = json.dumps({"model": "m", "messages": messages, "input": "x", **fields}).encode()
    try:
        question = ENDPOINTS[pair[0]].question(body)
        sent = codec(*pair).request(question, "other", limit)
    except InputError:
        return
    assert json.loads(sent)["model"] == "other"


@given(pair=st.sampled_from(PAIRS), answer=OBJECTS | VALUES)
def test_an_answer_is_given_or_found_unusable(pair: tuple[Operation, WireName], answer: object) -> None:
    question = ENDPOINTS[pair[0]].question(b'{"model":"m","messages":[],"input":"x"}')
    body = json.dumps(answer).encode()
    try:
        given = codec(*pair).answer(question, body)
    except Unavailable:
        assert pair in {("chat", "anthropic"), ("messages", "openai")}
        return
    json.loads(given.body)
    codec(*pair).refusal(500, body)


@given(pair=st.sampled_from([pair for pair in PAIRS if pair[0] != "embeddings"]), events=st.lists(OBJECTS, max_size=6))
def test_a_stream_of_anything_is_read_without_an_error(
    pair: tuple[Operation, WireName], events: list[dict[str, Any]]
) -> None:
    question = ENDPOINTS[pair[0]].question(b'{"model":"m","messages":[],"input":"x","stream":true}')
    stream = codec(*pair).stream(question)
    for event in events:
        for data in stream.feed(b"data: " + json.dumps(event).encode() + b"\n\n").decode().split("\n\n"):
            assert data == "" or json.loads(data.partition("data: ")[2]) is not None
    stream.finish()
    assert stream.delivered_tokens() >= 0
    assert stream.extras() is not None
    assert stream.failure is None or isinstance(stream.failure, str)
    assert stream.usage() is None or stream.usage().input_tokens >= 0
