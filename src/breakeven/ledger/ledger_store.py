"""The seam to the ledger: hold the worst case, settle the actual, and read back. SQLite here; others may follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from breakeven.ledger.entry import LedgerEntry
from breakeven.policy.budget import Admission, Budget
from breakeven.policy.decision import Operation
from breakeven.policy.scope import Scope
from breakeven.policy.virtual_key import VirtualKey


class Hold(Protocol):
    """Money set aside for one attempt at a request, and room for its row in the journal."""

    request_id: str
    bound_nano_usd: int


class LedgerStore(Protocol):
    """Keys, budgets, holds and entries. A budget is enforced by what its entries add up to, and by no other number.

    ``hold`` and ``settle`` are durable against a killed process when they return, and in the store, synced to disk,
    within 50 ms. Nothing on these paths grows with the ledger.
    """

    async def key(self, secret_sha256: bytes) -> VirtualKey | None:
        """The key with this digest of its secret, also where it is expired or revoked; None where there is none."""
        ...

    def budgets(self, scopes: Sequence[Scope]) -> tuple[Budget, ...]:
        """The budgets that requests with these scopes count against."""
        ...

    async def hold(
        self,
        request_id: str,
        scopes: Sequence[Scope],
        bound_nano_usd: int,
        at_ns: int,
        operation: Operation = "chat",
        stream: bool = False,
        attempt: int = 1,
    ) -> Hold | Admission:
        """Set the bound aside under every budget of these scopes at once, or in none: then the verdict says why.

        ``operation``, ``stream`` and ``attempt`` are for the row of a request during which the process is killed.

        Raises:
            InputError: the request may cost more than a million dollars.
            Unavailable: the ledger cannot take a row now, and its declared mode is to deny.
        """
        ...

    async def wait_for_room(self, refused: Admission, timeout_s: float) -> bool:
        """Wait, first come first served, until something was settled under the budget that had no room.

        False: nothing was, in time, or too many wait already.
        """
        ...

    async def settle(self, hold: Hold, entry: LedgerEntry) -> None:
        """Record a hold's attempt, count its cost under the hold's budgets, and free the hold.

        The windows are those that the hold was placed in. The next attempt has a hold of its own.
        """
        ...

    async def release(self, hold: Hold) -> None:
        """Free a hold of which nothing was sent."""
        ...
