"""Candidates, comparisons and what is believed of them, without a gateway: each with a real file of evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np

from breakeven.cache.counters import CacheCounters
from breakeven.cache.embedding import Vectors
from breakeven.cache.response_store import StoredAnswer
from breakeven.cache.semantic_evidence import EvidenceStore, evidence_of
from breakeven.catalog.usage import Usage
from breakeven.pipeline.given import Asked
from breakeven.pipeline.other_wordings import Reworded
from breakeven.pipeline.semantic import Judge, SemanticAnswers
from breakeven.policy.cache_key import KeyScope
from breakeven.policy.semantic_bound import Evidence, least_comparisons
from breakeven.policy.semantic_rule import SemanticRule

RULE = SemanticRule(mode="serve", max_wrong_frac=0.5, audit_frac=0.25)
SCOPE = KeyScope("acme", 0, "chat", b"gpt-4o at openai")
ASKED, AGAIN = "How do I enable dark mode?", "What are the steps to turn on dark mode?"


class Alike:
    """An embedder to which all texts are one."""

    name = "alike"

    def vectors(self, texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), 1), np.float32)


def asked(text: str) -> Asked:
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    question, call = SimpleNamespace(fields=fields), SimpleNamespace(headers={})
    return cast("Asked", SimpleNamespace(call=call, question=question, route=SimpleNamespace(model="gpt-4o")))


def stored(text: str | None) -> StoredAnswer:
    body = json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()
    return StoredAnswer(
        content_type=b"application/json",
        pieces=(body,),
        stream=False,
        served_model="gpt-4o",
        deployment="gpt-4o@openai",
        provider="openai",
        usage=Usage(input_tokens=1, output_tokens=1),
        processing="standard",
        call_ids=(),
        stored_at_ns=1,
        expires_at_ns=1 << 62,
    )


def found(answers: SemanticAnswers, text: str, rule: SemanticRule = RULE) -> Reworded:
    told = answers.reworded(asked(text), SCOPE, rule)
    assert told is not None
    return told


class Kept:
    """A store that has the answer "before" under every key, or none."""

    def __init__(self) -> None:
        self.counters, self.failure, self.is_empty = CacheCounters(), None, False

    async def get(self, _key: bytes, _now_ns: int) -> StoredAnswer | None:
        return None if self.is_empty else stored("before")

    def put(self, _key: bytes, _answer: StoredAnswer) -> None:
        raise AssertionError

    async def epoch(self, _tenant: str) -> int:
        return 0

    async def close(self) -> None:
        pass


class Gathering:
    """Answers over a file, and how they come out one after another."""

    def __init__(self, path: Path, judge: Judge | None = None, chance: float = 0.5) -> None:
        self.path, self.chance = path, chance
        self.kept = Kept()
        self.answers = SemanticAnswers(path, self.kept, Alike(), chance=lambda: self.chance, judge=judge)
        self.answers.bought(found(self.answers, ASKED), b"k0", stored("before"))

    async def compared(self, bought: str | None) -> None:
        count = sum(self.answers.counts[name] for name in ("right", "wrong", "failed", "gone"))
        self.answers.bought(found(self.answers, AGAIN), b"k1", stored(bought))
        while sum(self.answers.counts[name] for name in ("right", "wrong", "failed", "gone")) == count:
            await asyncio.sleep(0.001)


def run(path: Path, outcomes: Sequence[Any], **more: Any) -> tuple[SemanticAnswers, Gathering]:
    async def scenario() -> Gathering:
        gathering = Gathering(path, **more)
        for bought in outcomes:
            await gathering.compared(bought)
        return gathering

    gathering = asyncio.run(scenario())
    return gathering.answers, gathering


RIGHT = ["Before."] * least_comparisons(0.5)


def test_it_serves_when_enough_was_right_and_not_before(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", RIGHT[1:])
    assert not found(answers, AGAIN).serves
    answers, _ = run(tmp_path / "b.db", RIGHT)
    told = found(answers, AGAIN)
    assert (told.key, told.serves) == (b"k1", True)


def test_who_is_drawn_for_the_audit_is_not_served(tmp_path: Path) -> None:
    answers, gathering = run(tmp_path / "a.db", RIGHT)
    for gathering.chance, serves in ((0.0, False), (0.249, False), (0.25, True), (0.99, True)):
        assert found(answers, AGAIN).serves == serves


def test_shadow_mode_serves_nothing(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", RIGHT)
    told = found(answers, AGAIN, SemanticRule(mode="shadow", max_wrong_frac=0.5))
    assert (told.key, told.serves) == (b"k1", False)


def test_wrong_answers_end_it(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", [*RIGHT, *["something else"] * 12])
    assert not found(answers, AGAIN).serves
    assert answers.counts["wrong"] == 12


def test_another_promise_or_similarity_begins_anew(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", RIGHT)
    for other in ({"max_wrong_frac": 0.4}, {"similarity": 0.9}):
        rule = SemanticRule(**({"mode": "serve", "max_wrong_frac": 0.5} | cast("dict[str, Any]", other)))
        assert not found(answers, AGAIN, rule).serves


def test_what_another_process_found_out_counts_here_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    run(path, RIGHT)
    _, gathering = run(path, [])

    async def scenario() -> None:
        async with asyncio.timeout(10):
            while not found(gathering.answers, ASKED).serves:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())


def test_answers_that_cannot_be_read_as_text_count_as_wrong(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", [None])
    assert (answers.counts["wrong"], answers.counts["right"]) == (1, 0)


def test_a_judge_is_asked_only_where_texts_differ(tmp_path: Path) -> None:
    heard: list[tuple[str, str, str]] = []

    async def judge(question: str, first: str, second: str) -> bool:
        heard.append((question, first, second))
        return second == "the same, in other words"

    answers, _ = run(tmp_path / "a.db", ["before", "the same, in other words", "the opposite"], judge=judge)
    assert heard == [(AGAIN, "before", "the same, in other words"), (AGAIN, "before", "the opposite")]
    assert (answers.counts["right"], answers.counts["wrong"]) == (2, 1)


def test_a_judge_that_fails_proves_nothing(tmp_path: Path) -> None:
    async def judge(*_: str) -> bool:
        raise ConnectionError

    answers, _ = run(tmp_path / "a.db", ["else"], judge=judge)
    assert answers.counts["failed"] == 1
    answers, _ = run(tmp_path / "a.db", [])
    assert [each.evidence for each in evidence_of(tmp_path / "a.db")] == []


def test_a_file_that_cannot_be_used_serves_nothing_and_fails_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("no database at all, and long enough to be read as one " * 30)
    answers, _ = run(path, RIGHT)
    assert answers.counts["failed"] == len(RIGHT)
    assert not found(answers, AGAIN).serves


def test_other_requests_have_no_candidate(tmp_path: Path) -> None:
    answers, _ = run(tmp_path / "a.db", [])
    assert found(answers, "How do I disable dark mode?").key == b""
    assert answers.reworded(asked("I want to die"), SCOPE, RULE) is None
    for scope in (SCOPE._replace(tenant="globex"), SCOPE._replace(epoch=1), SCOPE._replace(route=b"another")):
        told = answers.reworded(asked(AGAIN), scope, RULE)
        assert told is not None
        assert told.key == b""


def test_an_answer_that_has_gone_meanwhile_proves_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        gathering = Gathering(tmp_path / "a.db")
        gathering.kept.is_empty = True
        await gathering.compared("before")
        assert gathering.answers.counts["gone"] == 1
        await gathering.answers.close()

    asyncio.run(scenario())
    assert evidence_of(tmp_path / "a.db") == []


def test_closing_finishes_what_is_compared(tmp_path: Path) -> None:
    async def scenario() -> None:
        gathering = Gathering(tmp_path / "a.db")
        for _ in range(5):
            gathering.answers.bought(found(gathering.answers, AGAIN), b"k1", stored("before"))
        await gathering.answers.close()

    asyncio.run(scenario())
    (told,) = evidence_of(tmp_path / "a.db")
    assert told.evidence == Evidence(compared=5)
    with closing(EvidenceStore.open(tmp_path / "a.db")) as store:
        assert store is not None
