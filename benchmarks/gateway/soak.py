"""Our gateway under load for minutes: whether memory, or the work of a request, grows with what went before."""

from __future__ import annotations

import statistics

from cpu import closed_loop, tree_rss_bytes
from measure import Figure
from ours import ledger_rows
from servers import Running

TURN_S = 10
"""Seconds of JSON, then as many of streams, and so on."""


def soaked(ours: Running, minutes: float) -> list[Figure]:
    """Ask without a pause, JSON and streams in turns; memory and CPU per request over time."""
    turns = max(int(minutes * 60 / TURN_S / 2), 2)
    rss_mb: list[float] = []
    json_us: list[float] = []
    stream_us: list[float] = []
    requests = 0
    for _ in range(turns):
        for stream, spent_us in ((False, json_us), (True, stream_us)):
            run = closed_loop(ours.target, ours.pid, seconds=TURN_S, stream=stream)
            spent_us.append(run.cpu_us)
            requests += run.requests
        rss_mb.append(tree_rss_bytes(ours.pid) / 1e6)
    hours = [turn * 2 * TURN_S / 3_600 for turn in range(turns)]
    settled = turns // 4  # caches fill first
    slope = statistics.linear_regression(hours[settled:], rss_mb[settled:]).slope
    million = requests * (turns - settled) / turns / 1e6
    grown_mb = rss_mb[-1] - rss_mb[settled]
    return [
        Figure(
            what="memory",
            figure=f"{slope:+.1f} MB an hour",
            target="flat",
            beside=f"from {rss_mb[settled]:.1f} to {rss_mb[-1]:.1f} MB after the first quarter, "
            f"{grown_mb / million:+.2f} MB for a million requests",
        ),
        *(
            Figure(
                what=f"CPU of a {name}",
                figure=f"{statistics.median(spent_us[-3:]):,.0f} us at the end",
                target=f"{statistics.median(spent_us[:3]):,.0f} us at first",
                beside=f"least {min(spent_us):,.0f} us",
            )
            for name, spent_us in (("JSON request", json_us), ("stream", stream_us))
        ),
        Figure(what="rows in the ledger", figure=f"{ledger_rows(ours.seat):,}", beside=f"{requests:,} requests here"),
    ]
