"""Answers to other wordings: candidates found, compared with bought answers off the path, and served while that clears.

A request whose answer is not remembered may have one under another told. Until the route's evidence clears, and for
a share of them after that, the real call is made all the same, and its answer is compared with the candidate's when the
client has it. Whatever goes wrong here is a miss.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import random
from typing import Final, NamedTuple

from breakeven.cache.embedding import Embedder, Vectors, load_embedder
from breakeven.cache.response_store import ResponseStore, StoredAnswer
from breakeven.cache.semantic_evidence import Basis, EvidenceStore
from breakeven.cache.semantic_store import Entry, SemanticStore
from breakeven.pipeline.given import Asked
from breakeven.pipeline.other_wordings import Reworded
from breakeven.policy.answer_text import answer_text, same_answer, streamed_text
from breakeven.policy.cache_key import KeyScope, cache_key
from breakeven.policy.decision import Operation
from breakeven.policy.lexical_guard import GUARD_VERSION, Form, form
from breakeven.policy.semantic_bound import Evidence, upper_bound
from breakeven.policy.semantic_question import single_question
from breakeven.policy.semantic_rule import SemanticRule
from breakeven.upstreams.event_stream import event_data, split_events

LOG: Final = logging.getLogger("breakeven.pipeline")

Judge = Callable[[str, str, str], Awaitable[bool]]
"""Asked of a question and two answers in free text that differ: whether they say the same. None is the default."""

FRESH_S: Final = 1.0
"""How long evidence is believed before it is read again, since another process may have stopped serving."""

MOST_WAITING: Final = 1_000
"""Comparisons that may wait; more are dropped."""


class Meant(NamedTuple):
    """What is known of a question: what is asked, of what, and on which promise."""

    operation: Operation
    partition: bytes
    text: str
    form: Form
    vector: Vectors
    basis: Basis


class SemanticAnswers:
    """Finds, learns and compares. ``counts`` says how many candidates were served, compared, right and wrong."""

    def __init__(
        self,
        path: Path,
        store: ResponseStore,
        embedder: Embedder,
        *,
        chance: Callable[[], float] = random,
        judge: Judge | None = None,
    ) -> None:
        self._path, self._answers, self._embedder = path, store, embedder
        self._chance, self._judge = chance, judge
        self._store = SemanticStore()
        self._known: dict[Basis, tuple[Evidence, float]] = {}
        self._evidence: EvidenceStore | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="semantic")
        self._comparing: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    @classmethod
    def open(cls, path: Path, store: ResponseStore) -> SemanticAnswers:
        """With the embedder of this installation, and the evidence of a cache file, which is made when it is needed.

        Raises:
            Unavailable: the embedding model is not installed.
        """
        return cls(path, store, load_embedder())

    def reworded(self, asked: Asked, scope: KeyScope, rule: SemanticRule) -> Reworded | None:
        """As `OtherWordings.reworded`.

        An answer may be served if the evidence clears and the request is not drawn for the audit.
        """
        try:
            return self._reworded(asked, scope, rule)
        except Exception:
            LOG.exception("no other wording could be looked for")
            return None

    def _reworded(self, asked: Asked, scope: KeyScope, rule: SemanticRule) -> Reworded | None:
        question = single_question(scope.operation, asked.question.fields)
        partition = None if question is None else cache_key(scope, question.rest, asked.call.headers)
        if question is None or partition is None:
            return None
        meant = Meant(
            operation=scope.operation,
            partition=partition,
            text=question.text,
            form=form(question.text),
            vector=self._embedder.vectors([question.text])[0],
            basis=Basis(asked.route.model, self._digest(scope, rule), rule.max_wrong_frac),
        )
        key = self._store.find(partition, meant.form, meant.vector, rule, time.time_ns())
        if key is None:
            return Reworded(b"", False, meant)
        self.counts["found"] += 1
        clears = rule.mode == "serve" and self._believed(meant.basis).serving
        return Reworded(key, clears and self._chance() >= rule.audit_frac, meant)

    def bought(self, told: Reworded, key: bytes, answer: StoredAnswer) -> None:
        """As `OtherWordings.bought`."""
        meant = told.meant
        if not isinstance(meant, Meant):
            return
        self._store.add(meant.partition, meant.form, Entry(meant.vector, key, answer.expires_at_ns))
        if not told.key:
            return
        if len(self._comparing) >= MOST_WAITING:
            self.counts["dropped"] += 1
            return
        task = asyncio.get_running_loop().create_task(self._compare(meant, told.key, answer))
        self._comparing.add(task)
        task.add_done_callback(self._comparing.discard)

    async def close(self) -> None:
        """Finish the comparisons under way, and end."""
        await asyncio.gather(*self._comparing, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)
        if self._evidence is not None:
            self._evidence.close()

    async def _compare(self, meant: Meant, key: bytes, bought: StoredAnswer) -> None:
        """Hold a bought answer against the remembered one, unless that has gone meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            before = await self._answers.get(key, time.time_ns())
            if before is None:
                self.counts["gone"] += 1
                return
            texts = await loop.run_in_executor(self._thread, _texts, meant.operation, before, bought)
            wrong = not await self._is_same(meant.text, *texts)
            seen = await loop.run_in_executor(self._thread, partial(self._record, meant.basis, wrong=wrong))
        except Exception:
            self.counts["failed"] += 1
            LOG.exception("two answers could not be compared")
            return
        before_it, _ = self._known.get(meant.basis, (seen, 0.0))
        self._known[meant.basis] = (seen, time.monotonic())
        self.counts["wrong" if wrong else "right"] += 1
        if seen.serving != before_it.serving:
            _tell(meant.basis, seen)

    async def _is_same(self, question: str, first: str | None, second: str | None) -> bool:
        """What cannot be read as text counts as different."""
        if first is None or second is None:
            return False
        if same_answer(first, second):
            return True
        return self._judge is not None and await self._judge(question, first, second)

    def _believed(self, basis: Basis) -> Evidence:
        """What was known last; where that is a while ago it is read again, for the next request."""
        seen, at_s = self._known.get(basis, (Evidence(), -FRESH_S))
        now_s = time.monotonic()
        if now_s - at_s >= FRESH_S:
            self._known[basis] = (seen, now_s)
            self._thread.submit(self._refresh, basis)
        return seen

    def _refresh(self, basis: Basis) -> None:
        try:
            self._known[basis] = (self._opened().read(basis), time.monotonic())
        except Exception:
            self._known[basis] = (Evidence(), time.monotonic())
            LOG.exception("the evidence on remembered answers could not be read")

    def _record(self, basis: Basis, *, wrong: bool) -> Evidence:
        return self._opened().record(basis, wrong=wrong)

    def _opened(self) -> EvidenceStore:
        if self._evidence is None:
            self._evidence = EvidenceStore.open(self._path)
        return self._evidence

    def _digest(self, scope: KeyScope, rule: SemanticRule) -> bytes:
        """All that evidence rests on beside the promise: what serves the route, and what makes two questions one."""
        rests_on = (self._embedder.name, GUARD_VERSION, rule.similarity)
        return sha256(scope.route + repr(rests_on).encode()).digest()


def _tell(basis: Basis, seen: Evidence) -> None:
    does = "are served from now on" if seen.serving else "are not served any more"
    said = f"{seen.wrong} of {seen.compared} were wrong, so at most {upper_bound(seen):.2%} are"
    why = said if seen.compared else "too many went wrong at once"
    LOG.warning("answers to other wordings of %s %s: %s", basis.route, does, why)


def _texts(operation: Operation, *answers: StoredAnswer) -> list[str | None]:
    return [_text(operation, answer) for answer in answers]


def _text(operation: Operation, answer: StoredAnswer) -> str | None:
    whole = b"".join(answer.pieces)
    if not answer.stream:
        return answer_text(operation, whole)
    return streamed_text(operation, (data for data in map(event_data, split_events(whole)) if data))
