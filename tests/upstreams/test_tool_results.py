"""Results of tools are rewritten where they stand; all else stays, and a prompt that grows keeps its beginning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.json_minify import minified
from breakeven.upstreams.tool_results import with_rewritten_results

PATHS = ("/chat/completions", "/messages", "/responses")
SPACED = '{ "a": [1.0, "é \\n"],\n\t"a": 2 }'
SHORT = '{"a":[1.0,"é \\n"],"a":2}'


def rewrite(text: str) -> str | None:
    found = minified(text)
    return None if found is None else found.text


def sent(body: Any, path: str, **options: Any) -> bytes:
    return with_rewritten_results(json.dumps(body, **options).encode(), path, rewrite)


def turns(path: str, found: Any, user: str = SPACED) -> list[Any]:
    """A conversation in which a user and a tool say something, on the wire of a path."""
    if path == "/chat/completions":
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": SPACED}}
        return [
            {"role": "user", "content": user},
            {"role": "assistant", "content": SPACED, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": found},
        ]
    if path == "/messages":
        use = {"type": "tool_use", "id": "c", "name": "f", "input": {"text": SPACED}}
        return [
            {"role": "user", "content": user},
            {"role": "assistant", "content": [{"type": "text", "text": SPACED}, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": found}]},
        ]
    return [
        {"role": "user", "content": user},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": SPACED},
        {"type": "function_call_output", "call_id": "c", "output": found},
    ]


def body(path: str, *said: Any) -> dict[str, Any]:
    return {"model": "m", "input" if path == "/responses" else "messages": list(said), "temperature": 0}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("indent", [None, 2])
def test_only_the_results_of_tools_change(path: str, indent: int | None) -> None:
    for found, short in ((SPACED, SHORT), ([{"type": "text", "text": SPACED}], [{"type": "text", "text": SHORT}])):
        before = json.dumps(body(path, *turns(path, found)), indent=indent, ensure_ascii=False)
        after = with_rewritten_results(before.encode(), path, rewrite).decode()
        assert json.loads(after) == body(path, *turns(path, short))
        quoted, written = (json.dumps(text, ensure_ascii=False) for text in (SPACED, SHORT))
        head, _, tail = before.rpartition(quoted)  # the tool's is the last of the conversation
        assert after == head + written + tail


@pytest.mark.parametrize("path", PATHS)
def test_the_same_bytes_where_there_is_nothing_to_do(path: str) -> None:
    for found in ("sunny", SHORT, [], "", "{oops", [{"type": "image", "source": {}}]):
        plain = json.dumps(body(path, *turns(path, found)), indent=1).encode()
        assert with_rewritten_results(plain, path, rewrite) == plain


def test_what_cannot_be_told_apart_stays() -> None:
    for broken in (
        '{"messages": [{"role": "tool", "content": "[1, 2]", "content": "[1, 2]"}]}',
        '{"messages": [{"role": "tool", "content": "x", "cont\\u0065nt": "[1, 2]"}]}',
        '{"messages": [{"role": "user", "content": "[1, 2]", "role": "tool"}]}',
        '{"messages": [{"role": "tool", "content": "[1, 2]"}], "messages": []}',
        '{"messages": [{"role": "tool", "content": "\\ud800 [1, 2]"}]}',
        '{"messages": "tool"}',
        '{"x": ["tool"]}',
    ):
        assert with_rewritten_results(broken.encode(), "/chat/completions", rewrite) == broken.encode()


def test_a_text_that_cannot_be_read_does_not_keep_others_from_it() -> None:
    messages = b'{"messages":[{"role":"tool","content":"[1, \xff]"},{"role":"tool","content":"[1, 2]"}]}'
    after = with_rewritten_results(messages, "/chat/completions", rewrite)
    assert after == messages.replace(b"[1, 2]", b"[1,2]")


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=6), lambda of: st.lists(of, max_size=3), max_leaves=8
)
RESULTS = st.builds(json.dumps, VALUES, indent=st.sampled_from([None, 1]))
TEXTS = st.one_of(RESULTS, st.text(max_size=10))
SAID = st.lists(st.tuples(TEXTS, TEXTS), max_size=4)


@pytest.mark.parametrize("path", PATHS)
@given(first=SAID, then=SAID, indent=st.sampled_from([None, 2]))
def test_a_prompt_that_grows_keeps_its_beginning(
    path: str, first: list[tuple[str, str]], then: list[tuple[str, str]], indent: int | None
) -> None:
    def written(said: list[tuple[str, str]]) -> bytes:
        conversation = [turn for user, found in said for turn in turns(path, found, user)]
        name = "input" if path == "/responses" else "messages"
        return sent({"model": "m", name: conversation}, path, indent=indent)

    closing = b"\n  ]\n}" if indent else b"]}"
    whole, beginning = written(first + then), written(first)
    if first:
        assert beginning.endswith(closing)
        assert whole.startswith(beginning.removesuffix(closing))
