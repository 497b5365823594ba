"""The key of a remembered answer: changed by all that could change the answer, and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import msgspec
import pytest
from anthropic.types import Message
from anthropic.types import message_create_params as messages
from anthropic.types.beta import BetaMessage
from anthropic.types.beta import message_create_params as beta_messages
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openai.types import Completion, CreateEmbeddingResponse
from openai.types import completion_create_params as completions
from openai.types import embedding_create_params as embeddings
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import completion_create_params as chat
from openai.types.responses import Response
from openai.types.responses import response_create_params as responses
from pydantic import BaseModel

from breakeven.policy.cache_key import (
    KEY_BYTES,
    KEY_VERSION,
    NEUTRAL_FIELDS,
    TAG_BYTES,
    TELLING_HEADERS,
    KeyScope,
    Served,
    cache_key,
    neutral_fields,
    route_identity,
    tenant_tag,
)
from breakeven.policy.decision import Operation
from breakeven.upstreams.question_fields import read_fields

ROUTE = route_identity([Served("openai", "openai", "gpt-4o-mini-2024-07-18")])
SCOPE = KeyScope("acme", 0, "chat", ROUTE)
FIELDS: dict[Operation, set[str]] = {
    "chat": {*chat.CompletionCreateParamsBase.__annotations__, "stream"},
    "completions": {*completions.CompletionCreateParamsBase.__annotations__, "stream"},
    "responses": {*responses.ResponseCreateParamsBase.__annotations__, "stream"},
    "embeddings": {*embeddings.EmbeddingCreateParams.__annotations__},
    "messages": {
        *messages.MessageCreateParamsBase.__annotations__,
        *beta_messages.MessageCreateParamsBase.__annotations__,
        *("stream", "temperature", "top_k", "top_p"),  # which older models still take
    },
}
"""Every field of the official clients' own parameter types."""

CHANGES: tuple[Any, ...] = (None, False, True, 0, 1, 0.5, "", "x", [], ["x"], {}, {"x": 1}, {"x": [{"y": "z"}]})


def fields_of(body: Mapping[str, Any] | str) -> dict[str, Raw]:
    return read_fields((body if isinstance(body, str) else json.dumps(body)).encode())


def key(body: Mapping[str, Any] | str, scope: KeyScope = SCOPE, headers: Mapping[bytes, bytes] | None = None) -> bytes:
    found = cache_key(scope, fields_of(body), headers or {})
    assert found is not None, body
    return found


@pytest.mark.parametrize(
    ("operation", "name"), [(operation, name) for operation, names in FIELDS.items() for name in sorted(names)]
)
def test_every_field_of_the_apis_changes_the_key_unless_its_reason_not_to_is_on_record(
    operation: Operation, name: str
) -> None:
    scope = SCOPE._replace(operation=operation)
    keys = [key({"model": "m", "input": "hello"} | {name: value}, scope) for value in CHANGES]
    keys.append(key({n: v for n, v in {"model": "m", "input": "hello"}.items() if n != name}, scope))
    assert len(set(keys)) == (1 if name in neutral_fields(operation) else len(keys))


ANSWERS: dict[Operation, tuple[type[BaseModel], ...]] = {
    "chat": (ChatCompletion, ChatCompletionChunk),
    "completions": (Completion,),
    "responses": (Response,),
    "embeddings": (CreateEmbeddingResponse,),
    "messages": (Message, BetaMessage),
}


@pytest.mark.parametrize("operation", FIELDS)
def test_no_answer_says_back_what_is_not_in_its_key(operation: Operation) -> None:
    said = set().union(*(model.model_fields for model in ANSWERS[operation]))
    assert neutral_fields(operation).keys() & said == set()


def test_the_official_fields_are_those_that_were_counted() -> None:
    assert {operation: len(names) > 4 for operation, names in FIELDS.items()} == dict.fromkeys(FIELDS, True)
    assert FIELDS["chat"] >= {"messages", "tools", "response_format", "seed", "stop", "logit_bias", "service_tier"}
    assert FIELDS["messages"] >= {"system", "thinking", "tool_choice", "output_config"}
    known = set().union(*FIELDS.values())
    assert set(NEUTRAL_FIELDS) <= known
    assert all(len(reason) > 20 for reason in NEUTRAL_FIELDS.values())


