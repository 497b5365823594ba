"""Serves requests: each gets a life of its own over what all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from functools import partial

from breakeven.errors import InputError
from breakeven.pipeline.call import Call
from breakeven.pipeline.given import Asked
from breakeven.pipeline.key_limits import KeyLimits, Taken
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.remembered import Remembered
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import Route
from breakeven.pipeline.token_count import TokenCount
from breakeven.upstreams.wire import Question


class Pipeline:
    """Takes requests of authorised keys, and counts those that it does not serve, by the code of the refusal.

    ``remembered`` serves those whose route has a cache; None where there is none.
    """

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.remembered: Remembered | None = None
        self.refusals: Counter[str] = Counter()
        self._limits = KeyLimits()
        self._lives: dict[str, RequestLife | TokenCount | None] = {}

    async def serve(self, call: Call, reply: Reply) -> None:
        """Answer one request of an authorised key.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        question, route = self._admitted(call)
        remembered, cache = self.remembered, route.cache
        if remembered is None or cache is None:
            life = RequestLife(self.shared, call, question, route, reply)
            await self._live(call, life, self._limits.take(call.key, question))
            return
        taken = self._limits.take_request(call.key)
        self._lives[call.request_id] = None
        try:
            fetch = partial(self._fetch, call, question, taken)
            await remembered.serve(Asked(call, question, route), cache, reply, fetch)
        finally:
            del self._lives[call.request_id]
            if taken is not None:
                taken.give_back()

    async def count_tokens(self, call: Call, reply: Reply) -> None:
        """Answer one request to count a message's tokens.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
        """
        question, route = self._admitted(call)
        life = TokenCount(self.shared, call, question, route, reply)
        await self._live(call, life, self._limits.take(call.key, question))

    def _admitted(self, call: Call) -> tuple[Question, Route]:
        try:
            question = call.endpoint.question(call.body)
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        return question, self.shared.allowed_route(question, call.key)

    async def _live(self, call: Call, life: RequestLife | TokenCount, taken: Taken | None) -> None:
        self._lives[call.request_id] = life
        try:
            await life.run()
        finally:
            del self._lives[call.request_id]
            if taken is not None:
                taken.used_tokens = life.used_tokens
                taken.give_back()

    async def _fetch(self, call: Call, question: Question, taken: Taken | None, life: RequestLife) -> None:
        """Live the life of a request whose answer is not remembered: only now its tokens count."""
        if taken is not None:
            taken.take_tokens(question)
        self._lives[call.request_id] = life
        try:
            await life.run()
        finally:
            self._lives[call.request_id] = None
            if taken is not None:
                taken.used_tokens = life.used_tokens

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was not served."""
        self.refusals[refusal.code] += 1

    def give_up(self) -> None:
        """Settle every request under way by an estimate: the process is about to end."""
        if self.remembered is not None:
            self.remembered.give_up()
        for life in tuple(self._lives.values()):
            if life is not None:
                life.give_up()

    @property
    def requests_under_way(self) -> int:
        """Requests that have been taken and are not yet answered."""
        return len(self._lives)

    @property
    def under_way(self) -> Set[str]:
        """The ids of these requests, kept current: each holds the route that it began with."""
        return self._lives.keys()
