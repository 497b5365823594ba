"""What all requests share: the ledger, the routes, the state of the deployments, and how long anything may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from breakeven.errors import InputError, Unavailable
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.ledger_store import LedgerStore
from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.call import Call
from breakeven.pipeline.deployments import Deployments
from breakeven.pipeline.key_limits import KeyLimits
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.refusal import Refusal, over_budget
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.routes import Routes
from breakeven.pipeline.target import Candidate, Route
from breakeven.policy.budget import Admission
from breakeven.policy.virtual_key import VirtualKey
from breakeven.upstreams.wire import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """How long a request may wait for room under a budget, and how long an upstream is heard after its client left."""

    budget_wait_s: float = 30.0
    drain_after_disconnect_s: float = 30.0
    retry_within_s: float = 60.0
    most_attempts: int = 3


class Pipeline:
    """Serves requests. ``routes`` may be replaced while it does."""

    def __init__(self, ledger: LedgerStore, routes: Routes, settings: PipelineSettings) -> None:
        self.ledger = ledger
        self.routes = routes
        self.settings = settings
        self.deployments = Deployments(settings.retry_within_s, settings.most_attempts)
        self._limits = KeyLimits()
        self._lives: set[RequestLife] = set()

    async def serve(self, call: Call, reply: Reply) -> None:
        """Answer one request of an authorised key.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
        """
        try:
            question = call.endpoint.question(call.body)
        except InputError as error:
            raise Refusal(400, "invalid_request", error.message) from error
        route = self._allowed_route(question, call.key)
        with self._limits.taken(call.key, question, call.received_at_ns) as tokens:
            life = RequestLife(self, call, question, route, reply)
            self._lives.add(life)
            try:
                tokens.used = await life.run()
            except Unavailable as error:
                raise Refusal(503, "ledger_unavailable", error.message, retry_after_s=1.0) from error
            finally:
                self._lives.discard(life)

    def give_up(self) -> None:
        """Settle every request under way by an estimate: the process is about to end."""
        for life in tuple(self._lives):
            life.give_up()

    @property
    def requests_under_way(self) -> int:
        """Requests that have been taken and are not yet answered."""
        return len(self._lives)

    def candidates(self, route: Route, question: Question) -> Sequence[Candidate]:
        """The deployments that a request may go to, best first."""
        return self.deployments.order(route, question)

    def cheaper(self, route: Route, key: VirtualKey, admission: Admission) -> Route:
        """The route that a budget degrades to.

        Raises:
            Refusal: there is none, or the key may not use it.
        """
        if route.degrade_to is None or (key.allowed_models and route.degrade_to not in key.allowed_models):
            raise over_budget(admission)
        return self.routes.find(route.degrade_to)

    @contextmanager
    def under_way(self, attempt: Attempt) -> Iterator[None]:
        """Count an attempt as under way at its deployment."""
        with self.deployments.busy(attempt.target):
            yield

    def note(self, attempt: Attempt, entry: LedgerEntry) -> None:
        """Learn from an attempt how its deployment does."""
        self.deployments.note(attempt, entry)

    def retry_delay_s(self, attempt: Attempt, number: int, elapsed_s: float) -> float | None:
        """Seconds to wait before the next attempt; None where there is to be none."""
        return self.deployments.retry_delay_s(attempt, number, elapsed_s)

    def _allowed_route(self, question: Question, key: VirtualKey) -> Route:
        if key.allowed_models and question.model not in key.allowed_models:
            allowed = ", ".join(sorted(key.allowed_models))
            raise Refusal(403, "model_not_allowed", f"this key may not use {question.model!r}; it may use {allowed}")
        return self.routes.find(question.model)
