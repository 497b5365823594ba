"""The leading fleet, replayed: its hours make its dollars, and scaling to zero is never billed for more hours."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from breakeven import api
from breakeven.catalog.open_models import open_model
from breakeven.errors import InputError, NothingFits
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.options.gpu_grid import gpu_grid
from breakeven.plan.fleet_replay import FleetReplay, replay_leading_fleet
from breakeven.plan.plan import Plan
from breakeven.workload.trace import Trace
from breakeven.workload.workload import Requirements, Slo, Workload

MODELS = (open_model("Llama-3.1-8B"),)
ON_DEMAND = Requirements(min_quality="basic", max_commitment_months=0)


def trace(gap_h: float = 6.0, many: int = 60) -> Trace:
    """Two bursts of ten minutes, with a gap of hours between them."""
    draw = np.random.default_rng(3)
    burst_s = np.sort(draw.uniform(0, 600, many // 2))
    arrivals_s = np.concatenate([burst_s - burst_s[0], burst_s + gap_h * 3_600])
    return Trace(
        name="bursts",
        format_name="test",
        arrivals_s=arrivals_s,
        input_tokens=draw.integers(100, 900, many),
        output_tokens=draw.integers(20, 200, many),
    )


def workload(requests: Trace, **changes: object) -> Workload:
    asked = Workload(
        name=requests.name,
        requests_per_day=round(requests.requests_per_day),
        input_tokens=requests.input_tokens,
        output_tokens=requests.output_tokens,
        hourly_shape=(1 / 24,) * 24,
        requirements=ON_DEMAND,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def replayed(requests: Trace, **changes: object) -> FleetReplay:
    asked = workload(requests, **changes)
    return replay_leading_fleet(asked, gpu_grid(asked, billing="hour", models=MODELS), requests, named=True)


def test_dollars_are_hours_times_the_share_of_an_instance() -> None:
    found = replayed(trace())
    for way in found.ways:
        exact = way.replica_h_per_month * found.usd_per_instance_h / found.replicas_per_instance
        assert abs(way.usd_per_month - exact) <= Decimal("1E-9")
    assert found.usd_per_month_saved == found.fixed.usd_per_month - found.scaled_to_zero.usd_per_month
    assert found.fixed.replica_h_per_month == found.replicas * 730


@pytest.mark.parametrize("volume", [120, 400_000])
@pytest.mark.parametrize("months", [0, 12])
def test_the_fixed_fleet_costs_what_the_statement_says_of_its_instances(volume: int, months: int) -> None:
    requests = trace()
    changes = {"requests_per_day": volume, "requirements": replace(ON_DEMAND, max_commitment_months=months)}
    found, asked = replayed(requests, **changes), workload(requests, **changes)
    fleets = GpuFleets(asked, gpu_grid(asked, billing="hour", models=MODELS), billing="hour", named=True)
    row = next(row for row in range(len(fleets.refusal)) if fleets.label(row) == found.label)
    lines = [line for line in fleets.option(row).statement.lines if line.label.startswith("instance-hours")]
    assert abs(found.fixed.usd_per_month - sum(line.usd_per_month for line in lines)) <= Decimal("1E-9")


@pytest.mark.parametrize("gap_h", [0.2, 2.0, 20.0])
def test_scaling_to_zero_is_billed_for_no_more_hours_than_the_fixed_fleet(gap_h: float) -> None:
    found = replayed(trace(gap_h))
    hours = [way.replica_h_per_month for way in (found.scaled_to_zero, found.autoscaled, found.fixed)]
    assert hours == sorted(hours)


def test_a_long_gap_saves_most_of_the_bill_and_makes_the_first_wait_for_a_cold_start() -> None:
    found = replayed(trace(gap_h=20.0))
    assert found.usd_per_month_saved > found.fixed.usd_per_month * Decimal("0.9")
    assert found.scaled_to_zero.ttft_p99_s > 60 > found.fixed.ttft_p99_s
    assert found.scaled_to_zero.within_slo_frac < found.fixed.within_slo_frac
    assert found.scaled_to_zero.cold_starts == 2
    assert "20.5 hours of the trace, taken as the whole month" in found.notes


def test_what_scales_is_not_paid_at_the_price_of_a_commitment() -> None:
    found = replayed(trace(), requirements=replace(ON_DEMAND, max_commitment_months=36))
    assert "reserved" in found.label
    share = found.usd_per_instance_h / found.replicas_per_instance
    assert found.scaled_to_zero.usd_per_month > found.scaled_to_zero.replica_h_per_month * share
    assert any("a commitment is paid for whether it is used or not" in note for note in found.notes)


def test_another_volume_scales_the_gaps_and_says_so() -> None:
    found = replayed(trace(), requests_per_day=10_000)
    assert any("scaled to 10,000 requests a day" in note for note in found.notes)


def test_a_workload_without_a_trace_is_replayed_for_a_made_up_day_with_its_night() -> None:
    office = tuple(1 / 8 if 9 <= hour < 17 else 0.0 for hour in range(24))
    asked = workload(trace(), hourly_shape=office, requests_per_day=500)
    plain: Plan = api.plan(asked, candidates=["Llama-3.1-8B", "gpu"])
    assert plain.replay is None
    found = api.replayed(plain, candidates=["Llama-3.1-8B", "gpu"])
    assert replace(found, replay=None, assumptions=plain.assumptions) == plain
    assert found.replay is not None
    assert any("made-up" in note for note in found.replay.notes)
    assert found.replay.scaled_to_zero.replica_h_per_month < 730 * Decimal("0.4")
    assert {"cold_start_pull_s", "replay_cooldown_s"} <= {fact.name for fact in found.assumptions}


def test_what_cannot_be_replayed_is_an_error() -> None:
    at_once = replace(trace(), arrivals_s=np.zeros(60))
    with pytest.raises(InputError, match="cannot be replayed"):
        replay_leading_fleet(
            workload(trace()), gpu_grid(workload(trace()), billing="hour", models=MODELS), at_once, named=True
        )
    with pytest.raises(NothingFits, match="no fleet to replay"):
        replayed(trace(), requirements=replace(ON_DEMAND, slo=Slo(ttft_s=1e-6)))
