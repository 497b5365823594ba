"""Whether an attempt that failed is made again, and after how long. An LLM request costs money each time it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_OVERLOADED: Final = frozenset({408, 425, 429, 500, 502, 503, 529})
"""Statuses that say that the request was not run, or failed without a bill: too slow, too early, too many, 5xx, and
Anthropic's 529. A 504 is none of them: behind the gateway that gave up, the model may still be answering."""

CREDENTIAL_REFUSED: Final = frozenset({401, 403})
"""Statuses that say that the deployment refused the gateway's own credential: nothing was run, and another deployment
has another credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """The most attempts at one request, the waits between them, and whether it may be run, and paid for, twice.

    The longest wait before attempt 2 is ``first_wait_s``; it doubles with each, up to ``longest_wait_s``.
    """

    most_attempts: int = 3
    first_wait_s: float = 0.25
    longest_wait_s: float = 8.0
    pay_twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended: with a status, or with none, where ``sent`` says whether the request may have been read.

    ``retry_after_s`` is how long the upstream asked to be left alone.
    """

    status: int | None = None
    sent: bool = True
    retry_after_s: float | None = None


def may_retry(rule: RetryRule, outcome: Outcome) -> bool:
    """Whether an attempt with this outcome may be made again at all.

    What was never sent may. What was refused or failed with an overload's status may. What was sent and got no whole
    answer, a 504 or another 5xx may have run: only where the rule is willing to pay twice.
    """
    if outcome.status is None:
        return not outcome.sent or rule.pay_twice
    return outcome.status in _OVERLOADED or (outcome.status >= 500 and rule.pay_twice)


def retry_wait_s(
    rule: RetryRule, outcome: Outcome, *, attempts: int, left_s: float, random_frac: float, elsewhere: bool
) -> float | None:
    """Seconds to wait before the next attempt; None where there is none and the client gets what came.

    Args:
        rule: the route's.
        outcome: of the last attempt.
        attempts: made so far.
        left_s: seconds until the deadline; an attempt that could only begin after it is not waited for.
        random_frac: from [0, 1): the wait is drawn from the whole of [0, longest), so that clients that failed
            together do not come back together ("full jitter", aws.amazon.com/blogs/architecture, 2015).
        elsewhere: the next attempt goes to another deployment, which no wait would help and no ``retry_after_s`` binds.
    """
    may = may_retry(rule, outcome) or (elsewhere and outcome.status in CREDENTIAL_REFUSED)
    if attempts >= rule.most_attempts or left_s <= 0 or not may:
        return None
    if elsewhere:
        return 0.0
    longest_s = min(rule.first_wait_s * 2.0 ** min(attempts - 1, 60), rule.longest_wait_s)
    wait_s = random_frac * longest_s + (outcome.retry_after_s or 0.0)
    return wait_s if wait_s < left_s else None
