"""A replayed fleet's dollars are replica hours times a price that is stated or quoted; its variants are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from breakeven import units
from breakeven.catalog.hosted import find_card
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
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


COST = {"usd_per_replica_h": Decimal("2.5")}
SPILLS = {**FLEET, "spill_above_requests_per_replica": 1}
CARD = find_card("openai/gpt-4o", at=date(2026, 11, 24))


def test_what_is_spilled_costs_the_price_of_each_of_its_requests() -> None:
    report = fleet_report(trace(hours=0.1), fleet_of({"fleet": SPILLS, "cost": COST}, where="f"), api=CARD)
    result = report.result
    assert 0 < result.spilled_requests < 400
    rows = zip(result.spilled_input_tokens.tolist(), result.spilled_output_tokens.tolist(), strict=True)
    exact = sum(line.usd for i, o in rows for line in price(CARD, Usage(input_tokens=i, output_tokens=o)).lines)
    told = report.alternatives[0].spilled_usd
    assert told == units.rounded_usd(exact)
    assert report.usd == told + replica_price(report.file).usd(result.replica_h)
    assert float(report.usd_per_1k_requests) == pytest.approx(float(report.usd) / 0.4, rel=1e-6)
    assert any("leave out what was sent to the API" in note for note in report.notes)
    kept = report.alternatives[-1]
    assert (kept.label, kept.result.spilled_requests, kept.spilled_usd) == ("nothing spilled", 0, 0)


def test_what_is_spilled_without_a_price_makes_the_whole_unknown() -> None:
    report = fleet_report(trace(hours=0.1), fleet_of({"fleet": SPILLS, "cost": COST}, where="f"))
    assert (report.usd, report.alternatives[0].spilled_usd) == (None, None)
    assert report.alternatives[-1].usd is not None


def test_a_policy_that_cannot_see_what_is_spilled_is_told() -> None:
    def notes(above: int) -> str:
        tables = {"fleet": {**FLEET, "spill_above_requests_per_replica": above}, "autoscaling": SCALES}
        return " ".join(fleet_report(trace(many=5), fleet_of(tables, where="f")).notes)

    assert "none is added" in notes(31)
    assert "none is added" not in notes(32)


SPOT = {"zones": ["us-east-1a", "us-east-1c"], "kept_replicas": 1}


@pytest.mark.parametrize("scales", [{}, {"autoscaling": {**SCALES, "scale_to_zero": False}}])
def test_a_fleet_on_spot_stands_beside_itself_without_interruptions(scales: dict[str, object]) -> None:
    replicas, kept_replicas = ({}, 0) if scales else ({"replicas": 3}, 1)
    spot = {**SPOT, "kept_replicas": kept_replicas}
    tables = {"fleet": {**FLEET, **replicas}, "spot": spot, "cost": COST, **scales}
    report = fleet_report(trace(hours=200, many=4_000), fleet_of(tables, where="f"))
    by_label = {each.label: each.result for each in report.alternatives}
    lost, kept = by_label["as stated"], by_label["nothing interrupted"]
    assert lost.interruptions > 0 == kept.interruptions
    assert lost.served_requests == kept.served_requests == 4_000
    assert lost.input_tokens == kept.input_tokens
    assert {"spot_zones", "spot_notice_s", "cold_start_pull_s"} <= {each.name for each in report.assumptions}


def test_a_zone_that_was_not_observed_is_refused() -> None:
    with pytest.raises(UnknownName, match="mars-1a"):
        fleet_report(trace(many=5), file(spot={"zones": ["mars-1a"]}))


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
