"""Kill a gateway at random moments under load, many times, and hold its ledger to what the clients were told.

Each round starts ``breakeven serve`` as users do, sends it a mixture of good, failing, cut and abandoned requests, and
ends it with kill -9. At the end every acknowledged answer must have exactly one row with the cost that was told, every
request that the upstream saw a row, no hold be left, and every way of reading what was spent give one number.

    python scripts/chaos.py --rounds 50 --seed 7
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from gateway.crash_rounds import Heard, assert_exactly_once, round_until_killed
from gateway.live import Live, assert_one_number, configuration
from gateway.mock_upstream import mock_upstream


def main() -> None:
    """Run the rounds and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="of the chance by which all is chosen")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_rounds(Path(folder), given.rounds, random.Random(seed)))


async def _rounds(folder: Path, rounds: int, chance: random.Random) -> None:
    heard = Heard()
    async with mock_upstream() as mock:
        with Live(folder=folder, config=configuration(mock.url)) as live:
            live.new_key()
            live.budget("tenant:acme", 10**12)
            for _ in range(rounds):
                await round_until_killed(live, chance, heard)
            live.start()
            spent = await assert_one_number(live)
            rows = live.rows()
            assert_exactly_once(rows, heard, mock)
            assert live.stop() == 0
    outcomes = Counter(row["outcome"] for row in rows)
    print(f"{rounds} kills, {len(heard.told):,} requests, {len(heard.acknowledged):,} acknowledged, {len(rows):,} rows")
    print(f"each acknowledged answer has one row; no hold is left; ${spent / 1e9:.6f} by every way of reading it")
    print("rows by outcome: " + ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common()))


if __name__ == "__main__":
    main()
