"""Budgets as they stand now, in memory: what was spent in their windows, and what is held.

The numbers are seeded from the ledger's sums, and after that change only with entries that are in the journal. So what
is enforced, what the ledger says and what can be recomputed from its entries is one number.

Moments never go back here: where the clock does, the latest moment seen counts instead, so a window that was left is
not entered again. The moment at which a hold was placed decides in which windows its entries count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from breakeven.errors import Unavailable
from breakeven.ledger.journal import Segment
from breakeven.ledger.waiting import Line
from breakeven.policy.budget import Budget
from breakeven.policy.decision import Operation
from breakeven.policy.scope import Scope
from breakeven.policy.window import NS_PER_S

Spent = Callable[[Scope, int, int], int]
"""What a scope's entries in [start, end) cost, nano-dollars."""

GROUPS: Final = 20_000
"""Sets of scopes whose accounts are remembered; beyond that they are found anew."""


class Account:
    """One budget in one window. A rolling budget has one account, whose window moves."""

    __slots__ = ("budget", "end_ns", "line", "reserved_nano_usd", "spent_nano_usd", "start_ns")

    def __init__(self, budget: Budget, bounds_ns: tuple[int, int], spent_nano_usd: int) -> None:
        self.budget = budget
        self.start_ns, self.end_ns = bounds_ns
        self.spent_nano_usd = spent_nano_usd
        self.reserved_nano_usd = 0
        self.line: Line | None = None


class AccountedHold(Struct, eq=False):
    """Money set aside for one attempt at a request under its accounts, and room in the journal."""

    request_id: str
    attempt: int
    scopes: tuple[Scope, ...]
    accounts: tuple[Account, ...]
    bound_nano_usd: int
    at_ns: int
    operation: Operation
    stream: bool
    room_bytes: int = 0
    segment: Segment | None = None


class Group:
    """The accounts of one set of scopes; right until the first of their windows ends.

    ``name_bytes`` is how much the scopes' names add to a row, for the room that a hold takes in the journal.
    """

    __slots__ = ("accounts", "name_bytes", "until_ns")

    def __init__(self, accounts: tuple[Account, ...], scopes: tuple[Scope, ...]) -> None:
        self.accounts = accounts
        self.until_ns = min((account.end_ns for account in accounts), default=1 << 63)
        self.name_bytes = sum(len(part.encode()) for scope in scopes for part in scope)


