"""Serves requests: each gets a life of its own over what all of them share."""

from __future__ import annotations

from collections import Counter
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
        self._lives: set[RequestLife | TokenCount] = set()

    async def serve(self, call: Call, reply: Reply) -> None:
        """Answer one request of an authorised key.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        question, route = self._admitted(call)
        remembered, cache = self.remembered, route.cache
        if remembered is None or cache is None:
            await self._live(
                RequestLife(self.shared, call, question, route, reply), self._limits.take(call.key, question)
            )
            return
        taken = self._limits.take_request(call.key)
        try:
            await remembered.serve(Asked(call, question, route), cache, reply, partial(self._fetch, question, taken))
        finally:
            if taken is not None:
                taken.give_back()

    async def count_tokens(self, call: Call, reply: Reply) -> None:
        """Answer one request to count a message's tokens.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
        """
        question, route = self._admitted(call)
        await self._live(TokenCount(self.shared, call, question, route, reply), self._limits.take(call.key, question))

    def _admitted(self, call: Call) -> tuple[Question, Route]:
        try:
            question = call.endpoint.question(call.body)
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        return question, self.shared.allowed_route(question, call.key)

    async def _live(self, life: RequestLife | TokenCount, taken: Taken | None) -> None:
        try:
            await self._run(life, taken)
        finally:
            if taken is not None:
                taken.give_back()

    async def _fetch(self, question: Question, taken: Taken | None, life: RequestLife) -> None:
        """Live the life of a request whose answer is not remembered: only now its tokens count."""
        if taken is not None:
            taken.take_tokens(question)
        await self._run(life, taken)

    async def _run(self, life: RequestLife | TokenCount, taken: Taken | None) -> None:
        self._lives.add(life)
        try:
            await life.run()
        finally:
            self._lives.discard(life)
            if taken is not None:
                taken.used_tokens = life.used_tokens

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was not served."""
        self.refusals[refusal.code] += 1

    def give_up(self) -> None:
        """Settle every request under way by an estimate: the process is about to end."""
        for life in tuple(self._lives):
            life.give_up()

    @property
    def requests_under_way(self) -> int:
        """Requests that have been taken and are not yet answered."""
        return len(self._lives)
