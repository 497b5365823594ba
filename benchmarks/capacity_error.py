"""How wrong the capacity model is on published measurements, seen and unseen, and how fast it answers.

Run from the repository root: ``python benchmarks/capacity_error.py [--data FOLDER]``. For every group it prints the
median and the 90th percentile of |modelled / measured - 1| with the shipped constants, through the same functions that
``breakeven capacity`` calls; a row that is refused counts as an error of 100%. Errors on models and GPUs left out of
the fit come from ``scripts/fit_serving_constants.py --leave-one-model-out``, whose result the constants file keeps.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from breakeven.catalog.accelerators import accelerators
from breakeven.catalog.open_models import open_models
from breakeven.catalog.precisions import gpu_precisions
from breakeven.serving.answers import PointAnswer, answer_points
from breakeven.serving.capacity import RequestShape, replica_capacity
from breakeven.serving.constants import serving_classes
from breakeven.serving.points import Point, read_points
from breakeven.workload.workload import Slo

ROOT = Path(__file__).resolve().parent.parent
GROUPS: dict[str, Callable[[Point], str]] = {
    "model": lambda point: point.model.rpartition("/")[2],
    "GPU": lambda point: point.gpu,
    "engine": lambda point: point.engine.split(" (")[0],
    "precision": lambda point: point.precision or "not stated",
}


def measured_rate(point: Point) -> float:
    """Measured output tokens per second, derived from latency where only that was measured."""
    if point.concurrency is None:
        return point.measured["output_tokens_per_s_total"]
    spent_ms = point.measured["ttft_ms"] + point.measured["tpot_ms"] * (point.output_tokens - 1)
    return point.concurrency * point.output_tokens / spent_ms * 1e3


def errors(points: Sequence[Point], answers: Sequence[PointAnswer]) -> np.ndarray:
    """|modelled / measured - 1| of throughput; 1 where the row is refused."""
    return np.array(
        [
            1.0 if rate is None else abs(rate / measured_rate(point) - 1)
            for point, rate in ((p, a.output_tokens_per_s_total) for p, a in zip(points, answers, strict=True))
        ]
    )


def lines(name: str, points: Sequence[Point]) -> Iterator[str]:
    """Errors of one file, overall and by group."""
    answers = answer_points(points)
    found = errors(points, answers)
    refused = sum(bool(answer.refused) for answer in answers)
    yield f"{name}: {shown(found)}, {refused} of {len(points)} refused"
    for label, of in GROUPS.items():
        names = np.array([of(point) for point in points])
        for group in np.unique(names):
            yield f"  {label:9} {group:28} {shown(found[names == group])}"


def shown(found: np.ndarray) -> str:
    """Count, median and 90th percentile as text."""
    return f"{len(found):5d} rows, median {np.median(found):6.1%}, p90 {np.quantile(found, 0.9):6.1%}"


def catalogue_seconds() -> tuple[int, float]:
    """Rows and seconds of one capacity question over every model, GPU, precision and width."""
    models, gpus, precisions = list(open_models().values()), list(accelerators().values()), gpu_precisions()
    shape = (len(models), len(gpus), len(precisions), 4)
    model, gpu, precision, width = (axis.ravel() for axis in np.indices(shape))
    request = RequestShape(
        mean_input_tokens=1_155, mean_output_tokens=211, percentile_input_tokens=3_400, longest_request_tokens=8_000
    )
    began = time.perf_counter()
    replica_capacity(
        models,
        gpus,
        precisions,
        model=model,
        accelerator=gpu,
        precision=precision,
        tensor_parallel=2**width,
        request=request,
        slo=Slo(),
    )
    return len(model), time.perf_counter() - began


def main() -> None:
    """Print errors and speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    shared = Path(os.environ.get("BREAKEVEN_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "perf", help="folder of the measured rows")
    folder = parser.parse_args().data
    for file in ("offline_max_throughput_dev.csv", "closed_loop_dev.csv"):
        print("\n".join(lines(file, read_points(folder / file))))
    for each in serving_classes().values():
        kept = each.throughput
        print(
            f"{each.name}: models left out of the fit: "
            f"median {kept.median_error_frac:.1%}, p90 {kept.p90_error_frac:.1%}; "
            f"band x {kept.low_factor:.2f} to {kept.high_factor:.2f} held {kept.coverage_frac:.0%}"
        )
    rows, seconds = catalogue_seconds()
    print(f"catalogue: {rows} replicas in {seconds:.3f} s")


if __name__ == "__main__":
    main()