class Accounts:
    """All budgets, by scope, and the holds under them."""

    def __init__(self, spent: Spent) -> None:
        self._spent = spent
        self._budgets: dict[Scope, dict[str, Budget]] = defaultdict(dict)
        self._scopes: dict[str, Scope] = {}
        self._accounts: dict[str, Account] = {}
        self._groups: dict[tuple[Scope, ...], Group] = {}
        self._latest_ns = 0
        self.holds: dict[str, AccountedHold] = {}

    def put(self, budget: Budget) -> None:
        """Add a budget, or change its limit and what happens beyond it; what was spent and is held stays."""
        self._budgets[budget.scope][budget.budget_id] = budget
        self._scopes[budget.budget_id] = budget.scope
        if (account := self._accounts.get(budget.budget_id)) is not None:
            account.budget = budget
            if account.line is not None:
                account.line.call_next()
        self._groups.clear()

    def remove(self, budget_id: str) -> None:
        """Forget a budget; requests under way go on."""
        scope = self._scopes.pop(budget_id, None)
        if scope is not None:
            del self._budgets[scope][budget_id]
            self._accounts.pop(budget_id, None)
            self._groups.clear()

    def budgets(self, scopes: Iterable[Scope]) -> tuple[Budget, ...]:
        """The budgets of these scopes."""
        return tuple(budget for scope in scopes for budget in self._budgets.get(scope, {}).values())

    def moment(self, at_ns: int) -> int:
        """The moment, or the latest seen where the clock went back."""
        if at_ns < self._latest_ns:
            return self._latest_ns
        self._latest_ns = at_ns
        return at_ns

    def group(self, scopes: tuple[Scope, ...], at_ns: int) -> Group:
        """The accounts of these scopes at a moment that `moment` gave.

        Raises:
            Unavailable: a budget is new here and the ledger cannot be read.
        """
        found = self._groups.get(scopes)
        if found is None or at_ns >= found.until_ns:
            accounts = tuple(self._current(budget, at_ns) for budget in self.budgets(scopes))
            if len(self._groups) >= GROUPS:
                self._groups.clear()
            found = Group(accounts, scopes)
            self._groups[scopes] = found
        return found

    def account(self, budget_id: str) -> Account | None:
        """The newest account of a budget, as it was last used; None where it was not used yet."""
        return self._accounts.get(budget_id)

    def standings(self, at_ns: int) -> tuple[Account, ...]:
        """The account of every budget at a moment that `moment` gave.

        Raises:
            Unavailable: a budget is new here and the ledger cannot be read.
        """
        return tuple(self._current(each, at_ns) for named in self._budgets.values() for each in named.values())

    def reserve(self, hold: AccountedHold) -> None:
        """Set a hold's bound aside in all of its accounts."""
        bound_nano_usd = hold.bound_nano_usd
        for account in hold.accounts:
            account.reserved_nano_usd += bound_nano_usd
        self.holds[hold.request_id] = hold

    def free(self, hold: AccountedHold, cost_nano_usd: int = 0) -> None:
        """Give a hold's bound back, count its attempt in the windows that it was placed in, and call who waits."""
        del self.holds[hold.request_id]
        bound_nano_usd, at_ns = hold.bound_nano_usd, hold.at_ns
        waited_for = False
        for account in hold.accounts:
            account.reserved_nano_usd -= bound_nano_usd
            if at_ns >= account.start_ns:  # a rolling window may have moved past it
                account.spent_nano_usd += cost_nano_usd
            if account.line is not None:
                waited_for = True
        if waited_for:
            for account in hold.accounts:
                if account.line is not None:
                    account.line.call_next()

    def _current(self, budget: Budget, at_ns: int) -> Account:
        account = self._accounts.get(budget.budget_id)
        if account is None:
            return self._opened(budget, at_ns)
        if at_ns < account.end_ns:
            return account
        bounds_ns = budget.window.bounds(at_ns)
        if budget.window.kind == "rolling":
            self._move(account, bounds_ns, at_ns)
            return account
        return self._next(account, bounds_ns)

    def _opened(self, budget: Budget, at_ns: int) -> Account:
        """A budget's first account here; holds that were placed before the budget was known count in it, too."""
        bounds_ns = budget.window.bounds(at_ns)
        account = Account(budget, bounds_ns, self._spent(budget.scope, *budget.window.counted_bounds(at_ns)))
        self._accounts[budget.budget_id] = account
        for hold in self.holds.values():
            if budget.scope in hold.scopes and hold.at_ns >= account.start_ns:
                hold.accounts = (*hold.accounts, account)
                account.reserved_nano_usd += hold.bound_nano_usd
        return account

    def _next(self, before: Account, bounds_ns: tuple[int, int]) -> Account:
        """The account of the next calendar window. Its entries are all still to come, unless a clock ran ahead."""
        try:
            spent = self._spent(before.budget.scope, *bounds_ns)
        except Unavailable:
            spent = 0
        account = Account(before.budget, bounds_ns, spent)
        self._accounts[before.budget.budget_id] = account
        account.line, before.line = before.line, None
        if account.line is not None:
            account.line.call_next()
        return account

    def _move(self, account: Account, bounds_ns: tuple[int, int], at_ns: int) -> None:
        """Move a rolling window on. While the ledger cannot be read, nothing is taken to have left it."""
        try:
            counted_ns = account.budget.window.counted_bounds(at_ns)
            account.spent_nano_usd = self._spent(account.budget.scope, *counted_ns)
            account.start_ns, account.end_ns = bounds_ns
            self._drop_left(account)
        except Unavailable:
            account.end_ns = at_ns + NS_PER_S
        if account.line is not None:
            account.line.call_next()

    def _drop_left(self, account: Account) -> None:
        """Take out of a rolling account the holds that its window has left; holds are in order of their moments."""
        for hold in self.holds.values():
            if hold.at_ns >= account.start_ns:
                return
            if account in hold.accounts:
                hold.accounts = tuple(each for each in hold.accounts if each is not account)
                account.reserved_nano_usd -= hold.bound_nano_usd