def test_streams_and_whole_answers_are_apart() -> None:
    bodies = [{"model": "m"} | more for more in ({}, {"stream": True}, {"stream": True, "stream_options": {"x": 1}})]
    assert len({key(body) for body in bodies}) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(st.text() | st.sampled_from(sorted(NEUTRAL_FIELDS)), JSON, min_size=1, max_size=6)


def shuffled(value: Any, draw: st.DataObject) -> Any:
    if isinstance(value, dict):
        names = draw.draw(st.permutations(list(value)))
        return {name: shuffled(value[name], draw) for name in names}
    return [shuffled(each, draw) for each in value] if isinstance(value, list) else value


@given(BODIES, st.data())
def test_order_and_space_never_change_it(body: dict[str, Any], draw: st.DataObject) -> None:
    indent = draw.draw(st.none() | st.integers(0, 3) | st.just("\t"))
    separators = draw.draw(st.sampled_from([(",", ":"), (" ,", " : "), (",\n", "\t:\r\n"), (", ", ": ")]))
    ascii_only = draw.draw(st.booleans())
    written = json.dumps(shuffled(body, draw), indent=indent, separators=separators, ensure_ascii=ascii_only)
    assert cache_key(SCOPE, fields_of(written), {}) == key(json.dumps(body, ensure_ascii=False))


@given(BODIES, st.text(min_size=1).filter(lambda name: name not in neutral_fields("chat")), JSON)
def test_an_unknown_field_always_does(body: dict[str, Any], name: str, value: Any) -> None:
    without = {n: v for n, v in body.items() if n != name}
    assert key(without | {name: value}) != key(without)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values say the same; ``1``, ``1.0`` and ``true`` are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(BODIES, BODIES)
def test_two_bodies_share_a_key_only_if_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    bare = [{n: v for n, v in body.items() if n not in neutral_fields("chat")} for body in (one, other)]
    assert (key(one) == key(other)) == same(*bare)


@given(JSON, st.data())
def test_any_change_at_any_depth_changes_it(value: Any, draw: st.DataObject) -> None:
    places = list(paths(value))
    place = draw.draw(st.sampled_from(places))
    changed = replaced(value, place, draw.draw(JSON))
    assert (key({"f": changed}) == key({"f": value})) == same(changed, value)


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for name, each in below for path in paths(each, (*at, name)))]


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    if isinstance(value, dict):
        return {n: replaced(v, place[1:], new) if n == place[0] else v for n, v in value.items()}
    return [replaced(v, place[1:], new) if n == place[0] else v for n, v in enumerate(value)]


@pytest.mark.parametrize(
    "body",
    [
        '{"messages":[{"role":"user","role":"system","content":"x"}]}',
        '{"messages":[{"a":{"b":1,"c":{"d":1,"d":1}}}]}',
        '{"tools":{"a":1,"a":2,"b" :3}}',
        '{"x":{"a":1,"\\u0061":2}}',
        '{"x":{"a":1,"a":2,"b":"\\u005cu003a"}}',
        '{"x":{"a":1,"a":2,"b":"\\u003a"}}',
        '{"x":{"a":1,"a":2,"b":"\\u003A"}}',
        '{"x":{"a":"y","a":"::"},"b":"c"}',
    ],
)
def test_what_can_be_read_in_two_ways_has_no_key(body: str) -> None:
    assert cache_key(SCOPE, fields_of(body), {}) is None


@pytest.mark.parametrize("raw", [b'"\\ud800"', b"1e999", b'"\xff"', b"[" * 5_000 + b"]" * 5_000])
def test_what_cannot_be_read_has_no_key(raw: bytes) -> None:
    assert cache_key(SCOPE, {"x": Raw(raw)}, {}) is None


NAMES = st.text("ab:", min_size=1, max_size=3)


