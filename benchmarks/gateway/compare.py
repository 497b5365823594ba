"""Our gateway, the ceiling and the peers in one run, at the same mock upstream.

usage: benchmarks/run.py gateway [--install] [--record] [--seconds 4] [--rounds 3] [--only nginx,breakeven,...]
       [--soak-minutes 10]

Servers run on core 0, the mock and the load on core 1. All are started first, then measured in turns, so a machine that
gets busier slows them all; of several rounds the least counts, since a shared machine only ever adds.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from cpu import LOAD_CORE, closed_loop, pinned, reason_not_here, tree_rss_bytes
from measure import Figure, report, table
from mock_upstream import in_process
from open_loop import Latencies, Load, measured
from ours import Ours, ledger_rows
from peers import CEILING, PEERS
from questions import LARGE_BYTES, Target
from servers import NotReady, Running, Server, running
from soak import soaked

RATE_PER_S = 1_000.0
LARGE_CONNECTIONS = 4
ROWS = 4_000
OURS = Ours()
SERVERS: tuple[Server, ...] = (CEILING, OURS, *PEERS)


@dataclass(slots=True, kw_only=True)
class Figures:
    """The least of each figure over the rounds; infinite: not measured."""

    json_us: float = math.inf
    stream_us: float = math.inf
    large_us: float = math.inf
    lone_stream_ms: float = math.inf
    p50_ms: float = math.inf
    p99_ms: float = math.inf
    rss_mb: float = 0.0
    large_rss_mb: float = 0.0
    failed: int = 0
    requests: int = 0
    errors: dict[str, int] = field(default_factory=dict)


def measure_cpu(server: Running, figures: Figures, seconds: int) -> None:
    """One round of closed loops; the memory that the server holds after small requests, and after large ones."""
    target, pid = server.target, server.pid
    small = closed_loop(target, pid, seconds=seconds)
    figures.json_us = min(figures.json_us, small.cpu_us)
    runs = [small]
    if server.streams:
        stream = closed_loop(target, pid, seconds=seconds, stream=True)
        lone = closed_loop(target, pid, seconds=1, stream=True, connections=1)
        figures.stream_us = min(figures.stream_us, stream.cpu_us)
        if lone.requests:
            figures.lone_stream_ms = min(figures.lone_stream_ms, lone.p50_ms)
        runs += [stream, lone]
    figures.rss_mb = figures.rss_mb or tree_rss_bytes(pid) / 1e6
    large = closed_loop(target, pid, seconds=seconds, body_bytes=LARGE_BYTES, connections=LARGE_CONNECTIONS)
    figures.large_us = min(figures.large_us, large.cpu_us)
    figures.large_rss_mb = max(figures.large_rss_mb, tree_rss_bytes(pid) / 1e6)
    for run in (*runs, large):
        figures.failed += run.failed
        figures.requests += run.requests


def measure_latency(target: Target, figures: Figures, seconds: float) -> None:
    """One round at a fixed rate, on a schedule of its own."""
    found = measured(target, Load(rate_per_s=RATE_PER_S, seconds=seconds, poisson=True), before=pinned(LOAD_CORE))
    figures.p50_ms = min(figures.p50_ms, found.p50_ms)
    figures.p99_ms = min(figures.p99_ms, found.p99_ms)
    for error, count in found.errors.items():
        figures.errors[error] = figures.errors.get(error, 0) + count


def started(
    stack: ExitStack, upstream: str, chosen: Iterable[Server], install: bool
) -> tuple[list[Running], list[str]]:
    """The servers that answer, and why the others do not."""
    found, left_out = [], []
    for server in chosen:
        try:
            if install and server.reason_missing():
                server.install()
            if reason := server.reason_missing():
                left_out.append(f"{server.name}: {reason}")
                continue
            found.append(stack.enter_context(running(server, upstream)))
        except (NotReady, subprocess.CalledProcessError) as error:
            left_out.append(f"{server.name}: {error}")
    return found, left_out


def rows_written(ours: Running) -> Figure:
    """Whether each answered request, JSON or stream, has one row."""
    before = ledger_rows(ours.seat)
    loads = [Load(rate_per_s=500, seconds=ROWS / 1_000, stream=stream) for stream in (False, True)]
    found: list[Latencies] = [measured(ours.target, load, before=pinned(LOAD_CORE)) for load in loads]
    time.sleep(0.5)
    rows = ledger_rows(ours.seat) - before
    answered = sum(each.answered for each in found)
    return Figure(
        what="rows in the ledger",
        figure=f"{rows:,}",
        target=f"{answered:,}",
        beside=f"{answered:,} answered of {sum(each.asked for each in found):,} asked, JSON and streams",
    )


def number(value: float, form: str = ",.0f") -> str:
    """A figure, or a dash where it was not measured."""
    return format(value, form) if math.isfinite(value) else "-"


def ratio(value: float, of: float) -> str:
    """How many times another figure."""
    return number(value / of, ".2f") if of and math.isfinite(of) else "-"


def comparison(found: dict[str, tuple[str, Figures]], direct: Figures) -> list[tuple[str, ...]]:
    """The table: a row for each server, the ceiling first."""
    head = ("gateway", "version", "JSON us", "x nginx", "stream us", "x nginx", "400 KB us", "lone stream ms")
    rows: list[tuple[str, ...]] = [(*head, "added p50 ms", "added p99 ms", "RSS MB", "400 KB", "failed")]
    ceiling = found[CEILING.name][1] if CEILING.name in found else Figures()
    for name, (version, each) in found.items():
        errors = "".join(f"; {count} x {error} at {RATE_PER_S:,.0f}/s" for error, count in each.errors.items())
        rows.append(
            (
                *(name, version, number(each.json_us), ratio(each.json_us, ceiling.json_us)),
                *(number(each.stream_us), ratio(each.stream_us, ceiling.stream_us), number(each.large_us)),
                *(number(each.lone_stream_ms, ".2f"), number(each.p50_ms - direct.p50_ms, ".2f")),
                *(number(each.p99_ms - direct.p99_ms, ".2f"), number(each.rss_mb), number(each.large_rss_mb)),
                f"{each.failed:,} of {each.requests:,}{errors}",
            )
        )
    return rows


def goals(found: dict[str, tuple[str, Figures]], direct: Figures) -> list[Figure]:
    """Our figures beside what they may be."""
    ours, ceiling = found[OURS.name][1], found[CEILING.name][1]
    natives = [each for name, (_, each) in found.items() if name.startswith(("TensorZero", "Ferro"))]
    json_us = min((each.json_us for each in natives), default=math.inf)
    stream_us = min((each.stream_us for each in natives), default=math.inf)
    return [
        Figure(what="JSON CPU / nginx", figure=f"{ratio(ours.json_us, ceiling.json_us)} x", target="5 x"),
        Figure(what="JSON CPU / best of Rust and Go", figure=f"{ratio(ours.json_us, json_us)} x", target="0.5 x"),
        Figure(what="stream CPU / nginx", figure=f"{ratio(ours.stream_us, ceiling.stream_us)} x", target="1.3 x"),
        Figure(what="stream CPU / best of Rust and Go", figure=f"{ratio(ours.stream_us, stream_us)} x", target="0.5 x"),
        Figure(what="added p50", figure=f"{number(ours.p50_ms - direct.p50_ms, '.2f')} ms", target="0.5 ms"),
        Figure(
            what="p99 / nginx",
            figure=f"{ratio(ours.p99_ms, ceiling.p99_ms)} x",
            target="2 x",
            beside=f"{number(ours.p99_ms, '.2f')} ms, nginx {number(ceiling.p99_ms, '.2f')}, "
            f"no gateway {number(direct.p99_ms, '.2f')}",
        ),
        Figure(what="a stream alone", figure=f"{number(ours.lone_stream_ms, '.2f')} ms", target="2 ms"),
        Figure(
            what="400 KB prompt",
            figure=f"{number(ours.large_us)} us",
            target=f"{number(3 * ours.json_us + ceiling.large_us)} us",
            beside="3 x the small request, and the bytes as nginx moves them",
        ),
        Figure(
            what="memory", figure=f"{number(ours.rss_mb)} MB", target="100 MB", beside=f"{ours.requests:,} requests"
        ),
    ]


def in_turns(servers: Sequence[Running], rounds: int, seconds: int, upstream: str) -> tuple[list[Figures], Figures]:
    """The figures of each server, and of the upstream without one."""
    figures, direct = [Figures() for _ in servers], Figures()
    for server in servers:
        closed_loop(server.target, server.pid, seconds=1)  # warm
    for _ in range(rounds):
        for server, each in zip(servers, figures, strict=True):
            measure_cpu(server, each, seconds)
        measure_latency(Target(url=upstream), direct, seconds)
        for server, each in zip(servers, figures, strict=True):
            if each.json_us < 0.8e6 / RATE_PER_S:
                measure_latency(server.target, each, seconds)
    return figures, direct


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install the peers that are missing")
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=lambda names: names.lower().split(","), default=[], help="servers, by name")
    parser.add_argument("--soak-minutes", type=float, default=0.0)
    chosen = parser.parse_args()
    if reason := reason_not_here():
        report("Gateways beside each other", [Figure(what="not measured", figure="-", beside=reason)])
        return
    named = [server for server in SERVERS if any(name in server.name.lower() for name in chosen.only)]
    servers = named or SERVERS
    busy = os.getloadavg()[0]
    with ExitStack() as stack:
        upstream = stack.enter_context(in_process(before=pinned(LOAD_CORE)))
        up, left_out = started(stack, upstream, servers, chosen.install)
        figures, direct = in_turns(up, chosen.rounds, chosen.seconds, upstream)
        found = {each.server.name: (each.server.version(), figure) for each, figure in zip(up, figures, strict=True)}
        table("Gateways beside each other", comparison(found, direct))
        silent = [f"{each.server.name}: its streams fail as installed" for each in up if not each.streams]
        print(*(f"Left out: {line}\n" for line in (*left_out, *silent)), sep="")
        print(f"Processes that wanted a core before it began: {busy:.1f}.\n")
        ours = next((each for each in up if each.server is OURS), None)
        if ours is None:
            sys.exit("our own gateway was not measured")
        if CEILING.name in found:
            report("Our gateway and its goals", [*goals(found, direct), rows_written(ours)])
        if chosen.soak_minutes:
            report(f"{chosen.soak_minutes:g} minutes of load", soaked(ours, chosen.soak_minutes))


if __name__ == "__main__":
    main()
