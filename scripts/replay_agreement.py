"""What `breakeven replay` predicts against what a real gateway saves on the same trace, in dollars; 1% apart at most.

    python scripts/replay_agreement.py TRACE [--requests 3000] [--speed 60] [--ttl 300]
    python scripts/replay_agreement.py TRACE --lever prompt-cache [--requests 4000] [--ttl 300|3600]

Each request of the trace becomes a real body. For the response cache its text names its content, so equal contents are
equal bodies, sent at compressed time to a gateway in a process of its own, before a model server that bills each
request's own tokens. For the prompt cache each block of the trace is a block of the body, sent by a shared clock to a
gateway before an Anthropic that keeps a prompt cache by its documented rules. What the ledger says was saved is then
held against the prediction.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from breakeven import api
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from gateway.caching_provider import KEPT_S, OUTPUT_TOKENS
from gateway.replayed_prompts import predicted, serve_prompts
from gateway.replayed_trace import PRICES, one_answer_each, serve

MOST_APART, OF_THE_BILL = 0.01, 0.001
"""Shares of what is saved, and of what is paid where next to nothing is saved."""


class Both(NamedTuple):
    """What was predicted and what came, nano-dollars."""

    predicted_saved: int
    predicted_paid: int
    saved: int
    paid: int


def main() -> int:
    """Replay, serve, compare; 1 where they are further apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--lever", choices=("response-cache", "prompt-cache"), default="response-cache")
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of the trace in one of the gateway")
    parser.add_argument("--ttl", type=float, default=300.0, help="seconds of the trace for which anything is kept")
    given = parser.parse_args()
    trace = first(read_trace(given.trace, keep_blocks=True), given.requests)
    with tempfile.TemporaryDirectory() as folder:
        if given.lever == "prompt-cache":
            both = prompts(Path(folder), trace, given.ttl)
        else:
            both = answers(Path(folder), one_answer_each(trace), given.speed, given.ttl)
    apart = abs(both.saved - both.predicted_saved)
    print(f"{trace.rows:,} requests of {trace.name}, {given.lever}, kept {given.ttl:g} s")
    print(f"replay   saves ${both.predicted_saved / 1e9:.6f} and pays ${both.predicted_paid / 1e9:.6f}")
    print(f"gateway  saved ${both.saved / 1e9:.6f} and paid ${both.paid / 1e9:.6f}")
    print(f"apart by {apart / max(abs(both.saved), 1):.3%} of the savings, {apart / max(both.paid, 1):.3%} of the bill")
    return int(apart > max(MOST_APART * both.saved, OF_THE_BILL * both.paid))


def answers(folder: Path, trace: Trace, speed: float, ttl_s: float) -> Both:
    """The response cache, with single flight."""
    saving = api.replay(trace, lever="response-cache", ttl_s=ttl_s, config=PRICES).levers[0].saving
    assert saving is not None
    served = asyncio.run(serve(folder, trace, speed, ttl_s))
    return Both(saving.saved_nano_usd, saving.with_nano_usd, served.saved_nano_usd, served.paid_nano_usd)


def prompts(folder: Path, trace: Trace, ttl_s: float) -> Both:
    """The provider's prompt cache, where each answer has as many tokens as the provider's here."""
    ttl = next(name for name, kept_s in KEPT_S.items() if kept_s == ttl_s)
    same = replace(trace, output_tokens=np.full(trace.rows, OUTPUT_TOKENS))
    saving = predicted(same, ttl)
    billed = asyncio.run(serve_prompts(folder, same, ttl))
    return Both(saving.saved_nano_usd, saving.with_nano_usd, billed.saved_nano_usd, billed.paid_nano_usd)


def first(trace: Trace, requests: int) -> Trace:
    """The trace's first requests."""
    if trace.contents is None:
        sys.exit(f"{trace.name} does not tell which requests are the same")
    part = slice(requests)
    rows = np.arange(min(requests, trace.rows))
    return replace(
        trace,
        arrivals_s=trace.arrivals_s[part],
        input_tokens=trace.input_tokens[part],
        output_tokens=np.maximum(trace.output_tokens[part], 1),
        contents=trace.contents[part],
        durations_s=None if trace.durations_s is None else trace.durations_s[part],
        blocks=None if trace.blocks is None else trace.blocks.taken(rows),
    )


if __name__ == "__main__":
    sys.exit(main())
