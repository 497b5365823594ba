"""All volumes at which the cheapest option changes: the exact solver against a scan of volumes.

The scan is as kind to itself as can be: it is told which options win anywhere, compares only those, in float64, at a
million volumes, and misses what lies between them; its time is extrapolated to every volume from 1 to 10^9, which is
what the solver answers for. Curves of nearly one slope are made to cross as often as they can; the catalogue is solved
for token shapes far apart. "Wrong" counts the volumes, at the ends of pieces and between, where any curve is cheaper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
from measure import Figure, least_s, median_s, milliseconds, report, timed
from traces import trace_path

from breakeven.catalog.hosted import hosted_cards
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.options.curve import CostCurve
from breakeven.options.edge import EdgeDevices
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.options.hosted_api import HostedApis
from breakeven.options.option import Candidates
from breakeven.plan.breakeven import MAX_REQUESTS_PER_DAY, Curves, ExactCurves, Pieces, cheapest_pieces
from breakeven.plan.market import Contenders, Market
from breakeven.workload.loading import load_workload
from breakeven.workload.workload import Requirements, Slo, Workload

SCANNED = 1_000_000
CHECKED = 2_000
TOKEN_SHAPES = ((800, 400), (8_000, 50), (100, 2_000), (20, 20))
PATIENT = Requirements(min_quality="basic", slo=Slo(ttft_s=60, tpot_s=1))


@dataclass(frozen=True, slots=True)
class Case:
    """A name and the curves to compare."""

    name: str
    curves: Curves


def stairs(count: int) -> tuple[CostCurve, ...]:
    """Fleets of units with capacities next to each other and prices in proportion: they overtake at every step."""
    return tuple(
        CostCurve(unit_usd_per_month=Fraction(10_007 + index), unit_requests_per_day=(1_009 + index,))
        for index in range(count)
    )


def market(workload: Workload, tables: list[Candidates]) -> Contenders:
    """What the plan solves for these tables."""
    return Contenders(Market(tables, workload.requests_per_day))


def whole(workload: Workload) -> Contenders:
    """The whole catalogue."""
    cards = hosted_cards(datetime.now(UTC).date())
    return market(workload, [HostedApis(workload, cards), *fleets(workload), EdgeDevices(workload)])


def fleets(workload: Workload, models: tuple[OpenModel, ...] | None = None) -> list[Candidates]:
    """Rented GPUs, by the month and by the hour in which they are up; some models, whatever their quality, or all."""
    return [
        GpuFleets.of(workload, billing=billing, models=models, named=models is not None)
        for billing in ("hour", "second")
    ]


def cases() -> Iterator[Case]:
    """From two curves to the whole catalogue."""
    line = CostCurve(usd_per_month_per_daily_request=Fraction(10_007, 1_009) + Fraction(1, 10**7))
    yield Case("a line along a stair", ExactCurves((line, *stairs(1))))
    yield Case("2 stairs of one slope", ExactCurves(stairs(2)))
    yield Case("20 stairs of nearly one slope", ExactCurves(stairs(20)))
    real = load_workload(trace_path())
    yield Case("catalogue, Azure trace", whole(real))
    for taken, given in TOKEN_SHAPES:
        yield Case(f"catalogue, {taken:,} in / {given:,} out", whole(shaped(real, taken, given)))
    patient = replace(real, requirements=PATIENT)
    large, small = ((open_model(name),) for name in ("Llama-3.1-70B", "Gemma-3-1b"))
    yield Case("a 70B model on every GPU", market(patient, fleets(patient, large)))
    yield Case("a 70B model on edge devices", market(patient, [EdgeDevices(patient, models=large, named=True)]))
    yield Case("a 1B model, serverless by the hour", market(patient, fleets(patient, small)[1:]))


def shaped(workload: Workload, input_tokens: int, output_tokens: int) -> Workload:
    """The workload with every request of one size."""
    return replace(workload, input_tokens=np.array([input_tokens]), output_tokens=np.array([output_tokens]))


def scan(curves: Curves, winners: np.ndarray, volumes: np.ndarray) -> np.ndarray:
    """The cheapest of the winning curves at each volume, by evaluating them all."""
    exact = [curves.exact(row) for row in winners.tolist()]
    best, best_usd = np.zeros(len(volumes), dtype=np.int64), np.full(len(volumes), np.inf)
    for row, curve in zip(winners.tolist(), exact, strict=True):
        units = sum((-(-volumes // capacity) for capacity in curve.unit_requests_per_day), np.zeros_like(volumes))
        if pooled := curve.pooled_requests_per_day:
            units = np.where(volumes <= pooled[-1], np.searchsorted(pooled, volumes) + 1, units)
        usd = (
            float(curve.fixed_usd_per_month)
            + float(curve.usd_per_month_per_daily_request) * volumes
            + float(curve.unit_usd_per_month) * np.maximum(units, curve.min_units)
        )
        better = usd < best_usd
        best[better], best_usd[better] = row, usd[better]
    return best


def wrong(curves: Curves, pieces: Pieces) -> int:
    """At how many of some volumes, at pieces' ends and between, an option of all costs less than the solver's."""
    random = np.random.default_rng(1)
    some = random.choice(len(pieces), min(CHECKED, len(pieces)), replace=False)
    volumes = np.unique(np.concatenate([pieces.firsts[some], pieces.lasts[some], random.integers(1, 10**9, CHECKED)]))
    missed = 0
    for volume in volumes[:: max(1, len(volumes) // CHECKED)].tolist():
        usd = curves.columns.usd_per_month(volume)
        missed += bool(usd[pieces.winner_at(volume)] > usd.min() * (1 + 1e-12))
    return missed


def measured(case: Case) -> Figure:
    """One row of the table."""
    pieces = cheapest_pieces(case.curves)
    solved = timed(lambda: cheapest_pieces(case.curves), repeats=3)
    volumes = np.linspace(1, MAX_REQUESTS_PER_DAY, SCANNED).astype(np.int64)
    winners = np.unique(pieces.winners)
    scanned_s = least_s(timed(lambda: scan(case.curves, winners, volumes), repeats=1))
    whole_s = scanned_s * MAX_REQUESTS_PER_DAY / SCANNED
    seen = int((np.diff(scan(case.curves, winners, volumes)) != 0).sum())
    return Figure(
        what=case.name,
        figure=f"{milliseconds(median_s(solved))} CPU",
        beside=f"{len(case.curves.columns):,} curves, {len(pieces) - 1:,} changes, {wrong(case.curves, pieces)} wrong; "
        f"scanning all volumes {whole_s:,.0f} s, {whole_s / least_s(solved):,.0f} x; 10^6 show {seen:,} changes",
    )


def main() -> None:
    """Print the figures."""
    report("The volumes at which the answer changes", [measured(case) for case in cases()])


if __name__ == "__main__":
    main()
