"""What the last rows saved whose prompts the gateway had marked for a provider's cache, for who must decide again."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from breakeven.ledger.ledger_file import opened

_LOOKED_AT_ROWS: Final = 20_000
"""The newest rows; those before them say little about today, and a start must not wait for a large ledger."""

_QUERY: Final = """
SELECT tenant, deployment, served_model, started_at_ns, prompt_cache_saved_nano_usd
FROM (SELECT rowid AS place, * FROM entries ORDER BY rowid DESC LIMIT ?)
WHERE marked_by = 'gateway' AND usage_basis = 'reported' ORDER BY place
"""


class MarkedRow(NamedTuple):
    """One row: whose, where, and what its marks saved; below 0 they cost that much more."""

    tenant: str
    deployment: str
    served_model: str
    started_at_ns: int
    saved_nano_usd: int


def last_marked_rows(path: Path) -> list[MarkedRow]:
    """Of the newest rows of a ledger those that the gateway marked, the oldest first.

    Raises:
        Unavailable: the ledger cannot be read.
    """
    with opened(path) as connection:
        return [MarkedRow(*row) for row in connection.execute(_QUERY, (_LOOKED_AT_ROWS,))]