@st.composite
def written_objects(draw: st.DrawFn, depth: int = 2) -> tuple[str, bool]:
    """An object's text, and whether a name occurs twice in any object of it."""
    names = draw(st.lists(NAMES, max_size=4))
    twice = len(set(names)) < len(names)
    parts = []
    for name in names:
        value, below = ('"::"', False) if depth == 0 or draw(st.booleans()) else draw(written_objects(depth - 1))
        twice = twice or below
        parts.append(f'"{name}"{draw(st.sampled_from(["", " "]))}:{value}')
    return "{" + ",".join(parts) + "}", twice


@given(written_objects())
def test_a_name_that_occurs_twice_is_always_found(written: tuple[str, bool]) -> None:
    text, twice = written
    found = cache_key(SCOPE, {"x": Raw(text.encode())}, {})
    assert (found is None) == twice


def test_of_a_field_that_occurs_twice_what_is_sent_on_counts() -> None:
    assert key('{"model":"a","model":"b"}') == key('{"model":"b"}')


def test_what_the_gateway_knows_of_a_request_is_in_it() -> None:
    other = route_identity([Served("openai", "openai", "gpt-4o-mini-2025-01-01")])
    scopes = [
        SCOPE,
        SCOPE._replace(tenant="acne"),
        SCOPE._replace(epoch=1),
        SCOPE._replace(operation="responses"),
        SCOPE._replace(route=other),
    ]
    assert len({key({"model": "m"}, scope) for scope in scopes}) == len(scopes)
    assert cache_key(SCOPE, fields_of({"model": "m"}), {}, KEY_VERSION + 1) != key({"model": "m"})


def test_a_route_is_what_serves_it_in_any_order() -> None:
    served = [Served("openai", "a", "m"), Served("azure", "b", "m-1"), Served("openai", "a", "m")]
    assert route_identity(served) == route_identity(served[1::-1])
    different = [[Served("ab", "c", "m")], [Served("a", "bc", "m")], [Served("a", "b", "cm")], served, served[:1], []]
    assert len({route_identity(each) for each in different}) == len(different)


def test_headers_that_reach_the_provider_are_in_it_and_no_others() -> None:
    body = {"model": "m"}
    keys = {key(body, headers={name: value}) for name in TELLING_HEADERS for value in (b"a", b"b")}
    assert len(keys | {key(body)}) == 2 * len(TELLING_HEADERS) + 1
    assert key(body, headers={b"user-agent": b"x", b"traceparent": b"y", b"idempotency-key": b"z"}) == key(body)


TENANTS = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["acme", "acme:0", "4:acme", "acme\0", "acme1:0", "a\ncme"]
)


@given(TENANTS, TENANTS, st.integers(0, 30), st.integers(0, 30), BODIES)
def test_no_tenant_can_make_another_ones_key(
    one: str, other: str, epoch: int, other_epoch: int, body: dict[str, Any]
) -> None:
    keys = [key(body, KeyScope(*who, "chat", ROUTE)) for who in ((one, epoch), (other, other_epoch))]
    assert (keys[0] == keys[1]) == ((one, epoch) == (other, other_epoch))
    assert [len(each) for each in keys] == [KEY_BYTES, KEY_BYTES]
    assert keys[0][:TAG_BYTES] == tenant_tag(one)
    # Nor by a body that says what stands before it: the digest behind the tag is not that of any part of a request.
    assert keys[1][TAG_BYTES:] != keys[0][TAG_BYTES:] or keys[0] == keys[1]


def test_a_tenant_in_the_body_is_only_a_field() -> None:
    stated = [key({"model": "m", "tenant": name}) for name in ("acme", "other")]
    mine = [key({"model": "m", "tenant": name}, SCOPE._replace(tenant="other")) for name in ("acme", "other")]
    assert all(one != another for one, another in combinations(stated + mine, 2))


def test_how_numbers_are_written() -> None:
    assert key('{"temperature":1e0}') == key('{"temperature":1.0}') != key('{"temperature":1}')
    assert key('{"seed":18446744073709551617}') != key('{"seed":18446744073709551616}')
    assert key('{"seed":9007199254740993}') != key('{"seed":9007199254740992}')
    assert msgspec.json.decode(b"-0") == 0
