"""Requests whose answer may be remembered: found, heard from a call that is under way, or fetched and kept.

Whatever goes wrong with the store is a miss: the cache is never why a request fails.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from secrets import token_hex
from time import time_ns
from typing import Final, NamedTuple

from msgspec import structs

from breakeven.cache.response_store import ResponseStore, StoredAnswer
from breakeven.pipeline.answers import cost_comment
from breakeven.pipeline.flight import Flight
from breakeven.pipeline.followed import follow
from breakeven.pipeline.given import Asked, Bought, Given
from breakeven.pipeline.kept import NS_PER_S, kept
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.other_wordings import OtherWordings, Reworded
from breakeven.pipeline.recording import Listener, Recording
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Headers, Reply
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import RouteCache
from breakeven.policy.cache_control import CacheControl, read_cache_control
from breakeven.policy.cache_key import KeyScope, cache_key
from breakeven.policy.cacheability import NotCached, not_cached
from breakeven.policy.call_ids import renewed
from breakeven.policy.decision import GivenReason

LOG: Final = logging.getLogger("breakeven.pipeline")

Run = Callable[[RequestLife], Awaitable[None]]
"""Live a request's life: how the pipeline counts it and limits its tokens is its own affair."""

FOLLOWED: Final = 2
"""How often a request waits for another's answer: where that fails, one of those that waited asks, and once more the
others wait; then each asks for itself, as if nobody shared."""

_TOOLS: Final = ("tools", "functions")


class Wanted(NamedTuple):
    """An answer to fetch and keep: under which key, for whom, by which rule, and how other wordings would find it."""

    key: bytes
    asked: Asked
    cache: RouteCache
    reworded: Reworded | None


