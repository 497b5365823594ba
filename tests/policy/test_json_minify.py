"""What is taken out of a JSON text is whitespace that means nothing, and never anything else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.json_minify import minified

BLANK = st.text(" \t\r\n", max_size=3)
ATOMS = st.one_of(
    st.just("null"),
    st.just("true"),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.text(max_size=8).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.just(r'"\ud83d\ude00 \u0041\/ \" , : { \\"'),
)


@st.composite
def spaced(draw: st.DrawFn, depth: int = 2) -> list[str]:
    """The tokens of a JSON value, with whitespace between them as tokens of its own."""
    if depth == 0 or draw(st.booleans()):
        return [draw(ATOMS)]
    opening, closing = draw(st.sampled_from([("[", "]"), ("{", "}")]))
    tokens = [opening, draw(BLANK)]
    for number in range(draw(st.integers(0, 3))):
        tokens += [",", draw(BLANK)] if number else []
        if opening == "{":
            tokens += [json.dumps(draw(st.sampled_from(["a", "b ", "é"]))), draw(BLANK), ":", draw(BLANK)]
        tokens += [*draw(spaced(depth=depth - 1)), draw(BLANK)]
    return [*tokens, closing]


@given(spaced(), BLANK, BLANK)
def test_exactly_the_whitespace_between_tokens_goes(tokens: list[str], before: str, after: str) -> None:
    text = before + "".join(tokens) + after
    kept = "".join(token for token in tokens if token.strip(" \t\r\n"))
    found = minified(text)
    if tokens[0] not in "[{" or kept == text:
        assert found is None
    else:
        assert found is not None
        assert (found.text, found.removed_chars) == (kept, len(text) - len(kept))


def pairs(text: str) -> Any:
    """A value with the order and the repetitions of its keys, and its numbers as they are written."""
    return json.loads(text, object_pairs_hook=tuple, parse_float=str, parse_int=str)


@given(spaced())
def test_the_same_value_is_read_and_once_is_enough(tokens: list[str]) -> None:
    text = "".join(tokens)
    if (found := minified(text)) is not None:
        assert pairs(found.text) == pairs(text)
        assert minified(found.text) is None
        assert 1 <= found.removed_runs <= found.removed_chars


def test_runs_are_counted_as_runs() -> None:
    found = minified(json.dumps({"a": [1, 2], "b": {}}, indent=4))
    assert found is not None
    assert found.removed_runs == len(re.findall(r"\s+", json.dumps({"a": [1, 2], "b": {}}, indent=4))) == 8


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "{", '{"a": 1', "[1, ]", '{"a": 1} {"b": 2}', '{"a": 1}\n{"b": 2}', "[NaN, 1]", "[01, 2]"),
        *("{ 'a': 1 }", "[1, 2] and so on", 'see: {"a": 1}', "```json\n[1, 2]\n```", '"a b"', "1 ", "[\x0b1, 2]"),
        *('{"a": "\n"}', "[ " * 5_000, "[ " * 5_000 + "]" * 5_000, '{"a":1,"b":[1,2]}', "\ufeff[1, 2]"),
    ],
)
def test_what_is_no_json_or_has_nothing_to_lose_stays(text: str) -> None:
    assert minified(text) is None
