"""How much a few measurements of a deployment improve the model, on published runs.

Run from the repository root: ``python scripts/calibration_gain.py [--data FOLDER] [--repeats 20]``. The constants are
fitted without the deployment's model, as a user's model is unseen. Then 0, 1, 2, 3 and 5 rows of each deployment (of a
device 0, 1 and 2) are drawn at random, a correction is made of them, and its error is measured on the deployment's
other rows. For devices the constants are fitted without the device. Medians and 90th percentiles of
|modelled / measured - 1| are printed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fit_serving_constants import fitted_classes

from breakeven.serving import edge_fitting
from breakeven.serving.calibration import band, shrunk
from breakeven.serving.constants import Spread, serving_classes
from breakeven.serving.edge_constants import edge_fit
from breakeven.serving.edge_points import read_edge_points

ROOT = Path(__file__).resolve().parent.parent
POINTS = (0, 1, 2, 3, 5)
DEVICE_POINTS = (0, 1, 2)
Errors = dict[str, list[np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """log(modelled / measured) time of rows whose model or device was left out of the fit, and their deployments."""

    name: str
    groups: np.ndarray
    tpot: np.ndarray
    tpot_spread: Spread
    draws: tuple[int, ...] = POINTS
    ttft: np.ndarray | None = None
    ttft_spread: Spread | None = None


def unseen(folder: Path) -> Iterator[Unseen]:
    """All classes of deployments, and devices."""
    for fitted in fitted_classes(folder):
        shipped = serving_classes()[fitted.name]
        by_model = fitted.by_model
        # A throughput that is too high is a time that is too short.
        tpot = -by_model.throughput if by_model.tpot is None else by_model.tpot
        yield Unseen(
            name=fitted.name,
            groups=fitted.rows.deployment_names,
            tpot=tpot,
            tpot_spread=shipped.tpot_spread,
            ttft=by_model.ttft,
            ttft_spread=shipped.ttft_spread,
        )
    rows = edge_fitting.measured_edge(read_edge_points(folder / "edge_tokens_per_s_dev.csv"))
    devices = np.array([point.device for point in rows.points])
    yield Unseen(
        name="edge",
        groups=devices,
        tpot=-edge_fitting.leave_one_device_out(rows),
        tpot_spread=edge_fit().spread,
        draws=DEVICE_POINTS,
    )


def gains(rows: Unseen, points: int, repeats: int) -> dict[str, np.ndarray]:
    """log(corrected / measured) time on rows beside those that were drawn, all deployments together."""
    rng = np.random.default_rng(2026)
    quantities = [("tpot", rows.tpot, rows.tpot_spread)]
    if rows.ttft is not None and rows.ttft_spread is not None:
        quantities.append(("ttft", rows.ttft, rows.ttft_spread))
    found: Errors = {name: [] for name, _, _ in quantities}
    for group in np.unique(rows.groups):
        members = np.flatnonzero(rows.groups == group)
        # The same deployments in every line of the table: those with rows to spare after the largest draw.
        if len(members) <= max(rows.draws):
            continue
        for _ in range(repeats):
            order = rng.permutation(members)
            drawn, others = order[:points], order[max(rows.draws) :]
            for name, errors, spread in quantities:
                found[name].append(errors[others] + shrunk(-errors[drawn], spread))
    return {name: np.concatenate(each) for name, each in found.items()}


def lines(rows: Unseen, repeats: int) -> Iterator[str]:
    """One line a number of points."""
    yield f"{rows.name}: deployments with more than {max(rows.draws)} rows, model or device unseen"
    for points in rows.draws:
        found = gains(rows, points, repeats)
        low, high = np.log(band(rows.tpot_spread, points))
        held = np.mean((found["tpot"] >= low) & (found["tpot"] <= high))
        shown = "  ".join(f"{name} {text(errors)}" for name, errors in found.items())
        yield f"  {points} points  {shown}" + (f"  80% band held {held:.0%}" if points else "")


def text(errors: Sequence[float] | np.ndarray) -> str:
    """Median and 90th percentile."""
    share = np.abs(np.exp(np.asarray(errors)) - 1)
    return f"{np.median(share):6.1%} / {np.quantile(share, 0.9):6.1%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    shared = Path(os.environ.get("BREAKEVEN_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "perf", help="folder of the measured rows")
    parser.add_argument("--repeats", type=int, default=20, help="random draws a deployment")
    options = parser.parse_args()
    for rows in unseen(options.data):
        print("\n".join(lines(rows, options.repeats)))


if __name__ == "__main__":
    main()