class Remembered:
    """Serves the requests of routes that have a cache. ``counts`` says what became of them, by result or reason.

    ``semantic`` finds answers to other wordings; None where no route has them.
    """

    def __init__(self, shared: Shared, store: ResponseStore) -> None:
        self._shared, self.store = shared, store
        self.semantic: OtherWordings | None = None
        self._flights: dict[bytes, Flight] = {}
        self._stopping = False
        self.lookups: Counter[str] = Counter()
        self.bypasses: Counter[str] = Counter()
        self.not_stored: Counter[str] = Counter()

    def give_up(self) -> None:
        """The process is about to end: who waits for a call that is given up makes no other."""
        self._stopping = True

    async def close(self) -> None:
        """Finish what is compared and written, and end."""
        if self.semantic is not None:
            await self.semantic.close()
        await self.store.close()

    async def serve(self, asked: Asked, cache: RouteCache, reply: Reply, run: Run) -> None:
        """Answer one request.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        control = read_cache_control(asked.call.cache_control)
        key = self._key(asked, cache, control)
        if key is not None and not control.no_cache:
            found = await self._found(key, control)
            if found is not None:
                self.lookups["hit"] += 1
                await self._give(asked, found, reply, "response_cache")
                return
        reworded = None if key is None else self._reworded(asked, cache)
        if reworded is not None and reworded.serves and not control.no_cache:
            found = await self._found(reworded.key, control)
            if found is not None:
                self.lookups["semantic"] += 1
                await self._give(asked, found, reply, "semantic_cache")
                return
        if control.only_if_cached:
            raise Refusal(504, "not_cached", "the answer is not in the cache, and only-if-cached asks for no other")
        if key is None:
            await run(self._life(asked, b"bypass", reply))
            return
        if not control.no_cache and await self._followed(key, asked, reply):
            self.lookups["shared"] += 1
            return
        self.lookups["miss"] += 1
        await self._lead(Wanted(key, asked, cache, reworded), reply, run)

    def _scope(self, asked: Asked, cache: RouteCache) -> KeyScope:
        tenant = asked.call.key.tenant
        return KeyScope(tenant, self.store.epoch(tenant), asked.question.operation, cache.identity)

    def _reworded(self, asked: Asked, cache: RouteCache) -> Reworded | None:
        """The request as another wording of it is recognised, with the answer that one has; None where it is not."""
        if self.semantic is None or cache.semantic.mode == "off":
            return None
        try:
            return self.semantic.reworded(asked, self._scope(asked, cache), cache.semantic)
        except Exception:
            LOG.exception("no other wording could be looked for")
            return None

    def _key(self, asked: Asked, cache: RouteCache, control: CacheControl) -> bytes | None:
        """The key of a question that may be remembered."""
        call, question = asked.call, asked.question
        why: NotCached | None = "no_store"
        if not control.no_store:
            why = not_cached(question.operation, question.fields, cache.rule)
        if why is None:
            key = cache_key(self._scope(asked, cache), question.fields, call.headers)
            if key is not None:
                return key
            why = "unreadable"
        self.bypasses[why] += 1
        return None

    async def _found(self, key: bytes, control: CacheControl) -> StoredAnswer | None:
        now_ns = time_ns()
        try:
            answer = await self.store.get(key, now_ns)
        except Exception:
            LOG.exception("the cache could not be read")
            return None
        if answer is None or not control.allows_age_ns(now_ns - answer.stored_at_ns):
            return None
        return answer

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
        listener = Listener(Recording.whole(headers, pieces[:-1]), reply, _as_they_are)
        try:
            await listener.done
        finally:
            listener.close()
            await given.settle(Bought.stored(answer), "client_gone" if reply.gone else "ok")
        reply.end(pieces[-1] + cost_comment(0))

    async def _followed(self, key: bytes, asked: Asked, reply: Reply) -> bool:
        """Whether the request was answered by a call of another that is under way.

        A question with tools is not: the ids of the calls in one answer would be several clients'.
        """
        if any(name in asked.question.fields for name in _TOOLS):
            return False
        for _ in range(FOLLOWED):
            if self._stopping:
                raise Refusal(503, "stopping", "the gateway is stopping; send the request again")
            flight = self._flights.get(key)
            if flight is None or not flight.may_be_joined:
                return False
            if await follow(self._shared, asked, flight, reply):
                return True
        return False

    async def _lead(self, wanted: Wanted, reply: Reply, run: Run) -> None:
        """Fetch the answer. It is fetched to its end as long as anybody hears it, whoever asked for it."""
        key, asked = wanted.key, wanted.asked
        flight = Flight(asked.route)
        life = self._life(asked, b"miss", flight)
        flight.fetched_by(life)
        before = self._flights.get(key)
        if before is None or not before.may_be_joined:
            self._flights[key] = flight
        listener = flight.payer = Listener(flight.recording, reply, _as_they_are)
        try:
            await run(life)
            if listener.done.done():  # its client first
                flight.finish(reply)
            await self._keep(wanted, flight)
            await listener.done
            flight.finish(reply)
        finally:
            flight.abandon()
            listener.close()
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _keep(self, wanted: Wanted, flight: Flight) -> None:
        """Remember an answer that has come, if it is a good one, and hold one to another wording against it."""
        try:
            answer = kept(flight, wanted.asked.question.operation, wanted.cache.rule)
            if not isinstance(answer, StoredAnswer):
                self.not_stored[answer] += 1
                return
            self.store.put(wanted.key, answer)
            if self.semantic is not None and wanted.reworded is not None:
                other = wanted.reworded.key
                before = await self.store.get(other, time_ns()) if other else None
                self.semantic.bought(wanted.reworded, before, wanted.key, answer)
        except Exception:
            LOG.exception("an answer could not be remembered")

    def _life(self, asked: Asked, told: bytes, reply: Reply) -> RequestLife:
        call = structs.replace(asked.call, answer_headers=((b"x-breakeven-cache", told),))
        return RequestLife(self._shared, call, asked.question, asked.route, reply)


def _as_they_are(headers: Headers) -> Headers:
    return headers
