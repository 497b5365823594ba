"""Budgets: whether a request's worst case fits, decided from what is spent and held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from breakeven.policy.scope import Scope
from breakeven.policy.window import Window

OnExceed = Literal["refuse", "alert", "degrade"]
"""What a request meets that does not fit: it is refused, sent and reported, or sent to a cheaper model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount for a scope in a window. ``alert_frac`` is the share of it from which the budget is reported."""

    budget_id: str
    scope: Scope
    limit_nano_usd: int
    window: Window
    on_exceed: OnExceed = "refuse"
    alert_frac: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget with what its window's requests have cost, and what those under way may cost at most."""

    budget: Budget
    spent_nano_usd: int
    reserved_nano_usd: int


Verdict = Literal["fits", "wait", "degrade", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The verdict on one request, and the budget that decided it (None where everything fits)."""

    verdict: Verdict
    budget: Budget | None = None


class Standing(Protocol):
    """A budget with what is spent and held under it: a `BudgetState`, or what the ledger keeps of one."""

    @property
    def budget(self) -> Budget:
        """The budget."""
        ...

    @property
    def spent_nano_usd(self) -> int:
        """What its window's requests have cost."""
        ...

    @property
    def reserved_nano_usd(self) -> int:
        """What requests under way may cost at most."""
        ...


_FITS: Final = Admission(verdict="fits")


def admit(states: Iterable[Standing], bound_nano_usd: int) -> Admission:
    """Whether a request that costs at most ``bound_nano_usd`` may go ahead under all these budgets.

    It waits where what is spent leaves room and only holds of requests under way are in the way: they will be
    settled, mostly for less, so refusing it would be a false refusal. A free request always fits: a budget that is
    used up does not stop what costs nothing.
    """
    found = _FITS
    if bound_nano_usd <= 0:
        return found
    for state in states:
        budget = state.budget
        free_nano_usd = budget.limit_nano_usd - state.spent_nano_usd - state.reserved_nano_usd
        if bound_nano_usd <= free_nano_usd or budget.on_exceed == "alert":
            continue
        if bound_nano_usd > free_nano_usd + state.reserved_nano_usd:
            if budget.on_exceed == "refuse":
                return Admission(verdict="refuse", budget=budget)
            found = Admission(verdict="degrade", budget=budget)
        elif found.verdict == "fits":
            found = Admission(verdict="wait", budget=budget)
    return found
