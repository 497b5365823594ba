"""Whatever happens, what is enforced is what the ledger says is what its entries add up to."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from breakeven.ledger.ledger_file import opened
from breakeven.ledger.ledger_store import Hold
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.policy.budget import Admission
from breakeven.policy.scope import Scope
from ledger.ledgers import AT_NS, KEY, MODEL, TENANT, USER, budget, entry, recomputed, rows, stored_budget, summed

TAG = Scope("acme", "tag", "project=atlas")
BOB = Scope("acme", "user", "bob")
SETS = ((TENANT, KEY, MODEL, USER), (TENANT, KEY, MODEL, BOB, TAG), (TENANT, MODEL, USER, TAG))
BUDGETS = (
    budget(TENANT, 3_000, "month", "America/New_York"),
    budget(USER, 900, "day", "Europe/Berlin"),
    budget(BOB, 700, "1d"),
    budget(TAG, 2_000, "week", "Pacific/Auckland"),
    budget(MODEL, 1_000, "3d", on_exceed="alert"),
    budget(KEY, 5_000, "total"),
)
LATER = budget(TENANT, 1_200, "1d")
"""A budget that is set while requests are under way."""

STEP_NS = 300_000_000_000


def attempt_of(name: str) -> int:
    """Every other request is an attempt after one that is not of interest."""
    return 1 + int(name[1:]) % 2


class Machine(RuleBasedStateMachine):
    """A serving ledger beside a model of it: what was held, and what was counted when."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "breakeven.db"
        self.loop = asyncio.new_event_loop()
        self.now_ns = AT_NS
        self.latest_ns = 0
        self.names = 0
        self.open: dict[str, tuple[Hold, tuple[Scope, ...], int]] = {}
        self.counted: list[tuple[tuple[Scope, ...], int, int]] = []
        self.budgets = list(BUDGETS)

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    @initialize()
    def serve(self) -> None:
        stored_budget(self.path, *BUDGETS)
        self.ledger = SqliteLedger.open(self.path, segment_bytes=128 * 1024)

    @rule(scopes=st.sampled_from(SETS), bound=st.integers(0, 400))
    def hold(self, scopes: tuple[Scope, ...], bound: int) -> None:
        self.names += 1
        name = f"r{self.names}"
        self.latest_ns = max(self.latest_ns, self.now_ns)
        before = {each.budget_id: self.left(each) for each in self.budgets if each.scope in scopes}
        answer = self.run(self.ledger.hold(name, scopes, bound, self.now_ns, attempt=attempt_of(name)))
        hard = [left for key, left in before.items() if key != BUDGETS[4].budget_id]
        if isinstance(answer, Admission):
            assert bound > 0
            assert min(hard) < bound  # no false refusal
        else:
            assert bound == 0 or min(hard, default=bound) >= bound
            self.open[name] = (answer, scopes, self.latest_ns)

    def left(self, each: Any) -> int:
        bounds = each.window.counted_bounds(self.latest_ns)
        return int(each.limit_nano_usd - self.spent(each.scope, bounds) - self.reserved(each.scope, bounds))

    def spent(self, scope: Scope, bounds: tuple[int, int]) -> int:
        return sum(cost for scopes, at, cost in self.counted if scope in scopes and bounds[0] <= at < bounds[1])

    def reserved(self, scope: Scope, bounds: tuple[int, int]) -> int:
        held = self.open.values()
        return sum(hold.bound_nano_usd for hold, scopes, at in held if scope in scopes and bounds[0] <= at < bounds[1])

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.floats(0, 1))
    def settle(self, data: st.DataObject, share: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        hold, scopes, at_ns = self.open.pop(name)
        cost = int(hold.bound_nano_usd * share)
        tags = tuple(scope.name for scope in scopes if scope.kind == "tag")
        row = entry(name, cost, attempt=attempt_of(name), tags=tags)
        self.run(self.ledger.settle(hold, row))
        self.counted.append((scopes, at_ns, cost))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.run(self.ledger.release(self.open.pop(name)[0]))

    @rule(steps=st.integers(-500, 900))
    def time_passes(self, steps: int) -> None:
        """Minutes to days go by, or the clock is set back."""
        self.now_ns += steps * STEP_NS

    @precondition(lambda self: len(self.budgets) == len(BUDGETS))
    @rule()
    def set_another_budget(self) -> None:
        stored_budget(self.path, LATER)
        self.budgets.append(LATER)
        self.ledger._policy.look()

    @rule()
    def killed_and_started_again(self) -> None:
        """As a kill leaves it: what is not in SQLite is in the journal, and each open hold costs its bound."""
        self.ledger._commit._queue.clear()
        self.ledger._commit.stop()
        self.ledger._journal.close(delete=False)
        self.ledger._connection.close()
        self.ledger._lock.release()
        for hold, scopes, at_ns in self.open.values():
            self.counted.append((scopes, at_ns, hold.bound_nano_usd))
        self.open.clear()
        self.ledger = SqliteLedger.open(self.path, segment_bytes=128 * 1024)
        self.latest_ns = 0  # a new process begins with the clock as it is

    @rule()
    def commit(self) -> None:
        assert self.run(self.ledger.flush())

    @invariant()
    def what_is_enforced_is_what_was_counted(self) -> None:
        for each in self.budgets:
            account = self.ledger.account(each.budget_id)
            if account is not None:
                bounds = each.window.counted_bounds(account.end_ns - 1)
                assert account.spent_nano_usd == self.spent(each.scope, bounds)
                assert account.reserved_nano_usd == self.reserved(each.scope, bounds)

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for hold, *_ in self.open.values():
            self.run(self.ledger.release(hold))
        assert (self.ledger.holds_count, self.ledger.holds_nano_usd) == (0, 0)
        self.run(self.ledger.close())
        self.loop.close()
        with opened(self.path):
            pass
        assert sum(row["effective_nano_usd"] for row in rows(self.path)) == sum(cost for *_, cost in self.counted)
        assert +summed(self.path) == +recomputed(self.path)
        for each in BUDGETS:
            if each.on_exceed == "refuse":
                self.never_overspent(each)
        shutil.rmtree(self.folder)

    def never_overspent(self, each: Any) -> None:
        for _, at_ns, _ in self.counted:
            assert self.spent(each.scope, each.window.bounds(at_ns)) <= each.limit_nano_usd


TestOneNumber = Machine.TestCase
TestOneNumber.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, phases=[Phase.explicit, Phase.generate]
)
