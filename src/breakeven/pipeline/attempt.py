"""One attempt at one request: sent to one deployment, heard, priced, and turned into a row of the ledger."""

from __future__ import annotations

import asyncio
from time import perf_counter

from msgspec import structs

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, Unavailable
from breakeven.ledger.entry import LedgerEntry, UsageBasis
from breakeven.pipeline.call import Call
from breakeven.pipeline.prepared import Prepared
from breakeven.pipeline.prices import RowCost
from breakeven.pipeline.relay import Relay
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.settled import Consumption, consumption
from breakeven.pipeline.target import Route, Target
from breakeven.policy.decision import Decision
from breakeven.upstreams.upstream import UpstreamFailed
from breakeven.upstreams.wire import Answer, Codec, Question


class Attempt:
    """What is known of an attempt while it is under way and after it."""

    __slots__ = (
        "_started_at",
        "answer",
        "call",
        "codec",
        "consumed",
        "decision",
        "duration_s",
        "number",
        "prepared",
        "question",
        "relay",
        "started_at_ns",
        "target",
        "ttft_s",
    )

    prepared: Prepared
    relay: Relay
    consumed: Consumption

    def __init__(
        self,
        *,
        call: Call,
        question: Question,
        codec: Codec,
        target: Target,
        number: int,
        started_at_ns: int,
        decision: Decision,
    ) -> None:
        self.call, self.question, self.codec, self.target = call, question, codec, target
        self.number, self.started_at_ns, self.decision = number, started_at_ns, decision
        self.answer: Answer | None = None
        self.ttft_s: float | None = None
        self.duration_s = self._started_at = 0.0

    @property
    def is_final(self) -> bool:
        """Whether the client has something of this answer, or the whole, or is gone: then no other is tried."""
        return self.relay.begun or self.consumed.outcome in ("ok", "client_gone")

    def start(self, prepared: Prepared, reply: Reply) -> None:
        """Send the question.

        Raises:
            InputError: a header of the client cannot be passed on; nothing was sent.
        """
        self.prepared = prepared
        if prepared.marked_by == "gateway":  # what was asked for says how long the writes that are billed are kept
            self.question = structs.replace(self.question, body=prepared.body)
        headers_out = self._headers_out() if self.question.stream else ()
        self.relay = Relay(self.question, self.codec, reply, headers_out)
        self._started_at = perf_counter()
        headers = {**self.codec.headers, **self.call.headers}
        self.relay.connect(self.target.upstream.send(self.codec.path, headers, prepared.body, self.relay))

    async def finish(self) -> None:
        """Wait until nothing more of the answer matters, and find what it used; a cancelled wait is given up."""
        relay = self.relay
        try:
            await relay.finished
        except asyncio.CancelledError:
            relay.give_up()
        self.duration_s = perf_counter() - self._started_at
        if relay.first_data_at is not None:
            self.ttft_s = relay.first_data_at - self._started_at
        if relay.failure is None and relay.stream is None and 200 <= relay.status < 300:
            try:
                self.answer = self.codec.answer(self.question, relay.body())
            except Unavailable as error:  # an answer that cannot be translated was billed all the same
                relay.failure = UpstreamFailed("protocol", error.message, sent=True)
        self.consumed = consumption(relay, self.question, self.target, self.answer)

    def entry(self, bound_nano_usd: int, requested: Route) -> LedgerEntry:
        """The attempt as a row; ``bound_nano_usd`` is its cost where its usage has no price."""
        used, target, call, question, key = self.consumed, self.target, self.call, self.question, self.call.key
        cost, basis = self._cost(bound_nano_usd)
        removed_tokens, removed_nano_usd = self._removed(basis)
        # In the order of the fields: named one by one, so many take ten times as long.
        return LedgerEntry(
            call.request_id,
            self.number,
            self.started_at_ns,
            _whole_microseconds(self.duration_s),
            None if self.ttft_s is None else _whole_microseconds(self.ttft_s),
            key.tenant,
            key.team,
            key.user,
            key.key_id,
            call.tags,
            question.operation,
            question.stream,
            question.model,
            target.model,
            target.name,
            target.provider,
            used.outcome,
            self.relay.status,
            used.usage,
            basis,
            cost.list_nano_usd,
            cost.effective_nano_usd,
            self._baseline_nano_usd(requested, used.usage, cost),
            cost.source,
            cost.checked_on,
            self.relay.headers.get(b"x-request-id", b"").decode("latin-1"),
            self.decision.text,
            marked_by=self.prepared.marked_by,
            prompt_cache_saved_nano_usd=0 if basis == "bound" else self._prompt_cache_saved_nano_usd(),
            removed_input_tokens=removed_tokens,
            removed_nano_usd=removed_nano_usd,
        )

    def _cost(self, bound_nano_usd: int) -> tuple[RowCost, UsageBasis]:
        """The row's money; what no price covers costs the worst case that was held, never nothing."""
        used = self.consumed
        try:
            cost = self.target.prices.cost(used.usage, self.started_at_ns, used.processing)
        except InputError as error:
            return RowCost(bound_nano_usd, bound_nano_usd, f"the bound: {error.message}", ""), "bound"
        if not used.extras:
            return cost, used.basis
        most = max(bound_nano_usd, cost.effective_nano_usd)
        kinds = ", ".join(extra.kind for extra in used.extras)
        return RowCost(most, most, f"the bound: {kinds} have no price", cost.checked_on), "bound"

    def _removed(self, basis: UsageBasis) -> tuple[int, int]:
        """Input tokens that were not sent, and what they would have cost; nothing, where the usage is not reported."""
        used, prepared = self.consumed, self.prepared
        if not prepared.removed.runs or basis != "reported":
            return 0, 0
        tokens = prepared.removed.tokens(used.usage, prepared.body)
        prices = self.target.prices
        return tokens, prices.removed_nano_usd(used.usage, tokens, self.started_at_ns, used.processing)

    def _prompt_cache_saved_nano_usd(self) -> int:
        used = self.consumed
        try:
            return self.target.prices.prompt_cache_saved_nano_usd(used.usage, self.started_at_ns, used.processing)
        except InputError:  # what was cached has a price, and would have had none otherwise
            return 0

    def _baseline_nano_usd(self, requested: Route, usage: Usage, cost: RowCost) -> int:
        """What the model that was asked for would have cost with the same tokens."""
        if self.target is requested.targets[0] or any(self.target is target for target in requested.targets):
            return cost.effective_nano_usd
        try:
            return requested.targets[0].prices.cost(usage, self.started_at_ns).effective_nano_usd
        except InputError:
            return cost.effective_nano_usd

    def _headers_out(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-breakeven-request-id", self.call.request_id.encode("ascii")),
            (b"x-breakeven-decision", self.decision.text.encode("utf-8")),
            *self.call.answer_headers,
        ]


def _whole_microseconds(elapsed_s: float) -> float:
    """Rounded as a row states it; ``round`` to six places takes five times as long."""
    return int(elapsed_s * 1e6 + 0.5) / 1e6
