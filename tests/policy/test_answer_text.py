"""What an answer says on each wire, and that two answers count as one only where they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.answer_text import answer_text, same_answer, streamed_text
from breakeven.policy.decision import Operation


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content, **more}}]}


def response(*items: Any) -> dict[str, Any]:
    return {"output": list(items)}


SAID = {"type": "message", "content": [{"type": "output_text", "text": "Pa"}, {"type": "output_text", "text": "ris"}]}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat", chat("Paris")),
        ("completions", {"choices": [{"index": 0, "text": "Paris"}]}),
        ("messages", {"content": [{"type": "thinking", "thinking": "..."}, {"type": "text", "text": "Paris"}]}),
        ("responses", response({"type": "reasoning", "summary": []}, SAID)),
    ],
)
def test_a_whole_answer_is_read(operation: Operation, body: Any) -> None:
    assert answer_text(operation, json.dumps(body).encode()) == "Paris"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("chat", chat(None)),
        ("chat", chat("")),
        ("chat", chat("Paris", tool_calls=[{"id": "x"}])),
        ("chat", {"choices": [{"index": 0, "message": {"content": "a"}}, {"index": 1, "message": {"content": "b"}}]}),
        ("messages", {"content": [{"type": "tool_use", "id": "x"}]}),
        ("responses", response(SAID, {"type": "function_call"})),
        ("embeddings", {"data": []}),
        ("chat", []),
        ("messages", {}),
    ],
)
def test_what_is_no_single_text_has_none(operation: Operation, body: Any) -> None:
    assert answer_text(operation, json.dumps(body).encode()) is None


def test_what_is_no_json_has_none() -> None:
    assert answer_text("chat", b"\xff{") is None


@pytest.mark.parametrize(
    ("operation", "events"),
    [
        (
            "chat",
            [
                {"choices": [{"index": 0, "delta": {"role": "assistant"}}]},
                {"choices": [{"index": 0, "delta": {"content": "Pa"}}]},
                {"choices": [{"index": 0, "delta": {"content": "ris"}}]},
                {"choices": []},
            ],
        ),
        (
            "messages",
            [
                {"type": "message_start", "message": {}},
                {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Pa"}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ris"}},
                {"type": "message_stop"},
            ],
        ),
        ("responses", [{"type": "response.created"}, {"type": "response.completed", "response": response(SAID)}]),
    ],
)
def test_a_stream_is_read(operation: Operation, events: list[Any]) -> None:
    data = [json.dumps(event).encode() for event in events] + ([b" [DONE]"] if operation == "chat" else [])
    assert streamed_text(operation, data) == "Paris"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Paris.", "  paris\n"),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        ('```json\n{"a": 1}\n```', '{"a":1}'),
        ("Stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"),
    ],
)
def test_the_same_answer(first: str, second: str) -> None:
    assert same_answer(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Paris", "Paris, of course"),
        ("yes", "no"),
        ("1.5", "15"),
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": [1, 2]}', '{"a": [2, 1]}'),
        ('{"a": 1}', "a is 1"),
        ('{"a": "x"}', '{"a": "X"}'),
        ("-5", "5"),
        ("Is it?", "Is it"),
    ],
)
def test_another_answer(first: str, second: str) -> None:
    assert not same_answer(first, second)


@given(st.text(max_size=40), st.text(max_size=40))
def test_it_is_a_relation(first: str, second: str) -> None:
    assert same_answer(first, first)
    assert same_answer(first, second) == same_answer(second, first)
