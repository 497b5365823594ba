"""Small engines, and requests that hypothesis makes up, for the replay's tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from breakeven.serving.engine import EngineCoefficients, linear_step_s
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import Simulation, SimulationResult, simulate


class Requests(NamedTuple):
    arrivals_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]


def engine(**changed: object) -> EngineCoefficients:
    """An engine whose figures are easy to reckon with."""
    figures = {
        "step_s": linear_step_s(0.010, 0.001, 8),
        "context_s_per_token": 1e-6,
        "prefill_s_per_token": 1e-4,
        "attention_s_per_token2": 1e-8,
        "least_prefill_s": 0.004,
        "chunk_tokens": 64,
        "kv_tokens": 1_000,
    }
    return EngineCoefficients(**(figures | changed))


def made_up(most: int = 40, span_s: float = 5.0, tokens: int = 200) -> st.SearchStrategy[Requests]:
    """Requests of all sizes that fit, many of them at once."""
    moment = st.integers(0, round(span_s * 1e6)).map(lambda microseconds: microseconds / 1e6)
    one = st.tuples(moment, st.integers(1, tokens), st.integers(1, tokens))
    return st.lists(one, min_size=1, max_size=most).map(_columns)


def _columns(rows: list[tuple[float, int, int]]) -> Requests:
    arrivals, inputs, outputs = zip(*sorted(rows), strict=True)
    return Requests(np.array(arrivals), np.array(inputs), np.array(outputs))


def in_pieces(requests: Requests, fleet: Fleet, sizes: list[int], **how: bool) -> SimulationResult:
    """The same replay, fed a piece at a time."""
    running = Simulation(engine(), fleet, 0.0, len(requests.arrivals_s), **how)
    begin = 0
    while begin < len(requests.arrivals_s):
        size = sizes[begin % len(sizes)]
        running.feed(*(column[begin : begin + size] for column in requests))
        begin += size
    return running.finish()


def whole(requests: Requests, fleet: Fleet, **changed: object) -> SimulationResult:
    """The replay in one call, with each request's latency kept."""
    return simulate(*requests, engine(**changed), fleet, keep_requests=True)


def facts(result: SimulationResult) -> tuple[object, ...]:
    """Everything that a result says, as values that compare to the last bit."""
    plain = [getattr(result, name) for name in result.__slots__ if name not in {"timeline", "ttft_s", "e2e_s"}]
    columns = [getattr(result.timeline, name) for name in ("replicas", "busy_frac", "requests_per_s")]
    columns += [result.timeline.waiting_requests, result.ttft_s, result.e2e_s]
    return (*map(repr, plain), result.timeline.bin_s, *(column.tobytes() for column in columns))
