"""What `breakeven replay` predicts against what a real gateway saves on the same trace, in dollars; 1% apart at most.

Each request of the trace becomes a real body: its text names its content, so equal contents are equal bodies. They are
sent to a gateway with its cache on, in a process of its own, at compressed time, before a model server that bills each
request's own tokens. What the gateway's ledger says it saved is then held against the prediction.

    python scripts/replay_agreement.py TRACE [--requests 3000] [--speed 60] [--ttl 300]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from breakeven import api
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from gateway.replayed_trace import PRICES, one_answer_each, serve

MOST_APART = 0.01


def main() -> int:
    """Replay, serve, compare; 1 where they are further apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of the trace in one of the gateway")
    parser.add_argument("--ttl", type=float, default=300.0, help="seconds of the trace for which an answer is kept")
    given = parser.parse_args()
    trace = one_answer_each(first(read_trace(given.trace), given.requests))
    lever = api.replay(trace, lever="response-cache", ttl_s=given.ttl, config=PRICES).levers[0]
    assert lever.saving is not None
    with tempfile.TemporaryDirectory() as folder:
        served = asyncio.run(serve(Path(folder), trace, given.speed, given.ttl))
    predicted = lever.saving.saved_nano_usd
    apart = abs(served.saved_nano_usd - predicted) / max(predicted, 1)
    print(f"{trace.rows:,} requests of {trace.name} at {given.speed:g} times their speed, answers kept {given.ttl:g} s")
    print(f"replay   saves ${predicted / 1e9:.6f} with {lever.hits:,} hits")
    print(f"gateway  saved ${served.saved_nano_usd / 1e9:.6f} with {served.hits:,} hits")
    print(f"apart by {apart:.3%}; the gateway paid ${served.paid_nano_usd / 1e9:.6f}")
    return int(apart > MOST_APART)


def first(trace: Trace, requests: int) -> Trace:
    """The trace's first requests, without what this script does not use."""
    if trace.contents is None:
        sys.exit(f"{trace.name} does not tell which requests are the same")
    part = slice(requests)
    return replace(
        trace,
        arrivals_s=trace.arrivals_s[part],
        input_tokens=trace.input_tokens[part],
        output_tokens=np.maximum(trace.output_tokens[part], 1),
        contents=trace.contents[part],
        durations_s=None if trace.durations_s is None else trace.durations_s[part],
    )


if __name__ == "__main__":
    sys.exit(main())
