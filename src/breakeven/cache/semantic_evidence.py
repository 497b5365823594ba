"""What was compared on each route, and how it came out: in the cache's file, so that a restart forgets nothing.

Several gateways that serve from one file gather their evidence together: each comparison is one transaction, which
reads what all of them know and writes what they know then. Evidence holds for one basis only (the promise, the
similarity, the embedding model, the version of the guard, what serves the route): where one changes, a route begins
anew.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from breakeven.cache import cache_file
from breakeven.policy.semantic_bound import Evidence, after
from breakeven.stores import sqlite

BUSY_S: Final = 2.0

_READ: Final = "SELECT compared, wrong, alarms, drift, serving FROM semantic_evidence WHERE route = ? AND basis = ?"
_WRITE: Final = """
INSERT INTO semantic_evidence (route, basis, compared, wrong, alarms, drift, serving, promised_frac, updated_at_s)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (route) DO UPDATE SET basis = excluded.basis, compared = excluded.compared, wrong = excluded.wrong,
alarms = excluded.alarms, drift = excluded.drift, serving = excluded.serving, promised_frac = excluded.promised_frac,
updated_at_s = excluded.updated_at_s
"""


class Basis(NamedTuple):
    """Of what evidence is: a route by its model's name, a digest of all that it rests on, and what is promised."""

    route: str
    digest: bytes
    promised_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEvidence:
    """The evidence of a route, for a report."""

    route: str
    promised_frac: float
    evidence: Evidence
    updated_at_s: int


class EvidenceStore:
    """Evidence in a cache file. It is used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection

    @classmethod
    def open(cls, path: Path) -> EvidenceStore:
        """Open a cache file, or make it.

        Raises:
            InputError: it is no cache file, or is damaged.
            Unavailable: it cannot be used now.
        """
        return cls(path, cache_file.connect(path, create=True, busy_timeout_s=BUSY_S))

    def read(self, basis: Basis) -> Evidence:
        """What is known of a route on this basis; nothing where it was another.

        Raises:
            Unavailable: the file cannot be used now.
        """
        with sqlite.reported(self._path):
            return _read(self._connection, basis)

    def record(self, basis: Basis, *, wrong: bool) -> Evidence:
        """Add one comparison, and give what is known then.

        Raises:
            Unavailable: the file cannot be written now; nothing was added.
        """
        with sqlite.reported(self._path), sqlite.transaction(self._connection):
            seen = after(_read(self._connection, basis), basis.promised_frac, wrong=wrong)
            row = (basis.route, basis.digest, *seen[:4], int(seen.serving), basis.promised_frac, int(time.time()))
            self._connection.execute(_WRITE, row)
        return seen

    def close(self) -> None:
        """End."""
        self._connection.close()


def evidence_of(path: Path) -> list[RouteEvidence]:
    """The evidence of every route in a cache file, by the route's name.

    Raises:
        InputError: there is no such file, or it is no cache.
        Unavailable: it cannot be used now.
    """
    query = (
        "SELECT route, promised_frac, updated_at_s, compared, wrong, alarms, drift, serving"
        " FROM semantic_evidence ORDER BY route"
    )
    with cache_file.opened(path) as connection, closing(connection.execute(query)) as rows:
        return [
            RouteEvidence(route=row[0], promised_frac=row[1], updated_at_s=row[2], evidence=_evidence(row[3:]))
            for row in rows
        ]


def _read(connection: sqlite3.Connection, basis: Basis) -> Evidence:
    row = connection.execute(_READ, (basis.route, basis.digest)).fetchone()
    return Evidence() if row is None else _evidence(row)


def _evidence(row: tuple[int, int, int, float, int]) -> Evidence:
    compared, wrong, alarms, drift, serving = row
    return Evidence(compared=compared, wrong=wrong, alarms=alarms, drift=drift, serving=bool(serving))
