"""How the deployments do: what they have under way, what they have left, and which of them a request goes to next."""

from __future__ import annotations

import random
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.target import Candidate, Route, Target
from breakeven.policy.balance import Deployment, choose
from breakeven.policy.breaker import Breaker, BreakerRule
from breakeven.policy.decision import Reason
from breakeven.policy.retry import CREDENTIAL_REFUSED, Outcome, RetryRule, retry_wait_s
from breakeven.upstreams.rate_headers import read_headroom, says_headroom
from breakeven.upstreams.wire import Question

_BYTES_PER_TOKEN: Final = 4
_CACHED_FROM_BYTES: Final = 1_024
"""A shorter body has fewer tokens than a hosted provider caches from (OpenAI, Anthropic: 1,024; a token is a byte or
more), and is soon read anew by a server of one's own."""
_REQUESTED: Final[tuple[Reason, ...]] = ("requested",)
_NOT_ITS_FAULT: Final = frozenset({"busy"})


class Deployments:
    """State of every deployment that was sent to, by upstream and model.

    ``retry_within_s`` and ``rule`` may be changed: for what is sent from then on.
    """

    def __init__(self, retry_within_s: float, rule: RetryRule) -> None:
        self.retry_within_s = retry_within_s
        self.rule = rule
        self._breakers = BreakerRule()
        self._states: dict[tuple[str, str], Deployment] = {}

    @property
    def states(self) -> Mapping[tuple[str, str], Deployment]:
        """Every deployment that was sent to, by the names of its upstream and model."""
        return self._states

    def order(self, route: Route, question: Question, request_id: str) -> Sequence[Candidate]:
        """The deployments of a route in the order in which to try them; the last ones are its fallbacks.

        Where there are fewer than attempts, the first ones come again.
        """
        if len(route.targets) == 1 and not route.fallbacks:
            return (Candidate(route.targets[0], _REQUESTED),) * self.rule.most_attempts
        by_state = {id(self._state(target)): target for target in route.targets}
        choice = choose(
            tuple(map(self._state, route.targets)),
            prefix=question.prefix if question.body_bytes >= _CACHED_FROM_BYTES else b"",
            tokens=_tokens(question),
            now_s=monotonic(),
            ticket=request_id.encode("ascii"),
        )
        reason: Reason = choice.reason if len(route.targets) > 1 else "requested"
        own = [Candidate(target=by_state[id(state)], reasons=(reason,)) for state in choice.order]
        now_s = monotonic()
        fallbacks = [Candidate(target=target, reasons=("fallback",)) for target in route.fallbacks]
        closed = [each for each in own if self._state(each.target).breaker.state(now_s) != "open"]
        broken = [each for each in own if each not in closed]
        found = [*closed, *fallbacks, *broken]
        while len(found) < self.rule.most_attempts:
            found += found[: self.rule.most_attempts - len(found)]
        return found

    def forget_all_but(self, known: Container[tuple[str, str]]) -> None:
        """Drop the state of deployments that no route has any more, unless something is under way there."""
        gone = [key for key, state in self._states.items() if key not in known and not state.in_flight]
        for key in gone:
            del self._states[key]

    def begin(self, attempt: Attempt) -> None:
        """An attempt is sent to its deployment."""
        self._state(attempt.target).began(_tokens(attempt.question), monotonic())

    def end(self, attempt: Attempt) -> None:
        """An attempt has ended: count it for or against its deployment, and read what that has left."""
        state, now_s, relay = self._state(attempt.target), monotonic(), attempt.relay
        state.ended()
        if says_headroom(relay.headers):
            headroom = read_headroom(relay.headers, datetime.now(UTC))
            if headroom is not None:
                state.observed(headroom, now_s)
        failure = relay.failure
        if failure is None or failure.failure not in _NOT_ITS_FAULT:
            refused = relay.status >= 500 or relay.status in CREDENTIAL_REFUSED
            failed = refused or attempt.consumed.outcome in ("failed", "timeout")
            state.breaker.record(now_s, failed=failed)

    def retry_delay_s(self, attempt: Attempt, following: Target | None, number: int, elapsed_s: float) -> float | None:
        """Seconds to wait before the next attempt; None where there is none and the client gets what came."""
        if following is None:
            return None
        relay = attempt.relay
        headroom = read_headroom(relay.headers, datetime.now(UTC))
        outcome = Outcome(
            status=relay.status if relay.failure is None else None,
            sent=relay.failure is None or relay.failure.sent,
            retry_after_s=None if headroom is None else headroom.retry_after_s,
        )
        return retry_wait_s(
            self.rule,
            outcome,
            attempts=number,
            left_s=self.retry_within_s - elapsed_s,
            random_frac=random.random(),  # noqa: S311 - jitter, not a secret
            elsewhere=following is not attempt.target,
        )

    def _state(self, target: Target) -> Deployment:
        key = target.name, target.model
        state = self._states.get(key)
        if state is None:
            state = Deployment(f"{target.name}/{target.model}", Breaker(self._breakers), target.weight)
            self._states[key] = state
        state.weight = target.weight  # which is the route's, and the present configuration's
        return state


def _tokens(question: Question) -> int:
    return question.body_bytes // _BYTES_PER_TOKEN + (question.max_output_tokens or 0) * question.choices
