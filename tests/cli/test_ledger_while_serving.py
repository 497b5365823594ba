"""What is done to a ledger while a gateway serves from it: upgraded at its start, backed up, pruned, totalled."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from breakeven.ledger import keys
from breakeven.ledger.schema import STEPS
from breakeven.stores import sqlite
from gateway.live import Live

ECHO = '[[upstreams]]\nname = "echo"\nwire = "echo"\n'
QUESTION = {"model": "echo", "messages": [{"role": "user", "content": "Hello!"}]}


async def ask(live: Live, times: int) -> int:
    """Ask so many times, a few at once, and sum up what was paid."""
    paid_nano_usd = 0
    for _ in range(times // 4):
        for told in await asyncio.gather(
            *(live.ask("POST", "/v1/chat/completions", QUESTION, key=live.key) for _ in range(4))
        ):
            assert told.status == 200, told.body
            assert told.cost_nano_usd is not None
            paid_nano_usd += told.cost_nano_usd
    return paid_nano_usd


def test_a_ledger_of_an_older_version_is_upgraded_by_serving_from_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    new = keys.new_key("acme", user="alice")
    with closing(sqlite.connect(path, create=True)) as connection:
        sqlite.upgrade(connection, path, STEPS[:1])
        keys.create(connection, new)
    with Live(folder=tmp_path, config=ECHO) as live:
        live.start()
        live.key = new.secret  # the old ledger's key
        paid = asyncio.run(ask(live, 4))
        assert live.stop() == 0
    (row,) = live.cli("ledger", "totals")["rows"]
    assert (row["requests"], row["nano_usd"]) == (4, paid)


def test_it_is_backed_up_and_pruned_while_requests_are_served(tmp_path: Path) -> None:
    with Live(folder=tmp_path, config=ECHO) as live:
        live.new_key()
        live.start()

        async def scenario() -> int:
            paid = await ask(live, 20)
            asking = asyncio.create_task(ask(live, 80))
            await asyncio.sleep(0.02)
            made = await asyncio.to_thread(live.cli, "ledger", "backup", str(tmp_path / "copy.db"))
            pruned = await asyncio.to_thread(live.cli, "ledger", "prune", "--older-than", "30m")
            assert 0 <= made["entries"] <= 100
            assert pruned["entries"] == 0  # nothing is that old, and nothing else goes
            return paid + await asking

        paid = asyncio.run(scenario())
        assert live.stop() == 0
    (row,) = live.cli("ledger", "totals")["rows"]
    assert (row["requests"], row["nano_usd"]) == (100, paid)
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        entries, spent = copy.execute("SELECT count(*), coalesce(sum(effective_nano_usd), 0) FROM entries").fetchone()
        (summed,) = copy.execute("SELECT coalesce(sum(effective_nano_usd), 0) FROM rollups").fetchone()
    assert (spent, summed) == (row["nano_usd"] // 100 * entries, spent)


def test_a_second_gateway_is_refused_in_words(tmp_path: Path) -> None:
    with Live(folder=tmp_path, config=ECHO) as live:
        live.start()
        second = tmp_path / "second"
        second.mkdir()
        other = Live(folder=second, config=ECHO, arguments=("--ledger", str(live.ledger)))
        with pytest.raises(AssertionError, match="is in use"):
            other.start()
        assert other.process is not None
        assert other.process.wait(10) == 3


def test_a_budget_that_is_used_up_is_in_the_log(tmp_path: Path) -> None:
    with Live(folder=tmp_path, config=ECHO) as live:
        live.new_key()
        live.start()
        cost = asyncio.run(ask(live, 4)) // 4
        usd = ("--usd", f"{5 * cost / 1e9:.9f}")
        live.cli("budget", "set", "user:alice", "--tenant", "acme", *usd, "--on-exceed", "alert")
        asyncio.run(ask(live, 4))
        live.stop()
        live.start()  # whoever starts looks at once
        until = time.monotonic() + 10
        while "budget 'user:alice' of 'acme'" not in live.log:
            assert time.monotonic() < until, live.log
            time.sleep(0.02)
        assert live.key not in live.log
