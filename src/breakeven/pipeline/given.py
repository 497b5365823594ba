"""An answer that was not bought for the request that gets it: what it is told, and its row, which costs nothing."""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import NamedTuple

from breakeven.cache.response_store import StoredAnswer
from breakeven.catalog.usage import Usage
from breakeven.errors import InputError
from breakeven.ledger.entry import LedgerEntry, Outcome
from breakeven.ledger.ledger_store import Hold
from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.call import Call
from breakeven.pipeline.prices import RowCost
from breakeven.pipeline.refusal import over_budget
from breakeven.pipeline.reply import Headers
from breakeven.pipeline.settled import NOTHING
from breakeven.pipeline.shared import Shared
from breakeven.pipeline.target import Route, Target
from breakeven.policy.budget import Admission
from breakeven.policy.decision import GivenReason, decision
from breakeven.upstreams.wire import Question

_UNKNOWN = RowCost(0, 0, "no price covers it", "")


class Asked(NamedTuple):
    """A request whose answer may be remembered."""

    call: Call
    question: Question
    route: Route


class Bought(NamedTuple):
    """What an answer was when it was bought, by whomever: by whom it was served, and what it used."""

    served_model: str
    deployment: str
    provider: str
    usage: Usage
    processing: str

    @classmethod
    def stored(cls, answer: StoredAnswer) -> Bought:
        """Of an answer from the store."""
        return cls(answer.served_model, answer.deployment, answer.provider, answer.usage, answer.processing)

    @classmethod
    def nothing(cls, target: Target) -> Bought:
        """Of an answer that did not come."""
        return cls(target.model, target.name, target.provider, NOTHING, "standard")

    @classmethod
    def fetched(cls, attempt: Attempt) -> Bought:
        """Of an answer that has just come."""
        target, used = attempt.target, attempt.consumed
        return cls(target.model, target.name, target.provider, used.usage, used.processing)


def content_type(headers: Headers) -> bytes:
    """What kind of answer came, by its headers."""
    return next((value for name, value in headers if name == b"content-type"), b"application/json")


class Given:
    """One request that is answered without a call. Its hold is of nothing, so no budget stands in its way."""

    __slots__ = ("_asked", "_at_ns", "_hold", "_served_from", "_shared", "_started_at")

    _hold: Hold

    def __init__(self, shared: Shared, asked: Asked, served_from: GivenReason) -> None:
        self._shared, self._asked, self._served_from = shared, asked, served_from
        self._at_ns = time_ns()
        self._started_at = perf_counter()

    async def hold(self, served_model: str) -> None:
        """Take a place in the ledger before anything is sent.

        Raises:
            Unavailable: it takes no rows now.
        """
        call, question = self._asked.call, self._asked.question
        scopes = self._shared.scopes(call, served_model)
        ledger, operation = self._shared.ledger, question.operation
        found = await ledger.hold(call.request_id, scopes, 0, self._at_ns, operation, question.stream, 1)
        if isinstance(found, Admission):
            raise over_budget(found)
        self._hold = found

    async def release(self) -> None:
        """Give the place back: the request is answered otherwise."""
        await self._shared.ledger.release(self._hold)

    def headers(self, served_model: str, deployment: str, age_s: int, content_type: bytes) -> Headers:
        """What the client is told. The cost of a stream is in its last comment."""
        made = decision(served_model, deployment, (self._served_from,))
        headers = [
            (b"x-breakeven-request-id", self._asked.call.request_id.encode("ascii")),
            (b"x-breakeven-decision", made.text.encode("utf-8")),
            (b"x-breakeven-cache", b"semantic-hit" if self._served_from == "semantic_cache" else b"hit"),
            (b"age", b"%d" % age_s),
            (b"cache-control", b"private, no-store"),
            (b"content-type", content_type),
        ]
        if not self._asked.question.stream:
            headers.append((b"x-breakeven-cost-nano-usd", b"0"))
        return headers

    async def settle(self, bought: Bought, outcome: Outcome = "ok") -> None:
        """Write the row: nothing was used, and nothing paid. What was not delivered saved nothing, either."""
        cost = self._price(bought) if outcome == "ok" else _UNKNOWN
        call, question = self._asked.call, self._asked.question
        entry = LedgerEntry(
            request_id=call.request_id,
            attempt=1,
            started_at_ns=self._at_ns,
            duration_s=int((perf_counter() - self._started_at) * 1e6 + 0.5) / 1e6,
            ttft_s=None,
            tenant=call.key.tenant,
            team=call.key.team,
            user=call.key.user,
            key_id=call.key.key_id,
            tags=call.tags,
            operation=question.operation,
            stream=question.stream,
            requested_model=question.model,
            served_model=bought.served_model,
            deployment=bought.deployment,
            provider=bought.provider,
            outcome=outcome,
            http_status=200,
            usage=NOTHING,
            usage_basis="none",
            list_nano_usd=0,
            effective_nano_usd=0,
            baseline_nano_usd=cost.effective_nano_usd,
            price_source=cost.source,
            price_date=cost.checked_on,
            upstream_request_id="",
            decision=decision(bought.served_model, bought.deployment, (self._served_from,)).text,
            served_from=self._served_from,
        )
        await self._shared.ledger.settle(self._hold, entry)

    def _price(self, bought: Bought) -> RowCost:
        """What the answer would cost now, where it was bought or else where the model is asked first."""
        try:
            return self._target(bought).prices.cost(bought.usage, self._at_ns, bought.processing)
        except InputError:
            return _UNKNOWN

    def _target(self, bought: Bought) -> Target:
        targets = self._asked.route.targets
        same = (each for each in targets if (each.name, each.model) == (bought.deployment, bought.served_model))
        return next(same, targets[0])
