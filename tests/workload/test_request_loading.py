"""Requests of a workload file without a trace follow its hours and its tokens, always the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from breakeven.errors import WorkloadError
from breakeven.workload.loading import load_workload
from breakeven.workload.request_loading import made_up_day
from breakeven.workload.synthetic_arrivals import gamma_arrivals_s, gap_variation, poisson_arrivals_s
from breakeven.workload.workload import Workload


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    path = tmp_path / "w.toml"
    path.write_text(
        "[workload]\nrequests_per_day = 40_000\ninput_tokens = { p50 = 800, p90 = 2_000 }\n"
        'output_tokens = { p50 = 100, p90 = 400 }\nhourly_shape = "office"\n'
    )
    return load_workload(path)


def test_a_day_follows_the_hours(workload: Workload) -> None:
    day = made_up_day(workload)
    assert day.rows == 40_000
    assert day.starts_at_clock_s is not None
    clock = day.arrivals_s + day.starts_at_clock_s
    shares = np.bincount((clock // 3_600).astype(int), minlength=24) / day.rows
    assert shares == pytest.approx(np.array(workload.hourly_shape), abs=0.006)
    assert day.input_tokens.mean() == pytest.approx(workload.mean_input_tokens, rel=0.03)
    assert (np.diff(day.arrivals_s) >= 0).all()


def test_the_same_day_each_time(workload: Workload) -> None:
    assert made_up_day(workload).arrivals_s.tobytes() == made_up_day(workload).arrivals_s.tobytes()


def test_a_day_that_no_memory_holds_is_refused(workload: Workload) -> None:
    with pytest.raises(WorkloadError):
        made_up_day(replace(workload, requests_per_day=10**9))


@pytest.mark.parametrize("variation", [0.5, 1.0, 3.0])
def test_gamma_gaps_vary_as_stated(variation: float) -> None:
    times = gamma_arrivals_s(50_000, 1_000.0, variation)
    assert gap_variation(times) == pytest.approx(variation, rel=0.05)
    assert times[-1] == pytest.approx(1_000)


def test_poisson_gaps_have_variation_one() -> None:
    assert gap_variation(poisson_arrivals_s(50_000, 1_000.0)) == pytest.approx(1, rel=0.03)
    assert gap_variation(np.zeros(1)) == 1.0
