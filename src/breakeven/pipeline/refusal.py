"""Why a request is not served: a status, a code for programs and a sentence for people."""

from __future__ import annotations

from breakeven import units
from breakeven.pipeline.target import Target
from breakeven.policy.budget import Admission, Budget
from breakeven.upstreams.wire import Question


class Refusal(Exception):
    """A request ends here. ``retry_after_s`` says when it may be worth asking again; None: not unless it changes."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


def over_budget(admission: Admission) -> Refusal:
    """No room under a budget: 429 with OpenAI's code for it, which its clients do not ask again for."""
    return Refusal(
        429,
        "insufficient_quota",
        f"{_named(admission.budget)} has no room for what this request can cost at most; ask for fewer tokens "
        "(max_tokens), or raise it: breakeven budget set",
    )


def budget_held(admission: Admission) -> Refusal:
    """Requests under way hold what is left of a budget, and none ended in time: 429 that is worth asking again for."""
    return Refusal(
        429,
        "budget_held",
        f"{_named(admission.budget)} is held by requests under way; they will cost less than they hold, so ask again",
        retry_after_s=1.0,
    )


def _named(budget: Budget | None) -> str:
    """A budget in words: ``the budget of $5.00 a month for user:alice``."""
    if budget is None:
        return "a budget"
    kind = budget.window.kind
    window = {"total": "in total", "rolling": f"in any {budget.window.text}"}.get(kind, f"a {kind}")
    return f"the budget of ${_dollars(budget.limit_nano_usd)} {window} for {budget.scope.text}"


def too_dear(bound_nano_usd: int, cap_nano_usd: int) -> Refusal:
    """The request can cost more than its key may spend on one."""
    return Refusal(
        400,
        "request_too_expensive",
        f"this request can cost ${units.usd(bound_nano_usd):.6f} and its key allows ${units.usd(cap_nano_usd):.6f} "
        "a request; ask for fewer tokens (max_tokens)",
    )


def no_codec(question: Question, target: Target) -> Refusal:
    """The upstream's wire has nothing like this endpoint."""
    return Refusal(
        400,
        "operation_not_supported",
        f"{question.model} is served by {target.name}, whose {target.upstream.wire} wire has no {question.operation}",
    )


def _dollars(nano_usd: int) -> str:
    """Dollars and cents, and all digits of what has more: no limit reads as nothing."""
    amount = units.usd(nano_usd)
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount.normalize():,f}"
