"""How long ``breakeven --help`` takes, against an interpreter that imports click and one that does nothing.

The calls alternate, so that a machine that gets busier slows them all.
"""

from __future__ import annotations

import sys

from measure import BREAKEVEN, Figure, command, least_s, median_s, median_wall_s, milliseconds, report

ROUNDS = 15
CALLS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "breakeven --help": [BREAKEVEN, "--help"],
}


def main() -> None:
    """Print the medians, and their ratios."""
    rounds = [[command(call) for call in CALLS.values()] for _ in range(ROUNDS)]
    bare, click, ours = (list(column) for column in zip(*rounds, strict=True))
    figures = [
        Figure(
            what=name,
            figure=f"{milliseconds(median_s(runs))} CPU",
            beside=f"least {milliseconds(least_s(runs))}, wall {milliseconds(median_wall_s(runs))}",
        )
        for name, runs in zip(CALLS, (bare, click, ours), strict=True)
    ]
    ratio = Figure(
        what="help / import click",
        figure=f"{median_s(ours) / median_s(click):.2f} x CPU",
        target="3 x",
        beside=f"wall {median_wall_s(ours) / median_wall_s(click):.2f} x; "
        f"floor (python -c pass) {median_s(bare) / median_s(click):.2f} x",
    )
    report("breakeven --help", [*figures, ratio])


if __name__ == "__main__":
    main()
