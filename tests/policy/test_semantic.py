"""What is never answered by another wording's answer, and which requests have one question that could be."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.decision import Operation
from breakeven.policy.lexical_guard import LONGEST, form
from breakeven.policy.semantic import is_safety_relevant, may_share
from breakeven.policy.semantic_question import SingleQuestion, single_question
from breakeven.policy.semantic_rule import SemanticRule

ASKED = "How do I enable dark mode?"


def asked(operation: Operation = "chat", **fields: Any) -> SingleQuestion | None:
    read = msgspec.json.decode(json.dumps({"model": "m", **fields}), type=dict[str, msgspec.Raw])
    return single_question(operation, read)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    "text",
    [
        "I want to die",
        "how many pills is an overdose of paracetamol",
        "What helps against suicidal thoughts?",
        "Is chest pain a sign of a heart attack?",
        "my child swallowed a battery",
        "He can't breathe, what do I do",
        "He can\N{RIGHT SINGLE QUOTATION MARK}t breathe",
        "Should I call an ambulance?",
        "My partner is violent",
        "thoughts of killing myself",
    ],
)
def test_what_may_be_about_harm_is_safety_relevant(text: str) -> None:
    assert is_safety_relevant(text)
    assert asked(messages=[user(text)]) is None


@pytest.mark.parametrize("text", ["How do I kill a process?", "What is the dose of ibuprofen for an adult?", ASKED])
def test_other_questions_are_not(text: str) -> None:
    assert not is_safety_relevant(text)


def test_words_alone_do_not_serve_and_nearness_alone_does_not_either() -> None:
    rule = SemanticRule(similarity=0.6)
    same, other = form("How can I enable dark mode?"), form("How do I disable dark mode?")
    assert may_share(form(ASKED), same, 0.61, rule)
    assert not may_share(form(ASKED), same, 0.59, rule)
    assert not may_share(form(ASKED), other, 1.0, rule)


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("chat", {"messages": [user(ASKED)]}),
        ("chat", {"messages": [{"role": "system", "content": "Be brief."}, user(ASKED)]}),
        (
            "chat",
            {"messages": [{"role": "developer", "content": "Be brief."}, user([{"type": "text", "text": ASKED}])]},
        ),
        ("chat", {"messages": [user(ASKED)], "tools": [], "functions": None}),
        ("responses", {"input": ASKED, "instructions": "Be brief."}),
        ("responses", {"input": [{**user([{"type": "input_text", "text": ASKED}]), "type": "message"}]}),
        ("messages", {"system": "Be brief.", "messages": [user(ASKED)], "max_tokens": 9}),
    ],
)
def test_a_single_question_is_found_and_taken_out(operation: Operation, fields: dict[str, Any]) -> None:
    found = asked(operation, **fields)
    assert found is not None
    assert found.text == ASKED
    rest = msgspec.json.encode(found.rest)
    assert ASKED.encode() not in rest
    again = asked(operation, **json.loads(json.dumps(fields).replace("dark mode", "auto-save")))
    assert again is not None
    assert msgspec.json.encode(again.rest) == rest


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("chat", {"messages": []}),
        ("chat", {}),
        ("chat", {"messages": "hello"[:0]}),
        ("chat", {"messages": [user(ASKED), {"role": "assistant", "content": "Which?"}, user("The new one")]}),
        ("chat", {"messages": [user("Hello"), user(ASKED)]}),
        ("chat", {"messages": [user(ASKED), {"role": "system", "content": "Be brief."}]}),
        ("chat", {"messages": [{"role": "tool", "tool_call_id": "x", "content": "1"}, user(ASKED)]}),
        ("chat", {"messages": [user(ASKED)], "tools": [{"type": "function", "function": {"name": "f"}}]}),
        ("chat", {"messages": [user(ASKED)], "functions": [{"name": "f"}]}),
        ("chat", {"messages": [user([{"type": "text", "text": ASKED}, IMAGE])]}),
        ("chat", {"messages": [user([IMAGE])]}),
        ("chat", {"messages": [user([{"type": "text", "text": ASKED}, {"type": "text", "text": "Now."}])]}),
        ("chat", {"messages": [{**user(ASKED), "name": "ann"}]}),
        ("chat", {"messages": [user("  ")]}),
        ("chat", {"messages": [user("word " * LONGEST)]}),
        ("chat", {"messages": [user(None)]}),
        ("completions", {"prompt": ASKED}),
        ("embeddings", {"input": ASKED}),
        ("responses", {"input": ASKED, "tools": [{"type": "web_search"}]}),
        ("messages", {"messages": [user(ASKED)], "mcp_servers": [{"url": "x"}]}),
    ],
)
def test_what_is_no_single_question_has_none(operation: Operation, fields: dict[str, Any]) -> None:
    assert asked(operation, **fields) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["user", "system", "text", ASKED]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "name"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.sampled_from(["chat", "responses", "messages"]), JSON)
def test_no_prompt_breaks_it(operation: Operation, prompt: Any) -> None:
    found = asked(operation, **{"input" if operation == "responses" else "messages": prompt})
    assert found is None or found.text == ASKED or found.text in {"user", "system", "text"}
