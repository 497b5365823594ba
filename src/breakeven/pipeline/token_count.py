"""One request to count a message's tokens: authorised and limited like any other, but free, so nothing is held."""

from __future__ import annotations

import asyncio
from time import perf_counter, time_ns
from typing import Final

from breakeven.errors import InputError
from breakeven.pipeline.answers import Answerer
from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.call import Call
from breakeven.pipeline.prepared import Prepared
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import Candidate, Route
from breakeven.policy.decision import decision
from breakeven.upstreams.anthropic_messages import MessagesCodec
from breakeven.upstreams.wire import Question

_CODEC: Final = MessagesCodec(path="/messages/count_tokens")


class TokenCount:
    """Passed through to an upstream of Anthropic's wire, which alone knows its tokenizer.

    Anthropic counts for nothing, and limits counts apart from messages (platform.claude.com/docs, token counting, read
    in November 2026). So there is no hold and no row, and a deployment's state neither takes part nor changes.
    """

    __slots__ = ("_attempt", "_call", "_question", "_reply", "_route", "_shared", "used_tokens")

    def __init__(self, shared: Shared, call: Call, question: Question, route: Route, reply: Reply) -> None:
        self._shared, self._call, self._question, self._reply = shared, call, question, reply
        self._route = route
        self._attempt: Attempt | None = None
        self.used_tokens = 0

    async def run(self) -> None:
        """Give the upstream's count.

        Raises:
            Refusal: nothing that could serve the model can count, or the upstream would not be able to read the body.
        """
        self._reply.on_gone = self.give_up
        try:
            await self._try_all()
        finally:
            self._reply.on_gone = self._reply.on_full = self._reply.on_drained = None

    def give_up(self) -> None:
        """The client has gone, or the process is about to end: nobody waits for the answer."""
        if self._attempt is not None:
            self._attempt.relay.give_up()

    async def _try_all(self) -> None:
        candidates = self._candidates()
        answerer, started_at = Answerer(self._call, self._reply), perf_counter()
        for number, candidate in enumerate(candidates, start=1):
            attempt = self._attempt = self._started(candidate, number)
            await attempt.finish()
            if attempt.is_final:
                answerer.give(attempt, 0)
                return
            following = candidates[number].target if number < len(candidates) else None
            elapsed_s = perf_counter() - started_at
            delay_s = self._shared.deployments.retry_delay_s(attempt, following, number, elapsed_s)
            if delay_s is None:
                answerer.give_failure(attempt, 0)
                return
            await asyncio.sleep(delay_s)

    def _candidates(self) -> list[Candidate]:
        found = self._shared.candidates(self._route, self._question, self._call)
        able = [each for each in found if each.target.upstream.wire == "anthropic"]
        if not able:
            upstream = found[0].target.upstream
            raise Refusal(
                400,
                "operation_not_supported",
                f"{self._question.model} is served by {upstream.name}, whose {upstream.wire} wire cannot count tokens",
            )
        return able

    def _started(self, candidate: Candidate, number: int) -> Attempt:
        target = candidate.target
        attempt = Attempt(
            call=self._call,
            question=self._question,
            codec=_CODEC,
            target=target,
            number=number,
            started_at_ns=time_ns(),
            decision=decision(target.model, target.name, candidate.reasons),
        )
        try:
            body = _CODEC.request(self._question, target.model, None)
            attempt.start(Prepared(written=body, body=body), self._reply)
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        return attempt
