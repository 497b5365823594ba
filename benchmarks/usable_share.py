"""How much of its saturated rate a fleet can carry within a latency requirement: real arrivals beside Poisson's.

The saturated rate is that of one replica with all requests of Azure's conversation trace there at once. The trace is
then played faster or slower, on more and more replicas, and the fastest at which p99 of TTFT stays within 2 s and p99
of TPOT within 100 ms is found by bisection. The share is that rate over the replicas' saturated one. The trace is
repeated once for each replica, so that every fleet is loaded for the same time: about a quarter of an hour.

python benchmarks/usable_share.py [MODEL GPU PRECISION]    (default: Llama-3.1-8B H100 fp8)
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from measure import Figure, report
from numpy.typing import NDArray
from traces import trace_path

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import precision
from breakeven.serving.engine import EngineCoefficients, engine_coefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import simulate
from breakeven.workload.synthetic_arrivals import gamma_arrivals_s, gap_variation, poisson_arrivals_s
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace

REPLICAS = (1, 2, 4, 8, 16)
TTFT_S, TPOT_S = 2.0, 0.1
HALVINGS = 9
SEEDS = (1, 2, 3)
Floats = NDArray[np.float64]


def saturated_per_s(trace: Trace, engine: EngineCoefficients) -> float:
    """Requests a second of one replica that always has work."""
    result = simulate(np.zeros(trace.rows), trace.input_tokens, trace.output_tokens, engine, Fleet())
    return result.requests_per_s


def usable_frac(trace: Trace, arrivals_s: Floats, engine: EngineCoefficients, fleet: Fleet, saturated: float) -> float:
    """The greatest share of saturation at which the requirement holds, to 0.3%."""
    mean_per_s = trace.rows / trace.span_s
    turn, row = np.divmod(np.arange(trace.rows * fleet.replicas), trace.rows)
    repeated_s = arrivals_s[row] + turn * trace.span_s
    inputs, outputs = trace.input_tokens[row], trace.output_tokens[row]
    low, high = 0.0, 1.5
    for _ in range(HALVINGS):
        share = (low + high) / 2
        stretch = mean_per_s / (share * saturated * fleet.replicas)
        result = simulate(repeated_s * stretch, inputs, outputs, engine, fleet)
        holds = result.ttft.p99_s <= TTFT_S and result.tpot.p99_s <= TPOT_S
        low, high = (share, high) if holds else (low, share)
    return low


def main() -> None:
    """Print the table."""
    model, gpu, bits = sys.argv[1:4] or ("Llama-3.1-8B", "H100", "fp8")
    trace = read_trace(trace_path())
    engine = engine_coefficients(open_model(model), accelerator(gpu), precision(bits, "server"))
    saturated = saturated_per_s(trace, engine)
    variation = gap_variation(trace.arrivals_s)
    made_up: dict[str, list[Floats]] = {
        "real": [trace.arrivals_s],
        "gamma": [gamma_arrivals_s(trace.rows, trace.span_s, variation, seed) for seed in SEEDS],
        "Poisson": [poisson_arrivals_s(trace.rows, trace.span_s, seed) for seed in SEEDS],
    }
    figures: list[Figure] = []
    for dispatch in ("round_robin", "least_outstanding"):
        for replicas in REPLICAS:
            fleet: Any = Fleet(replicas=replicas, dispatch=dispatch)
            shares = {
                name: float(np.mean([usable_frac(trace, times, engine, fleet, saturated) for times in lists]))
                for name, lists in made_up.items()
            }
            beside = f"gamma {shares['gamma']:.2f}, Poisson {shares['Poisson']:.2f}"
            figures.append(Figure(what=f"{dispatch}, {replicas}", figure=f"{shares['real']:.2f} real", beside=beside))
    title = f"Usable share of {saturated:.1f} requests/s a replica: {model} {bits} on {gpu}, trace {trace.name}"
    report(f"{title}, gap variation {variation:.2f}", figures)


if __name__ == "__main__":
    main()
