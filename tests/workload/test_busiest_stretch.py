"""The busiest stretch is the trace's own requests around its busiest minute, at the share of its traffic asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from breakeven.workload.busiest_stretch import FEWEST, MOST_COUNTED, MOST_LEAD_IN, BusiestStretch
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.trace import Trace
from breakeven.workload.trace_scaling import recorded_peak_requests_per_s, workload_of_trace


def trace(hours: float = 4.0, busy_at_h: float = 2.5, rows: int = 20_000) -> Trace:
    """Even traffic, with a quarter of the requests in ten minutes around ``busy_at_h``."""
    draw = np.random.default_rng(5)
    even = draw.uniform(0, hours * 3_600, rows * 3 // 4)
    busy = busy_at_h * 3_600 + draw.normal(0, 150, rows - len(even))
    arrivals_s = np.sort(np.concatenate([even, busy]))
    return Trace(
        name="busy",
        format_name="test",
        arrivals_s=arrivals_s - arrivals_s[0],
        input_tokens=np.arange(rows),
        output_tokens=draw.integers(1, 300, rows),
    )


def test_the_trace_itself_is_the_stretch_at_its_own_share() -> None:
    recorded = trace()
    stretch = BusiestStretch(recorded).at_share(1.0)
    rows = stretch.input_tokens  # the rows' numbers
    assert (np.diff(rows) == 1).all()
    assert np.diff(stretch.arrivals_s) == pytest.approx(np.diff(recorded.arrivals_s[rows]))
    assert stretch.counted == MOST_COUNTED
    assert stretch.first_counted == MOST_LEAD_IN
    middle_s = recorded.arrivals_s[rows[stretch.first_counted :]].mean()
    assert abs(middle_s - 2.5 * 3_600) < 300


def test_twice_the_traffic_has_half_the_gaps() -> None:
    once, twice = (BusiestStretch(trace()).at_share(share) for share in (1.0, 2.0))
    assert np.diff(twice.arrivals_s) == pytest.approx(np.diff(once.arrivals_s) / 2)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_a_smaller_share_draws_requests_and_leaves_their_times(share: float) -> None:
    recorded = trace()
    stretch = BusiestStretch(recorded).at_share(share)
    rows = stretch.input_tokens
    assert np.diff(stretch.arrivals_s) == pytest.approx(np.diff(recorded.arrivals_s[rows]))
    assert len(rows) / (rows[-1] - rows[0]) == pytest.approx(share, rel=0.25)
    again = BusiestStretch(recorded).at_share(share)
    assert (again.input_tokens == rows).all()


def test_a_tiny_share_keeps_enough_requests_at_the_rate_asked_for() -> None:
    recorded = trace()
    stretch = BusiestStretch(recorded).at_share(0.001)
    assert stretch.counted >= FEWEST / 2
    near = BusiestStretch(recorded).at_share(1.0)
    rates = [len(s.arrivals_s) / s.arrivals_s[-1] for s in (stretch, near)]
    assert rates[0] < rates[1] * 0.002


def test_a_plan_with_nothing_stated_has_the_peak_that_was_recorded() -> None:
    for recorded in (trace(hours=50, busy_at_h=30), replace(trace(hours=0.9, busy_at_h=0.5))):
        stated = WorkloadOverrides() if recorded.span_s > 86_400 else WorkloadOverrides(hourly_shape="flat")
        planned = workload_of_trace(recorded, stated)
        assert recorded_peak_requests_per_s(recorded) == pytest.approx(planned.peak_requests_per_s, rel=0.01)


def test_requests_within_seconds_stand_for_the_busiest_minute() -> None:
    short = replace(trace(rows=40), arrivals_s=np.linspace(0, 20, 40))
    assert recorded_peak_requests_per_s(short) == pytest.approx(40 / (20 * 40 / 39))
