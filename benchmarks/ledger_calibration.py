"""What calibration by real requests finds where the model itself was the server: its factors should be 1.

Azure's conversation trace is replayed through one replica at several speeds, and each request's times are read as a
ledger's would be. The model's closed loop answers the loads that they met; factors are measured over modelled time.

python benchmarks/ledger_calibration.py [MODEL GPU PRECISION]    (default: Llama-3.1-8B H100-SXM fp8)
"""

from __future__ import annotations

import datetime
import sys

from measure import Figure, report
from traces import trace_path

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import precision
from breakeven.serving.benchmark_reports import COLUMNS, StatedDeployment
from breakeven.serving.calibration import calibrate
from breakeven.serving.engine import EngineCoefficients, engine_coefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.measurements import points_from_columns
from breakeven.serving.observed_load import Attempt, Observed, observe
from breakeven.serving.simulation import simulate
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace

SPEEDS = (1, 2, 4)


def served(trace: Trace, engine: EngineCoefficients, speed: int) -> Observed:
    """The loads of the trace, played that much faster."""
    arrivals_s = trace.arrivals_s / speed
    result = simulate(arrivals_s, trace.input_tokens, trace.output_tokens, engine, Fleet(), keep_requests=True)
    rows = zip(arrivals_s, result.e2e_s, result.ttft_s, trace.input_tokens, trace.output_tokens, strict=True)
    return observe(
        Attempt(at_ns := round(at_s * 1e9), at_ns, float(e2e_s), float(ttft_s), int(inputs), int(outputs))
        for at_s, e2e_s, ttft_s, inputs, outputs in rows
    )


def main() -> None:
    """Print the table."""
    model, gpu, bits = sys.argv[1:4] or ("Llama-3.1-8B", "H100-SXM", "fp8")
    trace = read_trace(trace_path())
    engine = engine_coefficients(open_model(model), accelerator(gpu), precision(bits, "server"))
    stated = StatedDeployment(model=model, gpu=gpu, precision=bits)
    figures: list[Figure] = []
    for speed in SPEEDS:
        observed = served(trace, engine, speed)
        columns = {name: [getattr(load, name) for load in observed.loads] for name in COLUMNS}
        points = points_from_columns(columns, stated, origin=trace.name)
        (found,) = calibrate(points, source=trace.name, on=datetime.date.min).corrections.servers
        ttft = "-" if found.ttft is None else f"{found.ttft.value:.2f}"
        loads = ", ".join(f"{load.concurrency:.0f}" for load in observed.loads)
        rate = f"{trace.rows / trace.span_s * speed:.1f} requests/s"
        figures.append(Figure(what=rate, figure=f"TPOT {found.tpot.value:.2f}, TTFT {ttft}", beside=f"at {loads}"))
    report(f"Factors found by real requests to the model itself: {model} {bits} on {gpu}", figures)


if __name__ == "__main__":
    main()
