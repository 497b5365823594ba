"""Marks are put where they were asked for, as the official clients' types have them, and all other bytes stay."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from anthropic.types import MessageCreateParams
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import CompletionCreateParams
from pydantic import ConfigDict, TypeAdapter

from breakeven.catalog.prompt_caches import CacheControl
from breakeven.upstreams.cache_marks import MarkStyle, boundaries, says_what_to_cache, with_key, with_marks
from breakeven.upstreams.json_spans import Unlocatable, place_spans
from breakeven.upstreams.prompt_boundaries import ATTACHMENT_TOKENS, Boundary
from breakeven.upstreams.question_fields import read_fields

ANTHROPIC = TypeAdapter(MessageCreateParams, config=ConfigDict(extra="forbid"))
OPENAI = TypeAdapter(CompletionCreateParams, config=ConfigDict(extra="forbid"))
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS = [{"name": name, "description": "Look.", "input_schema": SCHEMA} for name in ("see", "hear")]
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" * 100}}
MESSAGE: dict[str, Any] = {
    "model": "claude-opus-5",
    "max_tokens": 9,
    "tools": TOOLS,
    "system": "Be kind, Zoë.",
    "messages": [
        {"role": "user", "content": "What is there?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t", "name": "see", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [PNG]},
                PNG,
                {"type": "text", "text": '\\"}]and that?'},
            ],
        },
    ],
}
CHAT: dict[str, Any] = {
    "model": "gpt-5.6",
    "tools": [{"type": "function", "function": {"name": "see", "parameters": SCHEMA}}],
    "messages": [
        {"role": "system", "content": "Be kind, Zoë."},
        {"role": "user", "content": [{"type": "text", "text": "What"}, {"type": "text", "text": "is there?"}]},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "see", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "t", "content": "a cat"},
    ],
}
FOUR: Any = [*("5m",) * 4]


def found(body: Any, style: MarkStyle = "cache_control", **options: Any) -> tuple[Boundary, ...]:
    return boundaries(json.dumps(body, **options).encode(), style, 0.25).found


def marked(body: Any, places: list[int], style: MarkStyle = "cache_control", ttls: Any = FOUR, **options: Any) -> bytes:
    plain = json.dumps(body, **options).encode()
    at = boundaries(plain, style, 0.25).found
    return with_marks(plain, style, [(at[place], ttl) for place, ttl in zip(places, ttls, strict=False)])


def ends_of(plain: bytes, style: MarkStyle) -> list[bytes]:
    """The block or text that each boundary ends with."""
    places = [each.place for each in boundaries(plain, style, 0.25).found]
    return [plain[slice(*span)] for span in place_spans(plain, places)]


def test_every_block_that_can_carry_a_mark_is_a_boundary_in_the_order_of_anthropics_hash() -> None:
    plain = json.dumps(MESSAGE).encode()
    ends = ends_of(plain, "cache_control")
    blocks = [*MESSAGE["messages"][1]["content"][1:], *MESSAGE["messages"][2]["content"]]  # a thought carries none
    assert list(map(json.loads, ends)) == [*TOOLS, MESSAGE["system"], "What is there?", *blocks]


def test_what_the_model_said_carries_no_breakpoint_of_openai() -> None:
    plain = json.dumps(CHAT).encode()
    ends = ends_of(plain, "prompt_cache_breakpoint")
    assert list(map(json.loads, ends)) == ["Be kind, Zoë.", *CHAT["messages"][1]["content"], "a cat"]


def test_the_golden_bytes_of_a_marked_message() -> None:
    body = {"system": "A", "tools": [TOOLS[0]], "messages": [{"role": "user", "content": [{"type": "text"}]}], "n": 1}
    text = marked(body, [0, 1, 2], ttls=("1h", "5m", "5m"))
    assert text == (
        b'{"system": [{"type":"text","text":"A","cache_control":{"type":"ephemeral"}}], "tools": [{"name": "see", '
        b'"description": "Look.", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}'
        b',"cache_control":{"type":"ephemeral","ttl":"1h"}}], "messages": [{"role": "user", "content": '
        b'[{"type": "text","cache_control":{"type":"ephemeral"}}]}], "n": 1}'
    )


def test_the_golden_bytes_of_a_marked_chat() -> None:
    messages = [{"role": "system", "content": "A"}, {"role": "user", "content": [{"type": "text", "text": "B"}]}]
    text = marked({"messages": messages, "n": 1}, [0, 1], "prompt_cache_breakpoint")
    assert text == (
        b'{"messages": [{"role": "system", "content": [{"type":"text","text":"A",'
        b'"prompt_cache_breakpoint":{"mode":"explicit"}}]}, {"role": "user", "content": [{"type": "text", "text": "B"'
        b',"prompt_cache_breakpoint":{"mode":"explicit"}}]}], "n": 1}'
    )
    assert marked({"messages": messages}, [], "prompt_cache_breakpoint") == json.dumps({"messages": messages}).encode()


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(("style", "body"), [("cache_control", MESSAGE), ("prompt_cache_breakpoint", CHAT)])
def test_any_boundary_can_be_marked_and_the_official_client_could_have_sent_it(
    style: MarkStyle, body: dict[str, Any], indent: int | None
) -> None:
    types = ANTHROPIC if style == "cache_control" else OPENAI
    for place in range(len(found(body, style))):
        sent = json.loads(marked(body, [place], style, indent=indent))
        types.validate_python(sent, strict=False)
        assert json.dumps(sent).count(f'"{style}"') == 1
        assert without_marks(sent) == without_marks(body)
        assert says_what_to_cache(json.dumps(sent).encode(), {}, style)


def without_marks(body: Any) -> Any:
    """What is left where marks are taken off and a list of one text is as good as the text."""
    body = copy.deepcopy(body)
    for place in [body, *body["messages"]]:
        for name in ("system", "content"):
            if isinstance(text := place.get(name), str):
                place[name] = [{"type": "text", "text": text}]
    for block in [
        *body.get("tools", []),
        *(body.get("system") or []),
        *(b for m in body["messages"] for b in m["content"]),
    ]:
        block.pop("cache_control", None)
        block.pop("prompt_cache_breakpoint", None)
    return body


@given(st.sets(st.integers(0, 7), max_size=4), st.sampled_from([None, 0, 3]))
def test_marks_are_all_that_is_added(places: set[int], indent: int | None) -> None:
    plain = json.dumps(MESSAGE, indent=indent).encode()
    text = marked(MESSAGE, sorted(places), indent=indent)
    as_text = re.compile(rb'\[\{"type":"text","text":("(?:[^"\\]|\\.)*"),"cache_control":\{"type":"ephemeral"\}\}\]')
    bare = as_text.sub(rb"\1", text).replace(b',"cache_control":{"type":"ephemeral"}', b"")
    assert text.count(b"cache_control") == len(places)
    assert bare == plain


def test_a_prompt_that_grows_has_the_same_boundaries_and_more() -> None:
    whole = [each.prefix.digest for each in found(MESSAGE)]
    for turns in range(1, 4):
        begun = {**MESSAGE, "messages": MESSAGE["messages"][:turns]}
        fewer = [each.prefix.digest for each in found(begun)]
        assert fewer == whole[: len(fewer)]
    tokens = [each.prefix.tokens for each in found(MESSAGE)]
    assert tokens == sorted(tokens)


def test_how_the_same_is_written_does_not_matter() -> None:
    compact = [each.prefix.digest for each in found(MESSAGE, separators=(",", ":"))]
    listed = {**MESSAGE, "system": [{"text": MESSAGE["system"], "type": "text"}], "max_tokens": 10, "stream": True}
    assert [each.prefix.digest for each in found(dict(reversed(listed.items())), separators=(",", ":"))] == compact


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"model": "claude-sonnet-5"}, 0),
        ({"tools": TOOLS[:1]}, 1),
        ({"tools": TOOLS[::-1]}, 0),
        ({"system": "Be kind."}, 2),
        ({"tool_choice": {"type": "any"}}, 3),
        ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, 3),
    ],
)
def test_what_changes_a_providers_cache_changes_the_digests_from_there_on(change: dict[str, Any], kept: int) -> None:
    before = [each.prefix.digest for each in found(MESSAGE)]
    after = [each.prefix.digest for each in found({**MESSAGE, **change})]
    assert after[:kept] == before[:kept]
    assert not set(after[kept:]) & set(before[kept:])


def test_a_turn_of_another_side_is_another_prompt() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    other = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    one, two = (found({"model": "m", "messages": messages}) for messages in (said, other))
    assert one[0].prefix == two[0].prefix
    assert one[1].prefix.digest != two[1].prefix.digest


def test_the_bytes_of_an_image_are_no_tokens() -> None:
    tokens = [each.prefix.tokens for each in found(MESSAGE)]
    for place in (6, 7):  # an image that a tool found, and one that was sent
        assert tokens[place] - tokens[place - 1] < ATTACHMENT_TOKENS + 50


EPHEMERAL = {"type": "ephemeral"}
PROSE = 'write "cache_control": {} and "prompt_cache_breakpoint"'


@pytest.mark.parametrize(
    ("control", "fields", "says"),
    [
        ("cache_control", {}, False),
        ("cache_control", {"messages": [{"role": "user", "content": PROSE}]}, False),
        ("cache_control", {"cache_control": EPHEMERAL}, True),
        ("cache_control", {"system": [{"type": "text", "text": "a", "cache_control": EPHEMERAL}]}, True),
        ("cache_control", {"tools": [{**TOOLS[0], "cache_control": {**EPHEMERAL, "ttl": "1h"}}]}, True),
        ("prompt_cache_key", {}, False),
        ("prompt_cache_key", {"prompt_cache_key": "k"}, True),
        ("prompt_cache_breakpoint", {}, False),
        ("prompt_cache_breakpoint", {"messages": [{"role": "user", "content": PROSE}]}, False),
        ("prompt_cache_breakpoint", {"prompt_cache_key": "k"}, True),
        ("prompt_cache_breakpoint", {"prompt_cache_options": {"mode": "implicit"}}, True),
        ("prompt_cache_breakpoint", {"prompt_cache_retention": "24h"}, True),
        (
            "prompt_cache_breakpoint",
            {"messages": [{"content": [{"text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]}]},
            True,
        ),
    ],
)
def test_a_caller_who_says_anything_of_a_cache_is_heard(
    control: CacheControl, fields: dict[str, Any], says: bool
) -> None:
    body = json.dumps({**(MESSAGE if control == "cache_control" else CHAT), **fields}).encode()
    assert says_what_to_cache(body, read_fields(body), control) is says


@pytest.mark.parametrize(
    "broken",
    [
        '{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
        '{"messages": [{"role": "user", "c\\u006fntent": "a"}]}',
        '{"messages": [{"content": "a"}]}',
        '{"messages": ["a"]}',
        '{"messages": {}}',
        '{"messages": [{"role": "user", "content": [["a"]]}]}',
        '{"system": "a"}',
        '{"system": "a", "messages": [], "messages": []}',
    ],
)
def test_what_cannot_be_told_apart_is_not_marked(broken: str) -> None:
    with pytest.raises(Unlocatable):
        ends_of(broken.encode(), "cache_control")


def test_texts_that_are_empty_carry_no_mark() -> None:
    messages = [{"role": "user", "content": ""}, {"role": "user", "content": [{"type": "text", "text": ""}]}]
    assert not found({"model": "m", "system": "", "messages": messages})


def test_a_key_tells_whose_and_what_begins_alike_and_nothing_else() -> None:
    plain = json.dumps(CHAT, indent=1).encode()
    one = with_key(plain, b"acme", b"Be kind")
    assert one.startswith(plain[:-1])
    sent = json.loads(one)
    OPENAI.validate_python(sent)
    assert {**CHAT, "prompt_cache_key": sent["prompt_cache_key"]} == sent
    assert one == with_key(plain, b"acme", b"Be kind")
    assert len({with_key(plain, *parts) for parts in ((b"a", b"bc"), (b"ab", b"c"), (b"abc", b""), (b"abc",))}) == 4
    assert "acme" not in sent["prompt_cache_key"]


ODD = st.recursive(
    st.none() | st.integers() | st.text(max_size=4) | st.sampled_from(["text", "tool_result", "user", '"', "\\"]),
    lambda of: (
        st.lists(of, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "content", "role", "source", "é", 'a"b']), of, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "system"]), "content": ODD}), max_size=3)


@pytest.mark.parametrize("style", ["cache_control", "prompt_cache_breakpoint"])
@given(
    messages=MESSAGES | ODD, system=ODD, tools=ODD, indent=st.sampled_from([None, 1]), places=st.sets(st.integers(0, 9))
)
def test_whatever_comes_is_marked_where_it_can_be_or_left(
    style: MarkStyle, messages: Any, system: Any, tools: Any, indent: int | None, places: set[int]
) -> None:
    body = {"system": system, "tools": tools, "messages": messages}
    plain = json.dumps(body, indent=indent).encode()
    try:
        found = boundaries(plain, style, 0.25).found
        chosen: Any = [(each, "5m") for number, each in enumerate(found) if number in places]
        sent = json.loads(with_marks(plain, style, chosen))
    except Unlocatable:
        return
    assert json.dumps(sent).count(f'"{style}"') == len(chosen)
    assert flat(sent) == flat(body)


def flat(value: Any) -> Any:
    """A value without marks, and with a text for each list of one text."""
    if isinstance(value, list):
        inner = [flat(each) for each in value]
        alone = len(inner) == 1 and isinstance(inner[0], dict) and inner[0].keys() == {"type", "text"}
        return inner[0]["text"] if alone and inner[0]["type"] == "text" else inner
    if isinstance(value, dict):
        return {name: flat(each) for name, each in value.items() if name not in WIRE_MARKS}
    return value


WIRE_MARKS = {"cache_control", "prompt_cache_breakpoint"}
