"""Keys and budgets as the ledger has them, in memory, following changes that other processes make."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

from breakeven.errors import Unavailable
from breakeven.ledger import budgets, keys
from breakeven.ledger.accounts import Accounts
from breakeven.ledger.recovery import fact
from breakeven.policy.virtual_key import VirtualKey
from breakeven.stores.sqlite import reported, snapshot

LOOK_S: Final = 0.05
"""How old what is known may be before the ledger is looked at again."""

LOOK_FOR_UNKNOWN_S: Final = 0.005
"""The same where a key is unknown: a new key works at once, and a flood of wrong ones costs 200 looks a second."""


class PolicyCache:
    """Every key by the digest of its secret. A look reads one number, and what changed since the last."""

    def __init__(self, path: Path, connection: sqlite3.Connection, accounts: Accounts) -> None:
        self._path = path
        self._connection = connection
        self._accounts = accounts
        self._keys: dict[bytes, VirtualKey] = {}
        self._version = 0
        self._looked_s = 0.0
        self.failures = 0

    def key(self, secret_sha256: bytes) -> VirtualKey | None:
        """The key, or None where there is none.

        Raises:
            Unavailable: the key is unknown and the ledger cannot be read, so it may be a new one.
        """
        age_s = time.monotonic() - self._looked_s
        found = self._keys.get(secret_sha256)
        if age_s < LOOK_FOR_UNKNOWN_S or (age_s < LOOK_S and found is not None):
            return found
        try:
            self.look()
        except Unavailable:
            self.failures += 1
            self._looked_s = time.monotonic()
            if found is None:
                raise
        return self._keys.get(secret_sha256)

    def look(self) -> None:
        """Take over what changed since the last look.

        Raises:
            Unavailable: the ledger cannot be read.
        """
        with reported(self._path):
            version = fact(self._connection, keys.POLICY)
            if version != self._version:
                self._take_over()
        self._looked_s = time.monotonic()

    def _take_over(self) -> None:
        with snapshot(self._connection):
            version = fact(self._connection, keys.POLICY)
            self._keys.update(keys.changed_since(self._connection, self._version))
            for change in budgets.changed_since(self._connection, self._version):
                if change.removed:
                    self._accounts.remove(change.budget.budget_id)
                else:
                    self._accounts.put(change.budget)
        self._version = version
