"""A replayed fleet's dollars are replica hours times a price that is stated or quoted; its variants are told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from breakeven.errors import InputError, UnknownName
from breakeven.options.replica_price import replica_price
from breakeven.plan.fleet_report import fleet_report
from breakeven.serving.fleet_file import FleetFile, fleet_of
from breakeven.workload.trace import Trace

FLEET = {"model": "Llama-3.1-8B", "gpu": "H100", "precision": "fp8"}
CACHING = {**FLEET, "prefix_caching": True}
SCALES = {"policy": "queue", "scale_to_zero": True, "max_replicas": 3}


def file(**tables: dict[str, object]) -> FleetFile:
    return fleet_of({"fleet": FLEET, **tables}, where="fleet.toml")


def trace(hours: float = 2.0, many: int = 400, clock_s: float | None = 8 * 3_600.0) -> Trace:
    draw = np.random.default_rng(2)
    arrivals = np.sort(draw.uniform(0, hours * 3_600, many))
    return Trace(
        name="made",
        format_name="test",
        arrivals_s=arrivals - arrivals[0],
        input_tokens=draw.integers(1, 2_000, many),
        output_tokens=draw.integers(1, 400, many),
        starts_at_clock_s=clock_s,
    )


def test_dollars_are_replica_hours_times_the_stated_price() -> None:
    report = fleet_report(trace(), file(cost={"usd_per_replica_h": Decimal("2.5")}))
    assert report.usd is not None
    assert report.usd_per_month is not None
    assert report.usd_per_1k_requests is not None
    assert float(report.usd) == pytest.approx(2.5 * report.result.replica_h, abs=1e-9)
    assert float(report.usd_per_month) == pytest.approx(2.5 * 730, rel=1e-6)
    assert float(report.usd_per_1k_requests) == pytest.approx(float(report.usd) / 0.4, rel=1e-6)


def test_without_a_price_dollars_are_unknown_not_zero() -> None:
    report = fleet_report(trace(), file())
    assert (report.usd, report.usd_per_month, report.usd_per_1k_requests) == (None, None, None)


def test_an_offer_prices_a_replicas_share_of_an_instance() -> None:
    offer = "aws/p5.48xlarge@us-east-1"
    one, four = (
        replica_price(fleet_of({"fleet": {**FLEET, "tensor_parallel": tp}, "cost": {"offer": offer}}, where="f"))
        for tp in (1, 4)
    )
    assert one is not None
    assert four is not None
    assert four.usd_per_replica_h == 4 * one.usd_per_replica_h
    assert one.basis in {"quoted", "assumed"}


@pytest.mark.parametrize(
    ("cost", "error"),
    [
        ({"offer": "aws/p55@us-east-1"}, UnknownName),
        ({"offer": "aws/g4dn.xlarge@us-east-1"}, InputError),
    ],
)
def test_an_offer_that_does_not_fit_is_refused(cost: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        replica_price(file(cost=cost))


def test_a_fleet_that_scales_stands_beside_its_other_ways() -> None:
    report = fleet_report(trace(), file(autoscaling=SCALES, cost={"usd_per_replica_h": Decimal(2)}))
    by_label = {each.label: each for each in report.alternatives}
    assert list(by_label) == ["as stated", "floor of 1 replica", "fixed at 3"]
    hours = [each.result.replica_h for each in report.alternatives]
    assert hours == sorted(hours)
    assert by_label["fixed at 3"].result.replica_h == pytest.approx(3 * report.result.span_s / 3_600, rel=0.05)
    zero, floor = by_label["as stated"].result, by_label["floor of 1 replica"].result
    assert zero.ttft.p99_s > 100 * floor.ttft.p99_s
    assert [each.name for each in report.assumptions][-4:] == [
        "cold_start_provision_s",
        "cold_start_pull_s",
        "cold_start_load_s",
        "cold_start_compile_s",
    ]


def test_a_stated_part_of_the_cold_start_is_the_files() -> None:
    report = fleet_report(trace(), file(autoscaling=SCALES, cold_start={"pull_s": 1}))
    basis = {each.name: each.basis for each in report.assumptions}
    assert (basis["cold_start_pull_s"], basis["cold_start_compile_s"]) == ("quoted", "assumed")


def test_the_schedule_of_a_day_is_the_days_own() -> None:
    scales = {"policy": "schedule", "max_replicas": 4, "min_replicas": 1}
    day = trace(hours=30, many=3_000)
    scaling = fleet_report(day, file(autoscaling=scales)).file.fleet.autoscaling
    assert scaling is not None
    hours = ((day.arrivals_s + 8 * 3_600) // 3_600).astype(int) % 24
    busiest = np.bincount(hours, minlength=24)
    assert scaling.hourly_replicas[int(busiest.argmax())] == 4
    assert min(scaling.hourly_replicas) >= 1
    for wrong in (trace(), replace(day, starts_at_clock_s=None)):
        with pytest.raises(InputError):
            fleet_report(wrong, file(autoscaling=scales))


def test_repeated_prefixes_cost_no_prefill_where_the_fleet_caches_them() -> None:
    repeating = replace(trace(), prefix_reuse_frac=0.5)
    anew, cached = (fleet_report(repeating, fleet_of({"fleet": each}, where="f")) for each in (FLEET, CACHING))
    assert "computes it anew" in anew.notes[0]
    assert "costs no prefill" in cached.notes[0]
    assert cached.result.busy_h < anew.result.busy_h
    assert cached.result.input_tokens == anew.result.input_tokens
    with pytest.raises(InputError):
        fleet_report(trace(), fleet_of({"fleet": CACHING}, where="f"))


@pytest.mark.parametrize("kind", ["poisson", "gamma"])
def test_made_up_arrivals_are_told_and_keep_the_requests(kind: str) -> None:
    report = fleet_report(trace(), file(), kind)
    assert report.result.input_tokens == trace().input_tokens.sum()
    assert any("made-up arrivals" in note for note in report.notes)
    assert report.result.span_s == pytest.approx(7_200, rel=0.03)


def test_real_arrivals_are_the_default_and_need_no_note() -> None:
    assert fleet_report(trace(), file()).notes == ()
