"""How long ``breakeven --help`` takes, against a bare interpreter that imports click.

The two alternate, so that a machine that gets busier slows both; medians are compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
CALLS = {
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "breakeven --help": [str(Path(sys.executable).with_name("breakeven")), "--help"],
}


def seconds(call: list[str]) -> float:
    """Wall time of one call, in seconds."""
    start = time.perf_counter()
    subprocess.run(call, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians, and their ratio."""
    rounds = [[seconds(call) for call in CALLS.values()] for _ in range(ROUNDS)]
    medians_s = [statistics.median(column) for column in zip(*rounds, strict=True)]
    for name, median_s in zip(CALLS, medians_s, strict=True):
        print(f"{median_s * 1000:7.0f} ms  {name}")
    print(f"{medians_s[1] / medians_s[0]:7.2f} x   (at most 3)")


if __name__ == "__main__":
    main()
