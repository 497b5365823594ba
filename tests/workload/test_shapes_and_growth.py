"""Daily shapes and growth."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import WorkloadError
from breakeven.workload.growth import requests_per_day_in_month
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.shapes import daily_shape, named_shapes
from conftest import REPOSITORY


def test_named_shapes_are_whole_days_with_a_source() -> None:
    for shape in named_shapes().values():
        assert len(shape.hourly_shape) == 24
        assert sum(shape.hourly_shape) == pytest.approx(1)
        assert shape.source
    assert named_shapes()["flat"].peak_to_mean_frac == pytest.approx(1)


def test_the_consumer_shape_is_the_measured_one(shared_data: Path) -> None:
    rows = np.loadtxt(
        shared_data / "traces" / "servegen_rate_10min.csv",
        delimiter=",",
        skiprows=1,
        dtype=[("p", "U20"), ("t", float), ("r", float)],
    )
    pool = rows[rows["p"] == "m-small"]
    hours = (pool["t"] // 3_600 % 24).astype(int)
    means = np.array([pool["r"][hours == hour].mean() for hour in range(24)])
    assert named_shapes()["consumer"].hourly_shape == pytest.approx(means / means.sum(), abs=0.0001)


@given(st.lists(st.floats(0, 1e12), min_size=24, max_size=24).filter(lambda hours: max(hours) > 0))
def test_24_numbers_become_shares_in_proportion(hours: list[float]) -> None:
    shape = daily_shape(hours, where="test").hourly_shape
    assert sum(shape) == pytest.approx(1)
    assert shape[hours.index(max(hours))] == max(shape)


@given(st.lists(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()), max_size=30))
def test_any_list_is_a_shape_or_refused(hours: list[object]) -> None:
    with contextlib.suppress(WorkloadError):
        assert sum(daily_shape(hours, where="test").hourly_shape) == pytest.approx(1)


def test_growth_compounds() -> None:
    example = REPOSITORY / "examples" / "chat.toml"
    growing = load_workload(example, WorkloadOverrides(requests_per_day=1_000, growth_per_month_frac=0.1))
    assert [requests_per_day_in_month(growing, month) for month in (0, 1, 2, 12)] == [1_000, 1_100, 1_210, 3_138]
    shrinking = load_workload(example, WorkloadOverrides(requests_per_day=2, growth_per_month_frac=-0.9))
    assert requests_per_day_in_month(shrinking, 6) == 1
