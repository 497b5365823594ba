"""The entries of one request, as they are in the ledger."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from breakeven.catalog.usage import Usage
from breakeven.errors import UnknownName
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.recording import ENTRY_COLUMNS

_USAGE: Final = Usage.__struct_fields__
_OWN: Final = tuple(name for name in LedgerEntry.__struct_fields__ if name not in {"usage", "tags", "stream"})


def entries(connection: sqlite3.Connection, request_id: str) -> tuple[LedgerEntry, ...]:
    """Every attempt at a request, in order.

    Raises:
        UnknownName: the ledger has none.
    """
    query = f"SELECT {', '.join(ENTRY_COLUMNS)} FROM entries WHERE request_id = ? ORDER BY attempt"  # noqa: S608
    found = tuple(_entry(row) for row in connection.execute(query, (request_id,)))
    if not found:
        raise UnknownName(
            f"no request {request_id!r} in this ledger",
            cause="a request's id is in the header x-breakeven-request-id of its answer; old entries may be pruned",
            hint="breakeven ledger totals --by day",
        )
    return found


def _entry(row: tuple[Any, ...]) -> LedgerEntry:
    columns = dict(zip(ENTRY_COLUMNS, row, strict=True))
    return LedgerEntry(
        usage=Usage(**{name: columns[name] for name in _USAGE}),
        tags=tuple(json.loads(columns["tags"])),
        stream=bool(columns["stream"]),
        **{name: columns[name] for name in _OWN},
    )
