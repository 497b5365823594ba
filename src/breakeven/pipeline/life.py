"""The life of one request: decision, hold, attempts, settlement, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter, time_ns

from breakeven.errors import InputError, UnknownName, Unpriced
from breakeven.ledger.ledger_store import Hold
from breakeven.pipeline.answers import Answerer
from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.call import Call
from breakeven.pipeline.prepared import Prepared
from breakeven.pipeline.refusal import Refusal, budget_held, no_codec, over_budget, too_dear
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.settled import bound_usage
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import Candidate, Route, Target
from breakeven.policy.budget import Admission
from breakeven.policy.decision import Reason, decision
from breakeven.policy.scope import Scope
from breakeven.upstreams.codecs import codec_of
from breakeven.upstreams.wire import Question


class _Degraded(Exception):
    """A budget has room for a cheaper model only."""

    def __init__(self, admission: Admission) -> None:
        super().__init__()
        self.admission = admission


class RequestLife:
    """One request from its question to its answer. Each attempt has a hold and a row of its own."""

    __slots__ = (
        "_answerer",
        "_attempt",
        "_attempts",
        "_call",
        "_cost_nano_usd",
        "_question",
        "_reply",
        "_route",
        "_shared",
        "used_tokens",
    )

    def __init__(self, shared: Shared, call: Call, question: Question, route: Route, reply: Reply) -> None:
        self._shared, self._call, self._question, self._reply = shared, call, question, reply
        self._route = route
        self._answerer = Answerer(call, reply)
        self._attempt: Attempt | None = None
        self._attempts = 0
        self._cost_nano_usd = 0
        self.used_tokens = 0

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is under way, or the last one; None before the first."""
        return self._attempt

    async def run(self) -> None:
        """Serve the request.

        Raises:
            Refusal: it is not served, and nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        reply = self._reply
        reply.on_gone = self._client_gone
        try:
            await self._try_all(self._shared.candidates(self._route, self._question, self._call), ())
        except _Degraded as degraded:
            await self._degrade(degraded.admission)
        finally:
            # Each names what holds the reply: kept, they would hold both bodies until a garbage collection.
            reply.on_gone = reply.on_full = reply.on_drained = None

    async def _degrade(self, admission: Admission) -> None:
        """Try the cheaper route: a budget has no room for the one that was asked for."""
        route = self._shared.cheaper(self._route, self._call.key, admission)
        try:
            await self._try_all(self._shared.candidates(route, self._question, self._call), ("degraded",))
        except _Degraded as again:
            raise over_budget(again.admission) from None

    def give_up(self) -> None:
        """The process is about to end: settle what is under way by an estimate."""
        if self._attempt is not None:
            self._attempt.relay.give_up()

    async def _try_all(self, candidates: Sequence[Candidate], reasons: tuple[Reason, ...]) -> None:
        """Try one deployment after another until there is an answer to give."""
        started_at = perf_counter()
        for number, candidate in enumerate(candidates, start=1):
            try:
                attempt = await self._try(candidate, reasons)
            except Refusal:
                if self._attempt is None:
                    raise
                self._answerer.give_failure(self._attempt, self._cost_nano_usd)  # no room for another attempt
                return
            if attempt is None or attempt.is_final:
                return
            following = candidates[number].target if number < len(candidates) else None
            elapsed_s = perf_counter() - started_at
            delay_s = self._shared.deployments.retry_delay_s(attempt, following, number, elapsed_s)
            if delay_s is None:
                self._answerer.give_failure(attempt, self._cost_nano_usd)
                return
            if delay_s:
                await asyncio.sleep(delay_s)

    async def _try(self, candidate: Candidate, reasons: tuple[Reason, ...]) -> Attempt | None:
        """One attempt, settled; its answer is given if it is final. None: the client went before it was sent."""
        target = candidate.target
        codec = codec_of(self._question.operation, target.upstream.wire)
        if codec is None:
            raise no_codec(self._question, target)
        scopes = self._shared.scopes(self._call, target.model)
        try:
            body = codec.request(self._question, target.model, self._output_limit(target, scopes))
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        prepared = self._prepared(target, codec.path, body)
        number = self._attempts + 1
        at_ns, hold = await self._hold(target, scopes, number, prepared.body)
        if self._reply.gone:
            await self._shared.ledger.release(hold)
            return None
        attempt = Attempt(
            call=self._call,
            question=self._question,
            codec=codec,
            target=target,
            number=number,
            started_at_ns=at_ns,
            decision=decision(target.model, target.name, reasons + candidate.reasons),
        )
        try:
            attempt.start(prepared, self._reply)
        except InputError as error:
            await self._shared.ledger.release(hold)
            raise Refusal(400, "invalid_request", error.message) from error
        self._attempt = attempt
        self._attempts = number
        self._shared.deployments.begin(attempt)
        await attempt.finish()
        self._shared.deployments.end(attempt)
        entry = attempt.entry(hold.bound_nano_usd, self._route)
        await self._shared.ledger.settle(hold, entry)
        self.used_tokens += entry.usage.input_tokens + entry.usage.output_tokens
        self._cost_nano_usd += entry.effective_nano_usd
        if entry.usage_basis == "reported":
            target.note_input_tokens(self._question, entry.usage.input_tokens)
        self._shared.preparation.settled(prepared, entry)
        if attempt.is_final:
            self._answerer.give(attempt, self._cost_nano_usd)
        return attempt

    def _prepared(self, target: Target, path: str, body: bytes) -> Prepared:
        """What is sent; the same again where an attempt is repeated, so that nothing is learned from it twice."""
        last = self._attempt
        if last is not None and last.target is target and last.prepared.written == body:
            return last.prepared
        return self._shared.preparation.prepare(self._call.key.tenant, self._question, target, path, body)

    async def _hold(self, target: Target, scopes: tuple[Scope, ...], number: int, sent: bytes) -> tuple[int, Hold]:
        """Set the worst case aside, waiting for other requests to be settled where only they are in the way."""
        until = perf_counter() + self._shared.settings.budget_wait_s
        while True:
            at_ns = time_ns()
            bound = self._bound_nano_usd(target, at_ns, sent)
            found = await self._shared.ledger.hold(
                self._call.request_id,
                scopes,
                bound,
                at_ns,
                self._question.operation,
                self._question.stream,
                number,
            )
            if not isinstance(found, Admission):
                return at_ns, found
            if found.verdict == "degrade":
                raise _Degraded(found)
            if found.verdict == "refuse":
                raise over_budget(found)
            if not await self._shared.ledger.wait_for_room(found, until - perf_counter()):
                raise budget_held(found)

    def _bound_nano_usd(self, target: Target, at_ns: int, sent: bytes) -> int:
        question = self._question
        if question.extras:
            raise Refusal(400, "not_priced", f"{', '.join(question.extras)}: what has no price here is not sent")
        processing = question.processing or "standard"
        try:
            usage = bound_usage(question, target, target.prices.paid_card(at_ns, processing), sent)
        except (UnknownName, Unpriced) as error:
            raise Refusal(400, "not_priced", f"{error.message}: what has no price is not sent") from error
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        try:
            bound = target.prices.paid_nano_usd(usage, at_ns, processing)
        except InputError as error:
            raise Refusal(400, "not_priced", f"{error.message}: what has no price is not sent") from error
        cap = self._call.key.max_nano_usd_per_request
        if cap is not None and bound > cap:
            raise too_dear(bound, cap)
        return bound

    def _output_limit(self, target: Target, scopes: tuple[Scope, ...]) -> int | None:
        """A limit of output tokens to send where the client stated none and money is limited; None: leave it open."""
        if self._question.max_output_tokens is not None or self._question.operation == "embeddings":
            return None
        limited = self._call.key.max_nano_usd_per_request is not None or self._shared.ledger.budgets(scopes)
        return target.max_output_tokens if limited else None

    def _client_gone(self) -> None:
        """The client went: hear the upstream out, since that says what is billed, but not for ever."""
        if self._attempt is not None:
            self._attempt.relay.hear_out()
            drain_s = self._shared.settings.drain_after_disconnect_s
            asyncio.get_running_loop().call_later(drain_s, self._attempt.relay.give_up)
