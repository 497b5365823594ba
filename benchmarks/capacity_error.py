"""How wrong the capacity model is on published measurements, and how fast it answers.

python benchmarks/capacity_error.py [--data FOLDER] [--groups]

Errors are |modelled / measured - 1| of throughput with the shipped constants, through the same functions that
``breakeven capacity`` calls; a row that is refused counts as an error of 100%. Errors on models left out of the fit
come from ``scripts/fit_serving_constants.py``, whose result the constants file keeps. ``--groups`` adds the errors by
model, GPU, engine and precision. The floor of answering is one pass of arithmetic over the replicas.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from measure import Figure, median_s, milliseconds, report, timed
from traces import SHARED

from breakeven.catalog.accelerators import accelerators
from breakeven.catalog.open_models import open_models
from breakeven.catalog.precisions import gpu_precisions
from breakeven.serving.answers import PointAnswer, answer_points
from breakeven.serving.capacity import RequestShape, replica_capacity
from breakeven.serving.constants import serving_classes
from breakeven.serving.points import Point, read_points
from breakeven.workload.workload import Slo

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


def measured(path: Path, groups: bool) -> Iterator[Figure]:
    """Errors of one file, overall and by group."""
    points = read_points(path)
    answers = answer_points(points)
    found = errors(points, answers)
    refused = sum(bool(answer.refused) for answer in answers)
    yield Figure(what=path.stem, figure=shown(found), beside=f"{len(points):,} rows, {refused} refused")
    for label, of in GROUPS.items() if groups else ():
        names = np.array([of(point) for point in points])
        for group in np.unique(names):
            among = found[names == group]
            yield Figure(what=f"- {label} {group}", figure=shown(among), beside=f"{len(among):,} rows")


def unseen() -> Iterator[Figure]:
    """Errors on models left out of the fit, as the constants file keeps them."""
    for each in serving_classes().values():
        kept = each.throughput
        yield Figure(
            what=f"{each.name}, unseen models",
            figure=f"median {kept.median_error_frac:.1%}, p90 {kept.p90_error_frac:.1%}",
            target="12% and 35%" if each.name == "offline" else "",
            beside=f"band x {kept.low_factor:.2f} to {kept.high_factor:.2f} held {kept.coverage_frac:.0%}",
        )


def shown(found: np.ndarray) -> str:
    """Median and 90th percentile as text."""
    return f"median {np.median(found):.1%}, p90 {np.quantile(found, 0.9):.1%}"


def speed() -> Figure:
    """One capacity question over every model, GPU, precision and width."""
    models, gpus, precisions = list(open_models().values()), list(accelerators().values()), gpu_precisions()
    shape = (len(models), len(gpus), len(precisions), 4)
    model, gpu, precision, width = (axis.ravel() for axis in np.indices(shape))
    request = RequestShape(
        mean_input_tokens=1_155, mean_output_tokens=211, percentile_input_tokens=3_400, longest_request_tokens=8_000
    )
    on = {"model": model, "accelerator": gpu, "precision": precision, "tensor_parallel": 2**width}
    runs = timed(lambda: replica_capacity(models, gpus, precisions, **on, request=request, slo=Slo()))
    each_s = median_s(runs) / len(model)
    floor_s = median_s(timed(lambda: np.exp(model * 1e-9) + gpu / 7.0))
    return Figure(
        what=f"capacity of {len(model):,} replicas",
        figure=f"{milliseconds(median_s(runs))} CPU",
        beside=f"{milliseconds(each_s)} each; floor, one exponential and one division each: {milliseconds(floor_s)}",
    )


def main() -> None:
    """Print errors and speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, default=SHARED / "data/perf", help="folder of the measured rows")
    parser.add_argument("--groups", action="store_true", help="errors by model, GPU, engine and precision too")
    asked = parser.parse_args()
    files = [asked.data / name for name in ("offline_max_throughput_dev.csv", "closed_loop_dev.csv")]
    seen = [figure for path in files if path.exists() for figure in measured(path, asked.groups)]
    report("Capacity", [*seen, *unseen(), speed()])


if __name__ == "__main__":
    main()
