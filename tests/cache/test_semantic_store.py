"""Entries by meaning: found in their own partition alone, while they hold, as long as there is room."""

from __future__ import annotations

import numpy as np

from breakeven.cache.semantic_store import Entry, SemanticStore
from breakeven.policy.lexical_guard import form
from breakeven.policy.semantic_rule import SemanticRule

RULE = SemanticRule(similarity=0.9)
EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
ASKED, AGAIN = form("How do I enable dark mode?"), form("What are the steps to turn on dark mode?")


def entry(key: bytes = b"k", expires_at_ns: int = 100) -> Entry:
    return Entry(EAST, key, expires_at_ns)


def test_another_wording_finds_the_newest_answer() -> None:
    store = SemanticStore()
    store.add(b"p", ASKED, entry(b"old"))
    store.add(b"p", ASKED, entry(b"new"))
    assert store.find(b"p", AGAIN, EAST, RULE, 99) == b"new"
    assert len(store) == 1


def test_nothing_else_does() -> None:
    store = SemanticStore()
    store.add(b"p", ASKED, entry())
    assert store.find(b"q", AGAIN, EAST, RULE, 1) is None
    assert store.find(b"p", form("How do I disable dark mode?"), EAST, RULE, 1) is None
    assert store.find(b"p", AGAIN, NORTH, RULE, 1) is None
    assert store.find(b"p", AGAIN, EAST, RULE, 1) == b"k"


def test_what_has_expired_is_gone() -> None:
    store = SemanticStore()
    store.add(b"p", ASKED, entry(expires_at_ns=100))
    assert store.find(b"p", AGAIN, EAST, RULE, 100) is None
    assert len(store) == 0


def test_the_least_used_makes_room() -> None:
    store = SemanticStore(most_entries=2)
    forms = [form(f"What is the capital of {name}?") for name in ("Peru", "Chad", "Oman")]
    store.add(b"p", forms[0], entry(b"0"))
    store.add(b"p", forms[1], entry(b"1"))
    assert store.find(b"p", forms[0], EAST, RULE, 1) == b"0"
    store.add(b"p", forms[2], entry(b"2"))
    assert [store.find(b"p", each, EAST, RULE, 1) for each in forms] == [b"0", None, b"2"]


def test_a_question_of_half_a_character_is_no_failure() -> None:
    store = SemanticStore()
    store.add(b"p", form("What is \ud800?"), entry())
    assert store.find(b"p", form("what is \ud800"), EAST, RULE, 1) == b"k"
