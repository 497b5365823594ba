"""A trace becomes one average day, and says how."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from breakeven.errors import TraceError, WorkloadError
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.shapes import named_shapes
from breakeven.workload.trace_scaling import workload_from_columns
from breakeven.workload.workload import Workload

HOUR, DAY = 3_600, 86_400
MONDAY = 1_704_067_200  # midnight, UTC


def workload(stamps: NDArray[np.float64] | list[float], overrides: WorkloadOverrides | None = None) -> Workload:
    return workload_from_columns("t", stamps, [10] * len(stamps), [5] * len(stamps), overrides)


def stated(found: Workload, name: str) -> tuple[object, str, str]:
    return next((row.value, row.basis, row.source) for row in found.assumptions if row.name == name)


def test_an_hour_of_azure_says_how_it_was_scaled(shared_data: Path) -> None:
    found = load_workload(shared_data / "traces" / "azure_llm_2023_conv.csv")
    assert found.requests_per_day == round(19_365 / 3_501.721937 * DAY)
    assert found.burst_frac == pytest.approx(1.52, abs=0.005)  # the research's figure for this trace
    assert found.hourly_shape == named_shapes()["consumer"].hourly_shape
    value, basis, source = stated(found, "requests_per_day")
    assert (value, basis) == (found.requests_per_day, "assumed")
    assert "19,366 rows in 58.4 min" in source
    assert "mean rate of every day of a month" in source
    value, basis, source = stated(found, "hourly_shape")
    assert basis == "assumed"
    assert "less than a day" in source
    assert stated(found, "burst_frac")[1] == "measured"
    assert stated(found, "min_quality") == ("good", "assumed", "default")


def test_mooncake_tells_its_prefix_reuse(shared_data: Path) -> None:
    path = shared_data / "traces" / "mooncake_conversation.jsonl"
    found = load_workload(path)
    assert found.prefix_reuse_frac == pytest.approx(0.374, abs=0.0005)
    assert stated(found, "prefix_reuse_frac")[1] == "measured"
    with pytest.raises(WorkloadError, match="shared_prefix_tokens beside a trace"):
        load_workload(path, WorkloadOverrides(shared_prefix_tokens=10))


def test_whole_days_give_volume_and_shape() -> None:
    hours = [1.0] * 12 + [3.0] * 12
    stamps = [
        MONDAY + day * DAY + hour * HOUR + place * HOUR / (20 * weight)
        for day in range(3)
        for hour, weight in enumerate(hours)
        for place in range(int(20 * weight))
    ]
    found = workload(stamps)
    assert found.requests_per_day == 960
    assert found.hourly_shape == pytest.approx(np.array(hours) / sum(hours))
    assert stated(found, "hourly_shape")[1] == "measured"
    assert stated(found, "requests_per_day")[1] == "measured"


def test_a_rest_of_a_day_does_not_weigh_on_the_shape() -> None:
    whole = [MONDAY + minute * 60.0 for minute in range(2 * DAY // 60)]
    rest = [MONDAY + 2 * DAY + second * 1.0 for second in range(HOUR)]
    found = workload(whole + rest)
    assert found.requests_per_day == 1_440
    assert found.hourly_shape == pytest.approx((1 / 24,) * 24)


def test_hours_are_those_of_the_traces_own_clock(tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02d}T{hour:02d}:30:00+05:30,1,1" for day in (1, 2) for hour in range(24)]
    rows += ["2024-01-01T09:31:00+05:30,1,1", "2024-01-02T09:31:00+05:30,1,1"]
    path = tmp_path / "log.csv"
    path.write_text("time,input_tokens,output_tokens\n" + "\n".join(rows), encoding="utf-8")
    found = load_workload(path)
    assert found.hourly_shape.index(max(found.hourly_shape)) == 9
    assert "UTC+05:30" in stated(found, "hourly_shape")[2]


def test_an_export_of_one_day_counts_as_a_day() -> None:
    found = workload([MONDAY + 120.0 * place for place in range(5, 710)])
    assert stated(found, "hourly_shape")[1] == "measured"
    assert found.requests_per_day == 720


@given(st.integers(2, 400), st.floats(0.5, 200))
def test_evenly_spaced_requests_scale_exactly(rows: int, gap_s: float) -> None:
    if rows * gap_s < 20 * HOUR:
        found = workload([MONDAY + gap_s * place for place in range(rows)])
        assert found.requests_per_day == pytest.approx(DAY / gap_s, abs=1)


@given(st.lists(st.floats(0, 3 * DAY), min_size=2, max_size=300, unique=True), st.randoms(use_true_random=False))
def test_a_trace_gives_a_sound_workload_in_any_order(stamps: list[float], random: object) -> None:
    shuffled = sorted(stamps, key=lambda _: random.random())  # type: ignore[attr-defined]
    try:
        found = workload([MONDAY + stamp for stamp in stamps])
    except TraceError as refused:
        assert "requests a day" in refused.message or "no rate" in refused.message  # noqa: PT017
        return
    assert sum(found.hourly_shape) == pytest.approx(1)
    assert found.burst_frac >= 1
    assert math.isfinite(found.peak_requests_per_s)
    again = workload([MONDAY + stamp for stamp in shuffled])
    assert (again.requests_per_day, again.hourly_shape, again.burst_frac) == (
        found.requests_per_day,
        found.hourly_shape,
        found.burst_frac,
    )


def test_the_burst_is_the_busiest_minute_over_its_hour() -> None:
    even = [float(MONDAY + 6 * place) for place in range(600)]
    assert workload(even).burst_frac == pytest.approx(1)
    doubled = sorted(even + [stamp + 1 for stamp in even[100:110]])  # one minute of 60 with twice the requests
    assert workload(doubled).burst_frac == pytest.approx(20 / (610 / 60), rel=0.001)  # the last minute is cut


def test_less_than_a_minute_has_no_burst_of_its_own() -> None:
    found = workload([MONDAY + second for second in (0.0, 1.0, 2.0)])
    assert found.burst_frac == 1.52
    assert stated(found, "burst_frac")[1] == "assumed"


def test_overrides_win_over_the_trace() -> None:
    found = workload(
        [MONDAY, MONDAY + 10.0], WorkloadOverrides(requests_per_day=50, hourly_shape="flat", burst_frac=2.5)
    )
    assert (found.requests_per_day, found.burst_frac) == (50, 2.5)
    assert found.peak_to_mean_frac == pytest.approx(2.5)
    assert stated(found, "requests_per_day")[1] == "quoted"


def test_one_request_needs_a_stated_volume() -> None:
    with pytest.raises(TraceError, match="shows no rate"):
        workload([5.0])
    assert workload([5.0], WorkloadOverrides(requests_per_day=9)).requests_per_day == 9


@pytest.mark.parametrize(
    ("stamps", "inputs", "outputs"), [([], [], []), ([1.0], [1, 2], [1]), ([math.nan], [1], [1]), ([1.0], [-1], [1])]
)
def test_wrong_columns_are_refused(stamps: list[float], inputs: list[int], outputs: list[int]) -> None:
    with pytest.raises(TraceError):
        workload_from_columns("t", stamps, inputs, outputs)
