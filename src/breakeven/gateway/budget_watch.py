"""Says in the log when a budget's spending reaches the share that it is to be reported from, and when it is used up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from breakeven import units
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import BudgetState
from breakeven.render.money import usd_text

LOG = logging.getLogger("breakeven.gateway")


class BudgetWatch:
    """Looks at every budget now and then; each level is told once in a window.

    A rolling window has no begin: its levels are told again after spending was below them. So are all after a restart.
    """

    def __init__(self, ledger: SqliteLedger, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._ledger = ledger
        self._clock_ns = clock_ns
        self._told: dict[str, tuple[int, int]] = {}

    def look(self) -> None:
        """Log a warning for each budget that has reached a level since the last look.

        Raises:
            Unavailable: the ledger cannot be read.
        """
        for state in self._ledger.standings():
            window = state.budget.window
            begin_ns = 0 if window.kind == "rolling" else window.bounds(self._clock_ns())[0]
            told_for_ns, told = self._told.get(state.budget.budget_id, (begin_ns, 0))
            reached = level(state)
            if reached > (told if told_for_ns == begin_ns else 0):
                LOG.warning("%s", sentence(state))
            self._told[state.budget.budget_id] = (begin_ns, reached)


def level(state: BudgetState) -> int:
    """0: below the share to report from; 1: from there on; 2: all of it is spent. A budget of nothing is never told."""
    limit, spent = state.budget.limit_nano_usd, state.spent_nano_usd
    if limit <= 0:
        return 0
    return 2 if spent >= limit else int(spent / limit >= state.budget.alert_frac)


def sentence(state: BudgetState) -> str:
    """What the log says of a budget."""
    budget = state.budget
    spent, limit = (usd_text(units.usd(amount), 4) for amount in (state.spent_nano_usd, budget.limit_nano_usd))
    then = {"refuse": "requests beyond it are refused", "degrade": "requests beyond it go to a cheaper model"}
    return (
        f"budget {budget.scope.text!r} of {budget.scope.tenant!r}: {spent} of {limit} are spent in its window "
        f"({budget.window.text}, {budget.window.timezone}); {then.get(budget.on_exceed, 'requests beyond it go on')}"
    )
