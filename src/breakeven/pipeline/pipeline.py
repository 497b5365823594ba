"""Serves requests: each gets a life of its own over what all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Set

from breakeven.errors import InputError
from breakeven.pipeline.call import Call
from breakeven.pipeline.key_limits import KeyLimits
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.token_count import TokenCount


class Pipeline:
    """Takes requests of authorised keys, and counts those that it does not serve, by the code of the refusal."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.refusals: Counter[str] = Counter()
        self._limits = KeyLimits()
        self._lives: dict[str, RequestLife | TokenCount] = {}

    def serve(self, call: Call, reply: Reply) -> Awaitable[None]:
        """Answer one request of an authorised key.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        return self._live(RequestLife, call, reply)

    def count_tokens(self, call: Call, reply: Reply) -> Awaitable[None]:
        """Answer one request to count a message's tokens.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
        """
        return self._live(TokenCount, call, reply)

    async def _live(self, kind: type[RequestLife | TokenCount], call: Call, reply: Reply) -> None:
        try:
            question = call.endpoint.question(call.body)
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        route = self.shared.allowed_route(question, call.key)
        taken = self._limits.take(call.key, question)
        life = kind(self.shared, call, question, route, reply)
        self._lives[call.request_id] = life
        try:
            await life.run()
        finally:
            del self._lives[call.request_id]
            if taken is not None:
                taken.used_tokens = life.used_tokens
                taken.give_back()

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was not served."""
        self.refusals[refusal.code] += 1

    def give_up(self) -> None:
        """Settle every request under way by an estimate: the process is about to end."""
        for life in tuple(self._lives.values()):
            life.give_up()

    @property
    def requests_under_way(self) -> int:
        """Requests that have been taken and are not yet answered."""
        return len(self._lives)

    @property
    def under_way(self) -> Set[str]:
        """The ids of these requests, kept current: each holds the route that it began with."""
        return self._lives.keys()
