"""Questions are read without being taken apart, and what need not change is sent on byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS, codec_of
from breakeven.upstreams.openai_chat import ChatCodec
from breakeven.upstreams.question_fields import PREFIX_BYTES
from breakeven.upstreams.wire import Codec, Question, WireName

OPERATIONS: list[Operation] = ["chat", "responses", "completions", "embeddings", "messages"]
PROMPT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "input": "hi", "prompt": "hi"}


def read(operation: Operation, **fields: object) -> Question:
    return ENDPOINTS[operation].question(json.dumps({"model": "m", **PROMPT, **fields}).encode())


def own_codec(operation: Operation) -> Codec:
    codec = codec_of(operation, "echo")
    assert codec is not None
    return codec


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
KEYS = TEXT.filter(lambda name: name not in {"n", "stream", "speed", "tools"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@given(
    operation=st.sampled_from(OPERATIONS),
    unknown=st.dictionaries(KEYS, VALUES, max_size=5),
    escaped=st.booleans(),
    layout=st.sampled_from([(None, (",", ":")), (None, (", ", ": ")), (1, (",", " : ")), ("\t", (" ,", ":"))]),
)
def test_a_question_that_need_not_change_is_sent_as_the_very_bytes(
    operation: Operation, unknown: dict[str, Any], escaped: bool, layout: tuple[Any, Any]
) -> None:
    fields = {**unknown, "model": "m", **PROMPT}
    body = json.dumps(fields, ensure_ascii=escaped, indent=layout[0], separators=layout[1]).encode()
    question = ENDPOINTS[operation].question(body)
    sent = own_codec(operation).request(question, "m", None)
    if all(json.dumps(name, ensure_ascii=escaped) == f'"{name}"' for name in fields):
        assert sent is body
    else:
        assert json.loads(sent) == fields  # a name that was written with escapes may be written plainly


@given(operation=st.sampled_from(OPERATIONS), unknown=st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_change_leaves_every_other_field_as_it_was(operation: Operation, unknown: dict[str, Any]) -> None:
    fields = {**unknown, "model": "m", **PROMPT}
    sent = own_codec(operation).request(ENDPOINTS[operation].question(json.dumps(fields).encode()), "o3", 77)
    limits = {
        "chat": "max_completion_tokens",
        "responses": "max_output_tokens",
        "completions": "max_tokens",
        "messages": "max_tokens",
    }
    limit = {limits[operation]: 77} if operation in limits else {}
    assert json.loads(sent) == {**fields, "model": "o3", **limit}


@pytest.mark.parametrize("space", [b"", b" "])
def test_of_a_field_sent_twice_only_the_last_is_read_and_sent(space: bytes) -> None:
    body = b'{"model":"dear","max_tokens":9,"messages":[],%s"max_tokens":5,"model":"cheap"}' % space
    question = ENDPOINTS["chat"].question(body)
    assert (question.model, question.max_output_tokens) == ("cheap", 5)
    assert own_codec("chat").request(question, "cheap", None) == b'{"model":"cheap","max_tokens":5,"messages":[]}'


def test_a_field_hidden_by_escapes_is_sent_as_it_was_read() -> None:
    body = b'{"model":"m","messages":[],"max_tokens":9,"max\\u005ftokens":5}'
    question = ENDPOINTS["chat"].question(body)
    assert question.max_output_tokens == 5
    assert own_codec("chat").request(question, "m", None) == b'{"model":"m","messages":[],"max_tokens":5}'


def test_spaces_around_a_body_are_kept() -> None:
    body = b'  {"model": "m" ,\n "messages": [] }\n'
    assert own_codec("chat").request(ENDPOINTS["chat"].question(body), "m", None) is body


def test_what_is_read_of_a_chat() -> None:
    question = read("chat", stream=True, max_tokens=5, max_completion_tokens=7, n=3, service_tier="flex")
    assert (question.operation, question.model, question.stream) == ("chat", "m", True)
    assert (question.max_output_tokens, question.choices, question.processing) == (7, 3, "flex")
    assert question.body_bytes == len(question.body)
    assert (question.attachments, question.unseen_input, question.extras) == (0, False, ())
    assert question.prefix == b'[{"role": "user", "content": "hi"}]'


@pytest.mark.parametrize(
    ("operation", "fields", "limit", "choices"),
    [
        ("chat", {}, None, 1),
        ("chat", {"max_tokens": None, "n": None}, None, 1),
        ("chat", {"max_tokens": 4.0}, 4, 1),
        ("responses", {"max_output_tokens": 8}, 8, 1),
        ("completions", {"prompt": ["a", "b"], "n": 2, "best_of": 5, "max_tokens": 0}, 0, 10),
        ("completions", {"prompt": [1, 2, 3]}, None, 1),
        ("completions", {"prompt": [[1], [2, 3]]}, None, 2),
        ("completions", {"prompt": []}, None, 1),
        ("embeddings", {"max_tokens": 9}, 0, 1),
        ("messages", {"max_tokens": 6}, 6, 1),
    ],
)
def test_limits_and_choices(operation: Operation, fields: dict[str, Any], limit: int | None, choices: int) -> None:
    question = read(operation, **fields)
    assert (question.max_output_tokens, question.choices) == (limit, choices)


@pytest.mark.parametrize(
    ("operation", "fields", "unseen"),
    [
        ("chat", {"web_search_options": {}}, True),
        ("responses", {"previous_response_id": "r"}, True),
        ("responses", {"previous_response_id": None, "conversation": None}, False),
        ("responses", {"conversation": "c"}, True),
        ("responses", {"prompt": {"id": "p"}}, True),
        ("responses", {"prompt": None, "tools": [{"type": "function", "name": "f"}]}, False),
        ("responses", {"prompt": None, "tools": [{"type": "file_search"}]}, True),
        ("messages", {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, False),
        ("messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, True),
        ("messages", {"container": "c"}, True),
    ],
)
def test_input_that_the_body_does_not_bound_is_seen(operation: Operation, fields: dict[str, Any], unseen: bool) -> None:
    prompt = {"prompt": None} if operation == "responses" else {}
    assert read(operation, **{**prompt, **fields}).unseen_input is unseen


@pytest.mark.parametrize(
    ("operation", "fields", "extras"),
    [
        ("chat", {"web_search_options": {}}, ("web_searches",)),
        ("responses", {"tools": [{"type": "image_generation"}]}, ("output_image_tokens",)),
        ("responses", {"tools": [{"type": "web_search_preview"}]}, ("web_searches",)),
        ("messages", {"tools": [{"type": "web_search_20250305"}]}, ("web_searches",)),
        ("messages", {"inference_geo": "us"}, ("us_inference",)),
        ("messages", {"inference_geo": "global"}, ()),
    ],
)
def test_what_will_be_billed_beside_tokens_is_known_before(
    operation: Operation, fields: dict[str, Any], extras: tuple[str, ...]
) -> None:
    assert read(operation, **fields).extras == extras


@pytest.mark.parametrize(
    ("operation", "fields", "processing"),
    [
        ("chat", {"service_tier": "auto"}, None),
        ("chat", {"service_tier": None}, None),
        ("chat", {"service_tier": "default"}, "standard"),
        ("chat", {"service_tier": "fast"}, "priority"),
        ("responses", {"service_tier": "priority"}, "priority"),
        ("messages", {"speed": "fast"}, "fast"),
        ("messages", {"speed": "standard"}, None),
    ],
)
def test_the_tier_that_is_asked_for(operation: Operation, fields: dict[str, Any], processing: str | None) -> None:
    assert read(operation, **fields).processing == processing


PARTS = [
    {"type": "text", "text": 'not {"type": "image_url"} nor "type": "file"'},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "file", "file": {"file_id": "f"}},
]


def test_attachments_are_counted_wherever_they_are() -> None:
    question = read("chat", messages=[{"role": "user", "content": PARTS}])
    assert (question.attachments, question.extras, question.has_audio) == (3, (), True)
    found = {"type": "tool_result", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]}
    assert read("messages", messages=[{"role": "user", "content": [found, {"type": "document"}]}]).attachments == 2
    items = [{"role": "user", "content": [{"type": "input_image"}, {"type": "input_file"}]}]
    assert read("responses", input=items).attachments == 2
    assert read("chat", messages=[{"role": "user", "content": '"type": "image" in [a list]'}]).attachments == 0


HEARD = [{"role": "user", "content": [PARTS[2]]}]
EARLIER = [{"role": "assistant", "audio": {"id": "audio_1"}}, {"role": "user", "content": "and then?"}]


@pytest.mark.parametrize(
    ("operation", "fields", "has_audio", "asks_audio"),
    [
        ("chat", {}, False, False),
        ("chat", {"messages": HEARD}, True, False),
        ("chat", {"modalities": ["text", "audio"], "audio": {"voice": "x"}}, False, True),
        ("chat", {"modalities": ["text"], "messages": [{"role": "user", "content": 'say "audio": {}'}]}, False, False),
        ("chat", {"modalities": ["text", "audio"], "messages": EARLIER}, True, True),
        ("responses", {"input": HEARD}, True, False),
        ("responses", {"input": "x"}, False, False),
    ],
)
def test_audio_is_known_before(operation: Operation, fields: dict[str, Any], has_audio: bool, asks_audio: bool) -> None:
    question = read(operation, **fields)
    assert (question.has_audio, question.asks_audio) == (has_audio, asks_audio)


def test_audio_of_an_earlier_answer_is_input_that_the_body_does_not_bound() -> None:
    assert read("chat", modalities=["text", "audio"], messages=EARLIER).unseen_input
    assert not read("chat", modalities=["text", "audio"], messages=HEARD).unseen_input


def test_a_part_hidden_by_escapes_is_counted() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":[{"\\u0074ype":"image\\u005furl"}]}]}'
    assert ENDPOINTS["chat"].question(body).attachments == 1


def test_the_prefix_is_what_a_provider_caches_first() -> None:
    question = read("messages", system="s" * 600, messages=[{"role": "user", "content": "m" * 900}])
    assert len(question.prefix) == PREFIX_BYTES
    assert question.prefix.startswith(b'"' + b"s" * 600 + b'"[{')
    same = [read("chat", messages=[{"role": "user", "content": "x" * 2_000 + end}]).prefix for end in "ab"]
    assert same[0] == same[1]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{", b'{"model"}', b'{"model":"m",}', b"\xff\xfe"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_body_that_is_no_object_is_refused(operation: Operation, body: bytes) -> None:
    with pytest.raises(InputError, match="JSON"):
        ENDPOINTS[operation].question(body)


@pytest.mark.parametrize(
    ("operation", "fields", "named"),
    [
        ("chat", {"model": ""}, "model"),
        ("chat", {"model": None}, "model"),
        ("chat", {"model": 5}, "model"),
        ("chat", {"model": "m" * 600}, "model"),
        ("chat", {"messages": "hi"}, "messages"),
        ("chat", {"stream": "true"}, "stream"),
        ("chat", {"max_tokens": "100"}, "max_tokens"),
        ("chat", {"max_tokens": 1.5}, "max_tokens"),
        ("chat", {"max_tokens": -1}, "max_tokens"),
        ("chat", {"max_tokens": 10**30}, "max_tokens"),
        ("chat", {"max_completion_tokens": True}, "max_completion_tokens"),
        ("chat", {"n": 0}, "n must"),
        ("chat", {"n": 129}, "n must"),
        ("chat", {"service_tier": 1}, "service_tier"),
        ("responses", {"background": True}, "background"),
        ("embeddings", {"input": None}, "input"),
        ("embeddings", {"stream": True}, "streamed"),
        ("messages", {"messages": {}}, "messages"),
        ("completions", {"best_of": 0}, "best_of"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(operation: Operation, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        read(operation, **fields)


@pytest.mark.parametrize("operation", ["chat", "messages"])
def test_a_question_without_messages_is_refused(operation: Operation) -> None:
    with pytest.raises(InputError, match="messages is missing"):
        ENDPOINTS[operation].question(b'{"model":"m"}')


def test_a_body_nested_beyond_reason_is_refused() -> None:
    body = b'{"model":"m","messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InputError, match="nested"):
        ENDPOINTS["chat"].question(body)


def test_a_stream_is_asked_for_its_usage() -> None:
    codec = own_codec("chat")
    asked = json.loads(codec.request(read("chat", stream=True), "m", None))
    assert asked["stream_options"] == {"include_usage": True}
    question = read("chat", stream=True, stream_options={"include_usage": False, "include_obfuscation": False})
    asked = json.loads(codec.request(question, "m", None))
    assert asked["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    already = read("chat", stream=True, stream_options={"include_usage": True})
    assert codec.request(already, "m", None) is already.body


@pytest.mark.parametrize("operation", ["chat", "completions"])
@pytest.mark.parametrize("options", [5, [], {"include_usage": "yes"}])
def test_malformed_stream_options_are_refused_before_anything_is_sent(operation: Operation, options: object) -> None:
    with pytest.raises(InputError, match=r"stream_options|include_usage"):
        read(operation, stream=True, stream_options=options)


def test_a_limit_is_set_only_where_the_client_has_none() -> None:
    codec = own_codec("chat")
    assert "max_tokens" not in json.loads(codec.request(read("chat", max_completion_tokens=4), "m", 9))
    assert json.loads(codec.request(read("chat"), "llama-3", 9))["max_tokens"] == 9
    assert json.loads(codec.request(read("chat"), "openai/gpt-5-mini", 9))["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    ("operation", "wire", "path"),
    [
        ("chat", "openai", "/chat/completions"),
        ("completions", "openai", "/completions"),
        ("embeddings", "openai", "/embeddings"),
        ("responses", "openai", "/responses"),
        ("messages", "anthropic", "/messages"),
        ("chat", "anthropic", "/messages"),
        ("embeddings", "anthropic", None),
        ("responses", "anthropic", None),
        ("completions", "anthropic", None),
    ],
)
def test_which_wire_serves_which_endpoint(operation: Operation, wire: WireName, path: str | None) -> None:
    codec = codec_of(operation, wire)
    assert (codec.path if codec else None) == path


def test_a_refusal_of_the_same_wire_passes_as_it_came() -> None:
    for operation in OPERATIONS:
        assert own_codec(operation).refusal(418, b"any bytes") == b"any bytes"


def test_a_server_that_refuses_stream_options_is_not_sent_any() -> None:
    question = read("chat", stream=True)
    assert ChatCodec(asks_usage=False).request(question, "m", None) is question.body
    assert json.loads(ChatCodec(limit_field="max_tokens").request(question, "gpt-5", 4))["max_tokens"] == 4


def test_embeddings_have_no_stream() -> None:
    with pytest.raises(InputError, match="not streamed"):
        own_codec("embeddings").stream(read("embeddings"))
