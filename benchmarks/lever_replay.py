"""A trace replayed through every lever: CPU and memory of the command, as the trace grows tenfold.

The traces are made up in Mooncake's shape: conversations that grow by a turn, a first block that all share, and one
request in a hundred that repeats an earlier one. Ten times the requests should take ten times the time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measure import BREAKEVEN, Figure, command, least_s, median_wall_s, milliseconds, peak_mib, report, scratch

CASES = (
    (12_000, "all levers", ()),
    (100_000, "all levers", ()),
    (100_000, "response cache", ("--lever", "response-cache")),
    (1_000_000, "response cache", ("--lever", "response-cache")),
)
REPEATS = 3
BLOCK_TOKENS = 512
CONVERSATIONS = 400
REQUESTS_PER_S = 3.4
MEAN_BLOCKS = 24


def write_conversations(path: Path, rows: int, seed: int = 1) -> Path:
    """Write so many requests of conversations that take turns; each ends when it has some 48 blocks."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in conversations(rows, seed))
    return path


def conversations(rows: int, seed: int) -> Iterator[dict[str, object]]:
    """The rows, in order of time."""
    random = np.random.default_rng(seed)
    at_ms = np.cumsum(random.exponential(1_000 / REQUESTS_PER_S, rows)).astype(int).tolist()
    turns, grown = random.integers(0, CONVERSATIONS, rows).tolist(), random.integers(1, 9, rows).tolist()
    again, outputs = (random.random(rows) < 0.01).tolist(), random.integers(1, 700, rows).tolist()
    held: list[list[int]] = [[0] for _ in range(CONVERSATIONS)]
    named = 0
    for row in range(rows):
        blocks = held[turns[row]]
        if not again[row] or len(blocks) == 1:
            blocks = [0] if len(blocks) > 2 * MEAN_BLOCKS else blocks
            blocks = [*blocks, *range(named + 1, named + 1 + grown[row])]
            named += grown[row]
            held[turns[row]] = blocks
        tokens = len(blocks) * BLOCK_TOKENS - turns[row]
        yield {"timestamp": at_ms[row], "input_length": tokens, "output_length": outputs[row], "hash_ids": blocks}


def main() -> None:
    """Print the figures."""
    found = []
    with scratch() as folder:
        for size, levers, asked in CASES:
            path = folder / f"{size}.jsonl"
            if not path.exists():
                write_conversations(path, size)
            repeats = REPEATS if size == CASES[0][0] else 1
            runs = [command([BREAKEVEN, "replay", path, *asked, "--format", "json"]) for _ in range(repeats)]
            found.append(
                Figure(
                    what=f"{size:,} requests, {levers}",
                    figure=f"{milliseconds(least_s(runs))} CPU",
                    target="5 s" if size == CASES[0][0] else "",
                    beside=f"{least_s(runs) / size * 1e6:.0f} us a request, wall {milliseconds(median_wall_s(runs))}, "
                    f"{path.stat().st_size / 1e6:.0f} MB read, peak {peak_mib(runs):.0f} MiB",
                )
            )
    report("A trace replayed through every lever", found)


if __name__ == "__main__":
    main()
