"""Requests whose answer may be remembered: found, heard from a call that is under way, or fetched and kept."""

from __future__ import annotations

from collections import Counter
from secrets import token_hex
from time import time_ns
from typing import Final

from msgspec import structs

from breakeven.cache.response_store import ResponseStore, StoredAnswer
from breakeven.pipeline.answer_memory import AnswerMemory
from breakeven.pipeline.answers import cost_comment
from breakeven.pipeline.flight import Flight
from breakeven.pipeline.flights import Flights, Run
from breakeven.pipeline.given import Asked, Bought, Given
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.other_wordings import OtherWordings, Reworded
from breakeven.pipeline.recording import Listener, Recording, as_they_are
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import RouteCache
from breakeven.policy.cache_control import CacheControl, read_cache_control
from breakeven.policy.cache_key import KeyScope, cache_key
from breakeven.policy.cacheability import not_cached
from breakeven.policy.call_ids import renewed
from breakeven.policy.decision import GivenReason
from breakeven.policy.window import NS_PER_S

_UNKNOWN: Final = -1
"""The epoch in the keys of calls under way, which nothing is stored by."""


class Remembered:
    """Serves the requests of routes that have a cache.

    ``lookups`` counts them by what became of them (hit, semantic, shared, miss), ``bypasses`` those that have no key,
    by reason. ``other_wordings`` finds answers to other wordings; None where no route has them.
    """

    def __init__(self, shared: Shared, store: ResponseStore) -> None:
        self._shared = shared
        self._flights = Flights(shared)
        self.memory = AnswerMemory(store)
        self.other_wordings: OtherWordings | None = None
        self.lookups: Counter[str] = Counter()
        self.bypasses: Counter[str] = Counter()

    def give_up(self) -> None:
        """The process is about to end: who waits for a call that is given up makes no other."""
        self._flights.give_up()

    async def serve(self, asked: Asked, cache: RouteCache, reply: Reply, run: Run) -> None:
        """Answer one request.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        control = read_cache_control(asked.call.cache_control)
        question = asked.question
        why = "no_store" if control.no_store else not_cached(question.operation, question.fields, cache.rule)
        epoch = await self.memory.epoch(asked.call.key.tenant) if why is None else None
        key = self._key(asked, cache, epoch) if why is None else None
        if key is None:
            self.bypasses[why or "unreadable"] += 1
            _must_be_fetched(control)
            told = _telling(asked, b"bypass")
            await run(RequestLife(self._shared, told.call, question, asked.route, reply))
            return
        reads = None if control.no_cache else control.within(cache.rule.ttl_s)
        if reads and epoch is not None and await self._given(key, reads, asked, reply, "response_cache"):
            return
        reworded = None if epoch is None else self._reworded(asked, cache, epoch)
        if reads and await self._answered(key, reworded, reads, asked, reply):
            return
        _must_be_fetched(control)
        self.lookups["miss"] += 1

        def keep(flight: Flight) -> None:
            answer = None if epoch is None else self.memory.keep(key, flight, question.operation, cache.rule)
            if answer is not None and reworded is not None and self.other_wordings is not None:
                self.other_wordings.bought(reworded, key, answer)

        await self._flights.lead(key, _telling(asked, b"miss"), reply, run, keep)

    async def close(self) -> None:
        """Finish what is compared and written, and end."""
        if self.other_wordings is not None:
            await self.other_wordings.close()
        await self.memory.store.close()

    def _key(self, asked: Asked, cache: RouteCache, epoch: int | None) -> bytes | None:
        """The key of a question; None where its JSON may mean two things."""
        return cache_key(_scope(asked, cache, epoch), asked.question.fields, asked.call.headers)

    def _reworded(self, asked: Asked, cache: RouteCache, epoch: int) -> Reworded | None:
        """How other wordings of a question are recognised; None where its route has none, or it has none."""
        if self.other_wordings is None or cache.semantic.mode == "off":
            return None
        return self.other_wordings.reworded(asked, _scope(asked, cache, epoch), cache.semantic)

    async def _answered(
        self, key: bytes, reworded: Reworded | None, control: CacheControl, asked: Asked, reply: Reply
    ) -> bool:
        """Whether it was answered by what another wording has, or by a call under way."""
        is_served = reworded is not None and reworded.serves
        if reworded and is_served and await self._given(reworded.key, control, asked, reply, "semantic_cache"):
            return True
        if control.only_if_cached or not await self._flights.followed(key, asked, reply):
            return False
        self.lookups["shared"] += 1
        return True

    async def _given(
        self, key: bytes, control: CacheControl, asked: Asked, reply: Reply, served_from: GivenReason
    ) -> bool:
        """Whether it was answered by what is remembered under a key."""
        found = await self.memory.found(key, control)
        if found is None:
            return False
        self.lookups["hit" if served_from == "response_cache" else "semantic"] += 1
        await self._give(asked, found, reply, served_from)
        return True

    async def _give(self, asked: Asked, answer: StoredAnswer, reply: Reply, served_from: GivenReason) -> None:
        """A remembered answer: its row is written before its last byte leaves."""
        given = Given(self._shared, asked, served_from)
        await given.hold(answer.served_model)
        pieces = answer.pieces
        if answer.call_ids:
            pieces = renewed(pieces, answer.call_ids, lambda: token_hex(12).encode())
        age_s = max((time_ns() - answer.stored_at_ns) // NS_PER_S, 0)
        headers = given.headers(answer.served_model, answer.deployment, age_s, answer.content_type)
        if not answer.stream:
            await given.settle(Bought.stored(answer), "client_gone" if reply.gone else "ok")
            reply.whole(200, headers, pieces[0])
            return
        listener = Listener(Recording.whole(headers, pieces[:-1]), reply, as_they_are)
        try:
            await listener.done
        finally:
            listener.close()
            await given.settle(Bought.stored(answer), "client_gone" if reply.gone else "ok")
        reply.end(pieces[-1] + cost_comment(0))


def _scope(asked: Asked, cache: RouteCache, epoch: int | None) -> KeyScope:
    known = _UNKNOWN if epoch is None else epoch
    return KeyScope(asked.call.key.tenant, known, asked.question.operation, cache.identity)


def _must_be_fetched(control: CacheControl) -> None:
    if control.only_if_cached:
        raise Refusal(504, "not_cached", "the answer is not in the cache, and only-if-cached asks for no other")


def _telling(asked: Asked, what: bytes) -> Asked:
    """The same with a header that says what the cache was to it."""
    return asked._replace(call=structs.replace(asked.call, answer_headers=((b"x-breakeven-cache", what),)))
