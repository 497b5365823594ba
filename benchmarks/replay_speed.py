"""The replay of a trace: requests and iterations per second on one core, beside plain Python, and its memory.

Azure's conversation trace, tiled to 1,000,000 requests, on a fleet of 4 replicas of an 8B model at FP8 on H100. The
compile is measured apart, as are its load from disk and the memory of longer traces. Plain Python runs the same
functions (``NUMBA_DISABLE_JIT=1``) on a part of the trace; so do both without skipping over steps.

python benchmarks/replay_speed.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from measure import Figure, milliseconds, report
from traces import trace_path

REQUESTS = 1_000_000
PLAIN_REQUESTS = 20_000
STEPPED_REQUESTS = 2_000
PIECE = 50_000
REPLICAS = 4
TRACES: list[Any] = []


def tiled(begin: int, end: int) -> tuple[Any, Any, Any]:
    """Requests ``begin`` to ``end`` of the trace repeated without end."""
    from breakeven.workload.trace_reading import read_trace

    if not TRACES:
        TRACES.append(read_trace(trace_path()))
    (trace,) = TRACES
    turn, row = np.divmod(np.arange(begin, end), trace.rows)
    return trace.arrivals_s[row] + turn * trace.span_s, trace.input_tokens[row], trace.output_tokens[row]


def replayed(requests: int, dispatch: str, *, skips: bool = True) -> dict[str, float]:
    """CPU seconds, steps and peak memory of a replay that is fed in pieces."""
    from breakeven.catalog.accelerators import accelerator
    from breakeven.catalog.open_models import open_model
    from breakeven.catalog.precisions import precision
    from breakeven.serving.engine import engine_coefficients
    from breakeven.serving.fleet import Fleet
    from breakeven.serving.simulation import Simulation

    engine = engine_coefficients(open_model("Llama-3.1-8B"), accelerator("H100"), precision("fp8", "server"))
    fleet = Fleet(replicas=REPLICAS, dispatch=dispatch)
    begun = time.process_time()
    first = Simulation(engine, fleet)
    first.feed(*tiled(0, 10))
    first.finish()
    compile_s = time.process_time() - begun
    running, spent = Simulation(engine, fleet, skips=skips), 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for begin in range(0, requests, PIECE):
        piece = tiled(begin, min(begin + PIECE, requests))
        begun = time.process_time()
        running.feed(*piece)
        spent += time.process_time() - begun
    begun = time.process_time()
    result = running.finish()
    spent += time.process_time() - begun
    assert result.served_requests == requests
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"cpu_s": spent, "steps": result.steps, "compile_s": compile_s, "peak": grown, "before": before}


def apart(requests: int, dispatch: str, *, plain: bool = False, skips: bool = True, cache: str = "") -> dict[str, Any]:
    """The same in a process of its own."""
    call = [sys.executable, __file__, str(requests), dispatch, str(int(skips))]
    more = {"NUMBA_DISABLE_JIT": "1"} if plain else {"NUMBA_CACHE_DIR": cache} if cache else {}
    output = subprocess.run(call, check=True, capture_output=True, env={**os.environ, **more}).stdout
    found: dict[str, Any] = json.loads(output)
    return found


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        cold = apart(1_000, "round_robin", cache=folder)
        warm = apart(1_000, "round_robin", cache=folder)
    figures = []
    for dispatch in ("round_robin", "least_outstanding"):
        fast = min((apart(REQUESTS, dispatch) for _ in range(3)), key=lambda found: found["cpu_s"])
        slow = apart(PLAIN_REQUESTS, dispatch, plain=True)
        rate, plain_rate = REQUESTS / fast["cpu_s"], PLAIN_REQUESTS / slow["cpu_s"]
        figures += [
            Figure(
                what=f"{dispatch}: requests/s",
                figure=f"{rate:,.0f}",
                target="200,000",
                beside=f"{REQUESTS:,} requests in {milliseconds(fast['cpu_s'])} CPU",
            ),
            Figure(
                what="- an iteration",
                figure=f"{1e9 * fast['cpu_s'] / fast['steps']:.2f} ns",
                beside=f"{fast['steps']:,} engine iterations, most of them skipped over",
            ),
            Figure(
                what="- against plain Python",
                figure=f"{rate / plain_rate:,.0f} x",
                target="100 x",
                beside=f"the same loop: {plain_rate:,.0f} requests/s ({PLAIN_REQUESTS:,} requests)",
            ),
        ]
    figures += stepped() + memory()
    figures.append(
        Figure(
            what="compiling, once",
            figure=milliseconds(cold["compile_s"]),
            beside=f"{milliseconds(warm['compile_s'])} in the next process, from disk",
        )
    )
    report("Replay of a trace", figures)


def stepped() -> list[Figure]:
    """Every iteration taken by itself, compiled and plain: what skipping is worth, and the ratio without it."""
    fast = apart(100_000, "round_robin", skips=False)
    slow = apart(STEPPED_REQUESTS, "round_robin", plain=True, skips=False)
    each, plain = (1e9 * found["cpu_s"] / found["steps"] for found in (fast, slow))
    rate = f"{100_000 / fast['cpu_s']:,.0f} requests/s"
    return [
        Figure(
            what="no iteration skipped",
            figure=f"{each:.1f} ns",
            beside=f"each; {rate}; plain Python {plain / each:,.0f} x slower",
        )
    ]


def memory() -> list[Figure]:
    """Peak memory of a long and of a longer trace, fed in pieces."""
    short, long = (apart(requests, "round_robin")["peak"] / 1024 for requests in (REQUESTS // 4, 4 * REQUESTS))
    return [
        Figure(
            what="peak memory, streamed",
            figure=f"{long:,.0f} MiB",
            beside=f"{4 * REQUESTS:,} requests; {short:,.0f} MiB with {REQUESTS // 4:,}",
        )
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(replayed(int(sys.argv[1]), sys.argv[2], skips=sys.argv[3] == "1")))
    else:
        main()
