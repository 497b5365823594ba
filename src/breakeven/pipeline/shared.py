"""What all requests share: the ledger, the routes, the state of the deployments, and how long anything may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from breakeven.ledger.ledger_store import LedgerStore
from breakeven.pipeline.call import Call
from breakeven.pipeline.deployments import Deployments
from breakeven.pipeline.preparation import Preparation
from breakeven.pipeline.refusal import Refusal, over_budget
from breakeven.pipeline.routes import Routes
from breakeven.pipeline.target import Candidate, Route
from breakeven.policy.budget import Admission
from breakeven.policy.retry import RetryRule
from breakeven.policy.scope import Scope
from breakeven.policy.virtual_key import VirtualKey
from breakeven.upstreams.wire import Question

_MOST_SCOPES: Final = 20_000
"""Sets of scopes that are remembered; clients may send any tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """How long a request may wait for room under a budget, and how long an upstream is heard after its client left."""

    budget_wait_s: float = 30.0
    drain_after_disconnect_s: float = 30.0
    retry_within_s: float = 60.0
    most_attempts: int = 3


class Shared:
    """The parts of a pipeline that its requests use. ``routes`` may be replaced while they do; settings by `use`."""

    def __init__(self, ledger: LedgerStore, routes: Routes, settings: PipelineSettings) -> None:
        self.ledger = ledger
        self.routes = routes
        self.settings = settings
        self.deployments = Deployments(settings.retry_within_s, RetryRule(most_attempts=settings.most_attempts))
        self.preparation = Preparation()
        self._scopes: dict[tuple[str, str, tuple[str, ...]], tuple[Scope, ...]] = {}

    def use(self, settings: PipelineSettings) -> None:
        """Let other settings hold from here on."""
        self.settings = settings
        self.deployments.retry_within_s = settings.retry_within_s
        self.deployments.rule = RetryRule(most_attempts=settings.most_attempts)

    def scopes(self, call: Call, model: str) -> tuple[Scope, ...]:
        """Every scope that a request counts under; the same object for the same key, model and tags."""
        wanted = call.key.key_id, model, call.tags
        found = self._scopes.get(wanted)
        if found is None:
            if len(self._scopes) >= _MOST_SCOPES:
                self._scopes.clear()
            found = self._scopes[wanted] = call.key.scopes(model, call.tags)
        return found

    def allowed_route(self, question: Question, key: VirtualKey) -> Route:
        """The route of the model that is asked for.

        Raises:
            Refusal: the key may not use it, or there is none.
        """
        if key.allowed_models and question.model not in key.allowed_models:
            allowed = ", ".join(sorted(key.allowed_models))
            raise Refusal(403, "model_not_allowed", f"this key may not use {question.model!r}; it may use {allowed}")
        return self.routes.find(question.model)

    def candidates(self, route: Route, question: Question, call: Call) -> Sequence[Candidate]:
        """The deployments that a request may go to, best first; without fallbacks that its key may not use."""
        allowed = call.key.allowed_models
        found = self.deployments.order(route, question, call.request_id)
        if not allowed or not route.fallbacks:
            return found
        own = {target.model for target in route.targets}
        return [each for each in found if each.target.model in allowed or each.target.model in own]

    def cheaper(self, route: Route, key: VirtualKey, admission: Admission) -> Route:
        """The route that a budget degrades to.

        Raises:
            Refusal: there is none, or the key may not use it.
        """
        if route.degrade_to is None or (key.allowed_models and route.degrade_to not in key.allowed_models):
            raise over_budget(admission)
        return self.routes.find(route.degrade_to)
