"""What marks saved is read again at a start: of the newest rows those that were marked, and whose bill is known."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from breakeven.ledger import marked_rows
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.marked_rows import last_marked_rows
from breakeven.ledger.recording import Recorder, Settled
from ledger.ledgers import AT_NS, SCOPES, entry


def test_the_rows_that_the_gateway_marked_come_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    saved = {"a": -5, "b": 7, "c": 9, "d": 11, "e": 13}
    marked_by = {"a": "gateway", "b": "gateway", "c": "caller", "d": "none", "e": "gateway"}
    basis = {"e": "estimated"}
    with opened(path, create=True) as connection:
        batch = [
            entry(
                name,
                100,
                prompt_cache_saved_nano_usd=nano_usd,
                marked_by=marked_by[name],
                usage_basis=basis.get(name, "reported"),
            )
            for name, nano_usd in saved.items()
        ]
        settled = [Settled(number, each, AT_NS, SCOPES, True) for number, each in enumerate(batch, start=1)]
        Recorder(connection).record(settled, committed=len(batch), floor=1)
    assert [row.saved_nano_usd for row in last_marked_rows(path)] == [-5, 7]
    [first, _] = last_marked_rows(path)
    assert (first.tenant, first.deployment, first.served_model) == ("acme", "openai", "gpt-4o-mini")
    with patch.object(marked_rows, "_LOOKED_AT_ROWS", 4):
        assert [row.saved_nano_usd for row in last_marked_rows(path)] == [7]
