"""kill -9 at random moments under load: what was acknowledged has one row, what was cut off costs its bound."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from gateway.crash_rounds import Heard, assert_exactly_once, round_until_killed
from gateway.live import Live, assert_one_number, configuration
from gateway.mock_upstream import mock_upstream

ROUNDS = 4
"""`make chaos` does more."""


def test_killed_under_load_every_acknowledged_answer_has_one_row(tmp_path: Path) -> None:
    chance = random.Random(4)
    heard = Heard()

    async def scenario() -> None:
        async with mock_upstream() as mock:
            with Live(folder=tmp_path, config=configuration(mock.url)) as live:
                live.new_key()
                live.budget("tenant:acme", 10**12)
                for _ in range(ROUNDS):
                    await round_until_killed(live, chance, heard)
                live.start()
                await assert_one_number(live)
                rows = live.rows()
                assert_exactly_once(rows, heard, mock)
                assert len(heard.acknowledged) > 20
                assert any(row["outcome"] == "interrupted" for row in rows)

    asyncio.run(scenario())
