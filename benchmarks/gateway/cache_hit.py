"""What the response cache costs a request through the whole gateway, and what a remembered answer costs.

usage: benchmarks/gateway/cache_hit.py [--seconds 3] [--rounds 3]

Two gateways at the same mock upstream, one with a cache. Each figure is the least CPU of several rounds in turns. Every
question of a miss is another one; a hit asks the same over and over, and has its row in the ledger like any other.
"""

from __future__ import annotations

import argparse
import math
from contextlib import ExitStack
from typing import NamedTuple

from cpu import closed_loop, pinned, reason_not_here
from measure import Figure, report
from mock_upstream import in_process
from ours import Ours
from servers import Command, Running, Seat, running

MOST_HIT_US = 250.0


class WithCache(Ours):
    """The same with a cache that is switched on."""

    name = "breakeven with a cache"

    def command(self, seat: Seat) -> Command:
        """As ours, with a configuration file."""
        (seat.folder / "breakeven.toml").write_text("[cache]\nenabled = true\n")
        return super().command(seat)


class Mode(NamedTuple):
    """One figure: which gateway, whether each question is another one, whether answers are streams."""

    name: str
    cached: bool
    unique: bool
    stream: bool


MODES = tuple(
    Mode(f"{kind}{', streamed' if stream else ''}", cached, unique, stream)
    for stream in (False, True)
    for kind, cached, unique in (("no cache", False, True), ("a miss", True, True), ("a hit", True, False))
)


def cpu_us(server: Running, mode: Mode, seconds: int) -> float:
    """CPU of one request.

    Raises:
        RuntimeError: some were not answered.
    """
    run = closed_loop(server.target, server.pid, seconds=seconds, stream=mode.stream, unique=mode.unique)
    if run.failed:
        raise RuntimeError(f"{mode.name}: {run.failed} of {run.requests} requests failed")
    return run.cpu_us


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    title = "Remembered answers through the gateway"
    if reason := reason_not_here():
        report(title, [Figure(what="not measured", figure="-", beside=reason)])
        return
    least = dict.fromkeys(MODES, math.inf)
    with ExitStack() as stack:
        upstream = stack.enter_context(in_process(before=pinned(1)))
        plain, cached = (stack.enter_context(running(server, upstream)) for server in (Ours(), WithCache()))
        for _ in range(chosen.rounds):
            for mode in MODES:
                found = cpu_us(cached if mode.cached else plain, mode, chosen.seconds)
                least[mode] = min(least[mode], found)
    report(title, [_figure(mode, least) for mode in MODES])


def _figure(mode: Mode, least: dict[Mode, float]) -> Figure:
    without = least[next(each for each in MODES if not each.cached and each.stream == mode.stream)]
    return Figure(
        what=mode.name,
        figure=f"{least[mode]:,.0f} us",
        target=f"{MOST_HIT_US:,.0f} us" if not mode.unique and not mode.stream else "",
        beside=f"{least[mode] - without:+,.0f} us beside no cache" if mode.cached else "",
    )


if __name__ == "__main__":
    main()
