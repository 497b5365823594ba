"""Which questions have a cache: those that would be answered alike again, and whose answer does nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from breakeven.policy.cache_control import CacheControl, read_cache_control
from breakeven.policy.cacheability import CacheRule, NotCached, not_cached
from breakeven.policy.decision import Operation
from breakeven.upstreams.question_fields import read_fields

RULE = CacheRule()
ALWAYS = CacheRule(always=True)
PURE = CacheRule(pure_tools=True)
USER = {"role": "user", "content": "hello"}
CHAT: dict[str, Any] = {"model": "m", "messages": [USER], "temperature": 0}
RESPONSE: dict[str, Any] = {"model": "m", "input": "hello", "temperature": 0, "store": False}
MESSAGE: dict[str, Any] = {"model": "m", "messages": [USER], "temperature": 0, "max_tokens": 9}
BODIES: dict[Operation, dict[str, Any]] = {
    "chat": CHAT,
    "completions": {"model": "m", "prompt": "hello", "temperature": 0},
    "responses": RESPONSE,
    "messages": MESSAGE,
    "embeddings": {"model": "m", "input": ["hello"]},
}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def why(operation: Operation, rule: CacheRule | None = RULE, /, **changes: Any) -> NotCached | None:
    body = {name: value for name, value in (BODIES[operation] | changes).items() if value is not ...}
    return not_cached(operation, read_fields(json.dumps(body).encode()), rule)


@pytest.mark.parametrize("operation", BODIES)
def test_a_plain_question_is_cached_where_its_route_says_so(operation: Operation) -> None:
    assert why(operation) is None
    assert why(operation, None) == "off"


@pytest.mark.parametrize("operation", [name for name in BODIES if name != "embeddings"])
@pytest.mark.parametrize("temperature", [..., None, 0.01, 1, 1.0, 2, -1, True, "0"])
def test_a_temperature_that_is_not_0_is_not_deterministic(operation: Operation, temperature: Any) -> None:
    found = why(operation, temperature=temperature)
    assert found == ("unreadable" if isinstance(temperature, bool | str) else "not_deterministic")
    if found == "not_deterministic":
        assert why(operation, ALWAYS, temperature=temperature) is None


@pytest.mark.parametrize("temperature", [0, 0.0, -0.0])
def test_0_is_0_however_it_is_written(temperature: float) -> None:
    assert why("chat", temperature=temperature) is None


def test_a_route_may_take_low_temperatures() -> None:
    rule = CacheRule(max_temperature=0.3)
    assert why("chat", rule, temperature=0.3) is None
    assert why("chat", rule, temperature=0.31) == "not_deterministic"
    assert why("chat", rule, temperature=...) == "not_deterministic"


def test_a_seed_is_as_good_as_temperature_0_where_there_are_seeds() -> None:
    assert why("chat", temperature=1, seed=7) is None
    assert why("chat", temperature=..., seed=0) is None
    assert why("completions", temperature=1, seed=7) is None
    assert why("chat", temperature=..., seed=None) == "not_deterministic"
    assert why("responses", temperature=1, seed=7) == "not_deterministic"
    assert why("messages", temperature=1, seed=7) == "not_deterministic"


NEVER: list[tuple[Operation, dict[str, Any], NotCached]] = [
    ("chat", {"n": 2}, "several_answers"),
    ("completions", {"n": 3}, "several_answers"),
    ("chat", {"logprobs": True}, "logprobs"),
    ("chat", {"top_logprobs": 3}, "logprobs"),
    ("completions", {"logprobs": 0}, "logprobs"),
    ("responses", {"top_logprobs": 3}, "logprobs"),
    ("responses", {"include": ["message.output_text.logprobs"]}, "logprobs"),
    ("chat", {"store": True}, "stored"),
    ("responses", {"store": True}, "stored"),
    ("responses", {"store": ...}, "stored"),
    ("responses", {"store": None}, "stored"),
    ("responses", {"previous_response_id": "resp_1"}, "remembered"),
    ("responses", {"conversation": "conv_1"}, "remembered"),
    ("responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "remembered"),
    ("responses", {"conversation": {"id": "conv_1"}}, "remembered"),
    ("messages", {"container": "c_1"}, "remembered"),
    ("messages", {"thread": {"type": "create"}}, "remembered"),
    ("responses", {"background": True}, "background"),
    ("responses", {"prompt": {"id": "pmpt_1"}}, "stored_prompt"),
    ("chat", {"web_search_options": {"search_context_size": "low"}}, "provider_tools"),
    ("chat", {"plugins": [{"id": "web"}]}, "provider_tools"),
    ("chat", {"search_parameters": {"mode": "auto"}}, "provider_tools"),
    ("chat", {"tools": [{"google_search": {}}]}, "provider_tools"),
    ("responses", {"tools": [{"type": "web_search"}]}, "provider_tools"),
    ("responses", {"tools": [{"type": "function", "name": "f"}, {"type": "mcp"}]}, "provider_tools"),
    ("responses", {"tools": [{"type": "image_generation"}]}, "provider_tools"),
    ("messages", {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "provider_tools"),
    ("messages", {"tools": [{"type": "code_execution_20260521", "name": "x"}]}, "provider_tools"),
    ("messages", {"mcp_servers": [{"url": "https://x"}]}, "provider_tools"),
    ("chat", {"modalities": ["text", "audio"], "audio": {"voice": "alloy"}}, "audio"),
    ("chat", {"modalities": ["audio"]}, "audio"),
]


@pytest.mark.parametrize(("operation", "changes", "reason"), NEVER)
def test_some_questions_are_never_cached_whatever_the_route_says(
    operation: Operation, changes: dict[str, Any], reason: NotCached
) -> None:
    for rule in (RULE, ALWAYS, CacheRule(always=True, pure_tools=True, max_temperature=2)):
        assert why(operation, rule, **changes) == reason


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ("chat", {"n": 1, "logprobs": False, "top_logprobs": None, "store": False, "web_search_options": None}),
        ("completions", {"n": 1, "logprobs": None, "best_of": 1}),
        ("responses", {"previous_response_id": None, "background": False, "include": [], "prompt": None}),
        ("responses", {"include": ["reasoning.encrypted_content"]}),
        ("chat", {"modalities": ["text"], "audio": None, "tools": []}),
        ("messages", {"tools": None, "mcp_servers": []}),
    ],
)
def test_what_says_nothing_forbids_nothing(operation: Operation, changes: dict[str, Any]) -> None:
    assert why(operation, **changes) is None


RESULTS: list[tuple[Operation, str, list[dict[str, Any]]]] = [
    ("chat", "messages", [USER, {"role": "tool", "tool_call_id": "call_1", "content": "42"}]),
    ("chat", "messages", [USER, {"role": "function", "name": "f", "content": "42"}]),
    ("responses", "input", [USER, {"type": "function_call_output", "call_id": "call_1", "output": "42"}]),
    ("responses", "input", [{"type": "custom_tool_call_output", "call_id": "call_1", "output": "42"}]),
    (
        "messages",
        "messages",
        [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "4"}]}],
    ),
]


@pytest.mark.parametrize(("operation", "name", "turns"), RESULTS)
def test_tool_results_are_cached_only_where_tools_are_pure(
    operation: Operation, name: str, turns: list[dict[str, Any]]
) -> None:
    for rule in (RULE, ALWAYS):
        assert why(operation, rule, **{name: turns}) == "tool_results"
    assert why(operation, PURE, **{name: turns}) is None
    written = json.dumps(BODIES[operation] | {name: turns}).replace("tool", "\\u0074ool").replace("_out", "\\u005fout")
    assert not_cached(operation, read_fields(written.encode()), RULE) == "tool_results"


def test_tools_that_are_only_offered_do_not_forbid_a_look() -> None:
    assert why("chat", tools=[FUNCTION]) is None
    assert why("responses", tools=[{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}]) is None
    assert why("messages", tools=[{"name": "f", "input_schema": {"type": "object"}}]) is None
    assert why("chat", messages=[{"role": "user", "content": 'the "role" of a "tool" is "tool_result"'}]) is None


LINK = "https://cam.example/now.jpg"
DATA = "data:image/png;base64,aGVsbG8="


def shown(url: str) -> list[tuple[Operation, str, list[dict[str, Any]]]]:
    source = {"type": "url", "url": url} if url == LINK else {"type": "base64", "data": url}
    return [
        ("chat", "messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]),
        ("responses", "input", [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]),
        ("messages", "messages", [{"role": "user", "content": [{"type": "image", "source": source}]}]),
    ]


def test_what_is_at_an_address_may_change() -> None:
    assert [why(operation, **{name: turns}) for operation, name, turns in shown(LINK)] == ["linked"] * 3
    assert [why(operation, **{name: turns}) for operation, name, turns in shown(DATA)] == [None] * 3
    assert why("chat", messages=[{"role": "user", "content": '{"url": "https://x"}'}]) is None


@pytest.mark.parametrize("changes", [{"messages": [7]}, {"tools": 7}, {"n": "two"}, {"seed": []}])
def test_what_cannot_be_read_is_not_cached(changes: dict[str, Any]) -> None:
    tool = {"messages": [{"role": "user", "content": "tool"}]}
    assert why("chat", **(tool | changes if "messages" not in changes else {"messages": [7, "tool"]})) == "unreadable"


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        (b"", CacheControl()),
        (b"no-store", CacheControl(no_store=True)),
        (b"No-Cache , max-age=0", CacheControl(no_cache=True, max_age_s=0)),
        (b'max-age="60"', CacheControl(max_age_s=60)),
        (b"max-age=soon", CacheControl(max_age_s=0)),
        (b"max-age", CacheControl(max_age_s=0)),
        (b"max-age=-1", CacheControl(max_age_s=0)),
        (b"max-age=\xb2", CacheControl(max_age_s=0)),
        (b"max-age=1, max-age=9", CacheControl(max_age_s=1)),
        (b"only-if-cached", CacheControl(only_if_cached=True)),
        (b"public, s-maxage=9, stale-while-revalidate=1, ,;=\xff", CacheControl()),
    ],
)
def test_what_a_client_says_of_the_cache(header: bytes, meaning: CacheControl) -> None:
    assert read_cache_control(header) == meaning


def test_an_answer_may_be_as_old_as_the_client_allows() -> None:
    control = read_cache_control(b"max-age=60")
    assert control.allows_age_ns(60 * 10**9)
    assert not control.allows_age_ns(60 * 10**9 + 1)
    assert read_cache_control(b"").allows_age_ns(10**18)


@pytest.mark.parametrize(
    "url", ["HTTPS://cam.example/now.jpg", " https://cam.example", "gs://cam/now.jpg", "file:///now"]
)
def test_an_address_is_one_however_it_is_written(url: str) -> None:
    said = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]
    assert why("chat", messages=said) == "linked"
    escaped = json.dumps(CHAT | {"messages": said}).replace("s:", "\\u0073:")
    assert not_cached("chat", read_fields(escaped.encode()), RULE) == "linked"


def test_an_answer_is_no_older_than_its_route_takes_now() -> None:
    assert CacheControl().within(60.0) == CacheControl(max_age_s=60)
    assert CacheControl(max_age_s=90, no_cache=True).within(60.0) == CacheControl(max_age_s=60, no_cache=True)
    assert CacheControl(max_age_s=30).within(60.0) == CacheControl(max_age_s=30)


def test_what_is_embedded_from_an_address_may_change() -> None:
    for linked in ({"image": LINK}, {"type": "image_url", "image_url": {"url": LINK}}):
        assert why("embeddings", input=[linked]) == "linked"
    assert why("embeddings", input=[{"image": "aGVsbG8="}, {"image_url": {"url": DATA}}, LINK]) is None
