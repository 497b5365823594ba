"""Fleets have as many replicas as the recorded arrivals need in a replay: enough, and not one more."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import astuple, replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.open_models import open_model
from breakeven.options.gpu_fleet import MISSED_IN_REPLAY, GpuFleets
from breakeven.options.gpu_grid import GpuGrid, gpu_grid
from breakeven.options.replay_sizing import FleetSizer, Sized, deployment_file, fewest, fleet_sizer
from breakeven.serving.compiled import is_compiled
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import simulate
from breakeven.workload.busiest_stretch import BusiestStretch
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.trace import Trace
from breakeven.workload.trace_scaling import recorded_peak_requests_per_s, workload_of_trace
from breakeven.workload.workload import Workload

MODELS = (open_model("Llama-3.1-8B"),)
GPUS = ("L4", "A10G", "L40S", "H100")


def trace(requests_per_s: float = 6.0, clumped_s: float = 0.0) -> Trace:
    """Half an hour of Poisson arrivals, of which a third come in clumps where ``clumped_s`` is their spread."""
    draw = np.random.default_rng(11)
    rows = int(requests_per_s * 1_800)
    arrivals_s = draw.uniform(0, 1_800, rows)
    if clumped_s:
        clumps = draw.uniform(60, 1_700, 12)
        arrivals_s[: rows // 3] = draw.choice(clumps, rows // 3) + draw.exponential(clumped_s, rows // 3)
    arrivals_s = np.sort(arrivals_s)
    return Trace(
        name="poisson",
        format_name="test",
        arrivals_s=arrivals_s - arrivals_s[0],
        input_tokens=draw.integers(200, 1_400, rows),
        output_tokens=draw.integers(50, 350, rows),
    )


def planned(recorded: Trace, **stated: object) -> Workload:
    return workload_of_trace(recorded, WorkloadOverrides(hourly_shape="flat", min_quality="basic", **stated))  # type: ignore[arg-type]


def replicas_of(grid: GpuGrid) -> list[int]:
    """One replica of the model on each GPU that can serve, at 8 bits on one GPU."""
    chosen = [
        replica
        for replica in np.flatnonzero((grid.capacity.refusal_code == 0) & (grid.replica_tensor_parallel == 1)).tolist()
        if grid.deployment(replica).accelerator in GPUS and grid.deployment(replica).precision == "int8"
    ]
    assert len(chosen) >= 3
    return chosen


def sizer_of(workload: Workload) -> FleetSizer:
    sizer = fleet_sizer(workload)
    assert sizer is not None
    return sizer


def meets_in_full(workload: Workload, grid: GpuGrid, replica: int, replicas: int) -> bool:
    """Whether a fleet meets the requirement, by a replay of the busiest stretch through all of it."""
    assert workload.trace is not None
    slo = workload.requirements.slo
    share = workload.peak_requests_per_s / recorded_peak_requests_per_s(workload.trace)
    stretch = BusiestStretch(workload.trace).at_share(share)
    engine = deployment_file(grid, replica, slo).engine(workload.mean_input_tokens + workload.mean_output_tokens)
    columns = stretch.arrivals_s, stretch.input_tokens, stretch.output_tokens
    result = simulate(*columns, engine, Fleet(replicas=replicas), keep_requests=True)
    tpot_s = (result.e2e_s - result.ttft_s) / (stretch.output_tokens - 1)
    return all(
        np.mean(seconds[stretch.first_counted :] <= limit) * 100 >= slo.percentile
        for seconds, limit in ((result.ttft_s, slo.ttft_s), (tpot_s, slo.tpot_s))
    )


@pytest.mark.parametrize("clumped_s", [0.0, 20.0])
@pytest.mark.parametrize("volume", [40_000, 300_000])
def test_a_fleet_meets_the_requirement_and_one_replica_fewer_does_not(clumped_s: float, volume: int) -> None:
    workload = planned(trace(clumped_s=clumped_s), requests_per_day=volume)
    grid = gpu_grid(workload, billing="hour", models=MODELS)
    few = 0
    for replica in replicas_of(grid):
        sizer = sizer_of(workload)
        deployed = sizer.deployed(grid, replica)
        sized = sizer.size(deployed)
        if sized.replicas <= deployed.pooled:
            few += 1
            assert meets_in_full(workload, grid, replica, sized.replicas)
            assert sized.replicas == 1 or not meets_in_full(workload, grid, replica, sized.replicas - 1)
        assert 0 < sized.ttft_s <= workload.requirements.slo.ttft_s
        assert 0 < sized.tpot_s <= workload.requirements.slo.tpot_s
    assert few >= 2


def test_the_formula_and_the_replay_agree_within_one_replica_on_poisson_arrivals() -> None:
    workload = planned(trace(), requests_per_day=300_000)
    grid = gpu_grid(workload, billing="hour", models=MODELS)
    for replica in replicas_of(grid):
        formula = ceil(workload.peak_requests_per_s / float(grid.capacity.requests_per_s[replica]))
        sizer = sizer_of(workload)
        assert abs(sizer.size(sizer.deployed(grid, replica)).replicas - formula) <= max(1, formula // 5)


def test_clumps_need_more_replicas_than_poisson_arrivals_of_the_same_peak() -> None:
    even, clumped = (planned(trace(clumped_s=clump), requests_per_day=300_000) for clump in (0.0, 5.0))
    clumped = replace(clumped, burst_frac=even.burst_frac * 3)
    even = replace(even, burst_frac=even.burst_frac * 3)
    counts = []
    for workload in (even, clumped):
        grid = gpu_grid(workload, billing="hour", models=MODELS)
        sizer = sizer_of(workload)
        counts.append([sizer.size(sizer.deployed(grid, replica)).replicas for replica in replicas_of(grid)])
    assert sum(counts[1]) > sum(counts[0])


def test_what_a_replica_of_a_large_fleet_carries_depends_neither_on_the_volume_nor_on_what_was_sized_before() -> None:
    recorded = trace()
    carried = []
    for volume in (1_000, 300_000, 50_000_000):
        workload = planned(recorded, requests_per_day=volume)
        grid = gpu_grid(workload, billing="hour", models=MODELS)
        sizer = sizer_of(workload)
        if volume == 1_000:
            for replica in replicas_of(grid)[::-1]:
                sizer.size(sizer.deployed(grid, replica))
        carried.append([sizer.carry(sizer.deployed(grid, replica)).requests_per_s for replica in replicas_of(grid)])
    assert carried[0] == carried[1] == carried[2]


def test_headroom_is_planned_for_where_it_is_stated() -> None:
    counts = []
    for stated in ({}, {"peak_load_frac": 0.8}, {"peak_load_frac": 0.25}):
        workload = planned(trace(), requests_per_day=50_000_000, **stated)
        grid = gpu_grid(workload, billing="hour", models=MODELS)
        sizer = sizer_of(workload)
        counts.append(sizer.size(sizer.deployed(grid, replicas_of(grid)[0])).replicas)
    assert counts[1] / counts[0] == pytest.approx(1 / 0.8, rel=0.03)
    assert counts[2] / counts[0] == pytest.approx(4, rel=0.03)


def answers() -> str:
    """Sizes of all deployments, in full precision."""
    workload = planned(trace(clumped_s=20.0), requests_per_day=300_000)
    grid = gpu_grid(workload, billing="hour", models=MODELS)
    sizer = sizer_of(workload)
    found = [sizer.carry(sizer.deployed(grid, replica)) for replica in replicas_of(grid)]
    return repr([astuple(sized) for sized in found])


@pytest.mark.skipif(not is_compiled(), reason="numba is not installed: there is one way only")
def test_plain_python_gives_the_same_sizes_as_compiled_code() -> None:
    code = "import test_replay_sizing as t; print(t.answers())"
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert plain.stdout.strip() == answers()


@given(st.integers(1, 200), st.integers(1, 220), st.integers(1, 200), st.sampled_from([1, 8]))
def test_the_fewest_are_found_from_any_guess(most: int, threshold: int, guess: int, step: int) -> None:
    asked = []

    def meets(count: int) -> bool:
        asked.append(count)
        assert 1 <= count <= most
        return count >= threshold

    found = fewest(meets, min(guess, most), most, step)
    assert found == (threshold if threshold <= most else None)
    assert found is None or (found in asked and (found == 1 or found - 1 in asked))
    assert len(asked) <= 2 * most.bit_length() + step


@pytest.mark.parametrize("billing", ["hour", "second"])
@pytest.mark.parametrize("volume", [7_000, 300_000, 50_000_000])
def test_sized_rows_buy_what_the_replay_says_and_cost_the_same_everywhere(billing: str, volume: int) -> None:
    workload = planned(trace(), requests_per_day=volume)
    formula = GpuFleets.of(workload, billing=billing, models=MODELS, named=True, sizer=fleet_sizer(workload))
    admitted = np.flatnonzero(formula.refusal == 0)
    rows = admitted[:: max(1, len(admitted) // 6)].tolist()
    sized = formula.replayed(rows, carrying=True)
    usd = sized.columns.usd_per_month(volume)
    for row in rows:
        found, option, curve = sized.sized(row), sized.option(row), sized.curve(row)
        assert found is not None
        assert "sized by replay of" in option.note
        assert any("sized by replay of" in line.source for line in option.statement.lines)
        assert float(curve.usd_per_month(volume)) == pytest.approx(usd[row], rel=1e-12)
        assert float(option.usd_per_month) == pytest.approx(usd[row], rel=1e-9)
        held = int(option.note.partition(" to an instance")[0].rpartition(" ")[2])
        assert max(-(-volume // capacity) for capacity in curve.unit_requests_per_day) == -(-found.replicas // held)
    others = [row for row in admitted.tolist() if sized.sized(row) is None]
    before, after = (table.columns.unit_requests_per_day[others] for table in (formula, sized))
    assert (after <= before).all()
    assert after == pytest.approx(before * sized.replay_factor, rel=1e-3, abs=1)
    assert not others or "sized by formula" in sized.option(others[0]).note


def test_a_deployment_that_misses_in_every_replay_is_refused() -> None:
    workload = planned(trace(), requests_per_day=300_000)
    grid = gpu_grid(workload, billing="hour", models=MODELS)
    row = int(np.flatnonzero(GpuFleets(workload, grid, billing="hour", named=True).refusal == 0)[0])
    missed = Sized(replicas=0, requests_per_s=0.0, requests=2_000, ttft_s=9.0, tpot_s=0.01)
    name = grid.deployment(int(grid.replica[row]))
    table = GpuFleets(workload, grid, billing="hour", named=True, sizes={name: missed})
    code = int(table.refusal[row])
    assert table.refusal_reasons[code - 1] == MISSED_IN_REPLAY
    assert not table.has_cost(code)


def test_arrivals_that_tell_no_rate_leave_the_formula() -> None:
    workload = planned(trace(), requests_per_day=1_000)
    assert fleet_sizer(replace(workload, trace=None)) is None
    at_once = replace(trace(), arrivals_s=np.zeros(trace().rows))
    assert fleet_sizer(planned(at_once, requests_per_day=1_000)) is None
