"""A plan of recorded arrivals leads with fleets that were replayed, and says which were not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from breakeven import api
from breakeven.options import replay_sizing
from breakeven.plan.plan import Plan
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.trace import Trace
from breakeven.workload.trace_scaling import workload_of_trace
from breakeven.workload.workload import Workload

OPEN = ("Llama-3.1-8B", "gpt-oss-20b", "Qwen3-14B", "gpu")


def workload(**stated: object) -> Workload:
    draw = np.random.default_rng(2)
    rows = 6_000
    arrivals_s = np.sort(draw.uniform(0, 1_200, rows) // 20 * 20 + draw.exponential(1.0, rows))
    trace = Trace(
        name="clumps",
        format_name="test",
        arrivals_s=arrivals_s - arrivals_s[0],
        input_tokens=draw.integers(200, 1_400, rows),
        output_tokens=draw.integers(50, 350, rows),
    )
    return workload_of_trace(trace, WorkloadOverrides(hourly_shape="flat", min_quality="basic", **stated))  # type: ignore[arg-type]


def fact(plan: Plan, name: str) -> object:
    (found,) = [fact.value for fact in plan.assumptions if fact.name == name]
    return found


@pytest.mark.parametrize("volume", [5_000, 1_000_000, 30_000_000])
def test_every_fleet_that_a_plan_shows_was_replayed(volume: int) -> None:
    plan = api.plan(workload(requests_per_day=volume), candidates=OPEN)
    fleets = [option for option in plan.options if option.kind == "gpu"]
    assert len(fleets) >= 3
    assert all("sized by replay of" in option.note for option in fleets)
    assert int(str(fact(plan, "fleets_sized_by_replay"))) >= 3
    for option in fleets:
        assert sum(line.usd_per_month for line in option.statement.lines) == option.usd_per_month
        at_volume = option.curve.usd_per_month(volume)
        assert abs(Decimal(at_volume.numerator) / at_volume.denominator - option.usd_per_month) < Decimal("1E-6")
    assert plan.chosen_option.usd_per_month <= min(option.usd_per_month for option in fleets) + Decimal("2E-9")


def test_a_workload_without_recorded_arrivals_keeps_the_formula_and_says_so() -> None:
    plan = api.plan(replace(workload(), trace=None), candidates=OPEN)
    assert fact(plan, "fleets_sized_by") == "formula"
    assert all("sized by formula" in option.note for option in plan.options if option.kind == "gpu")
    assert not plan.fleet_sizes


def test_a_plan_without_fleets_says_nothing_of_their_size() -> None:
    plan = api.plan(workload(), candidates=["api"])
    assert not [fact for fact in plan.assumptions if fact.name.startswith("fleets_sized")]


def test_what_is_shown_without_a_replay_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_sizing, "MOST_REPLAYS", 1)
    plan = api.plan(workload(requests_per_day=1_000_000), candidates=OPEN)
    shown = sum("sized by formula" in option.note for option in plan.options)
    assert shown >= 1
    (source,) = [fact.source for fact in plan.assumptions if fact.name == "fleets_sized_by_replay"]
    assert f"{shown} of them shown, by the formula" in source


@pytest.mark.parametrize("volume", [5_000, 1_000_000])
def test_the_replayed_fleet_is_the_one_that_was_sized(volume: int) -> None:
    asked = workload(requests_per_day=volume)
    plan = api.plan(asked, candidates=OPEN)
    found = api.replayed(plan, asked.trace, candidates=OPEN).replay
    assert found is not None
    option = plan.option(found.label)
    instances = option.curve.units(volume)
    assert found.replicas == instances * found.replicas_per_instance
    assert f"; {instances} instances" in option.note
    assert "sized by replay of" in option.note


def test_zones_say_what_plans_at_their_ends_say() -> None:
    plan = api.plan(workload(requests_per_day=1_000_000), candidates=OPEN)
    for zone in plan.breakeven:
        if zone.from_requests_per_day > 20_000_000:
            there = api.plan(workload(requests_per_day=zone.from_requests_per_day), candidates=OPEN)
            assert there.chosen.label in zone.options


def test_azures_trace_is_sized_by_replay(shared_data: Path) -> None:
    plan = api.plan(shared_data / "traces" / "azure_llm_2023_conv.csv")
    (fleet,) = [option for option in plan.options if option.kind == "gpu"]
    assert "sized by replay of 2,000 requests" in fleet.note
    assert fleet.ttft_s is not None
    assert 0 < fleet.ttft_s <= 2.0
