"""Fleets buy whole instances for the busiest minute, show what waits, and never multiply an instance by its GPUs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from breakeven.catalog.offers import offers
from breakeven.catalog.open_models import open_model
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.workload.workload import Requirements, Workload

LLAMA = (open_model("Llama-3.1-8B"), open_model("Llama-3.1-70B"))


def fleets(workload: Workload, billing: str = "hour") -> GpuFleets:
    return GpuFleets.of(workload, billing=billing, models=LLAMA, named=True)


def row_of(table: GpuFleets, label: str) -> int:
    return next(row for row in range(len(table.columns)) if table.label(row) == label)


P5 = "Llama-3.1-8B fp8 tp1 on aws/p5.48xlarge@us-east-1 on_demand"


def test_an_instance_of_eight_gpus_costs_its_own_price_and_holds_eight_replicas(chat: Workload) -> None:
    table = fleets(chat)
    option = table.option(row_of(table, P5))
    hours = [line for line in option.statement.lines if line.unit == "instance-hour"]
    assert {line.usd_per_unit for line in hours} == {Decimal("55.04")}
    assert sum(line.quantity for line in hours) == 730
    assert "8 to an instance; 1 instances" in option.note
    low, high = option.capacity_band or (1.0, 1.0)
    assert 0 < low < 1 < high
    assert f"within x{low:.2g} to x{high:.2g}" in option.note


def test_instances_are_the_ceiling_of_the_peak(at_volume: Callable[[int], Workload]) -> None:
    table = fleets(at_volume(10_000))
    capacity = table.curve(row_of(table, P5)).unit_requests_per_day[0]
    for volume, instances in ((capacity, 1), (capacity + 1, 2), (5 * capacity, 5), (5 * capacity + 1, 6)):
        busier = fleets(at_volume(volume))
        row = row_of(busier, P5)
        assert busier.curve(row).units(volume) == instances
        lines = busier.option(row).statement.lines
        assert sum(line.quantity for line in lines if line.unit == "instance-hour") == 730 * instances


def test_a_sharper_peak_needs_more_instances_and_leaves_more_of_them_idle(chat: Workload) -> None:
    flat = replace(chat, requests_per_day=20_000_000)
    peaked = replace(flat, hourly_shape=(*(1 / 48,) * 23, 1 - 23 / 48))

    def idle_and_busy(workload: Workload) -> list[Decimal]:
        table = fleets(workload)
        lines = table.option(row_of(table, P5)).statement.lines
        return [line.quantity for line in lines if line.unit == "instance-hour"][::-1]

    (flat_idle, flat_busy), (idle, busy) = idle_and_busy(flat), idle_and_busy(peaked)
    assert idle > flat_idle >= 0
    assert busy == pytest.approx(flat_busy)


@pytest.mark.parametrize("billing", ["hour", "second"])
def test_columns_curves_and_statements_are_one_cost(chat: Workload, billing: str) -> None:
    table = fleets(chat, billing)
    columns = table.columns.usd_per_month(chat.requests_per_day)
    rows = np.flatnonzero(table.refusal == 0)
    assert len(rows) > 10
    for row in rows[:: max(1, len(rows) // 40)].tolist():
        exact = table.curve(row).usd_per_month(chat.requests_per_day)
        assert float(exact) == pytest.approx(columns[row], rel=1e-12)
        assert abs(Fraction(table.option(row).usd_per_month) - exact) < Fraction(1, 10**6)


def test_staff_egress_and_storage_are_lines_of_their_own(chat: Workload) -> None:
    table = fleets(chat)
    lines = {line.label: line for line in table.option(row_of(table, P5)).statement.lines}
    assert lines["staff"].usd_per_month == 15_000
    gigabytes = Fraction(10_000 * 400 * 250, 10**9) * Fraction(365, 12)
    assert float(lines["egress"].quantity) == pytest.approx(float(gigabytes))
    assert lines["storage of the weights"].quantity >= 8


def test_spot_and_long_commitments_are_for_those_who_ask(chat: Workload) -> None:
    table = fleets(chat)
    spot, reserved = P5.replace("on_demand", "spot"), P5.replace("on_demand", "reserved_3y")
    reasons = {label: table.refusal_reasons[table.refusal[row_of(table, label)] - 1] for label in (spot, reserved)}
    assert "withdrawn" in reasons[spot]
    assert "36-month commitment" in reasons[reserved]
    asked = replace(chat, requirements=Requirements(min_quality="basic", allow_spot=True, max_commitment_months=36))
    open_to_all = fleets(asked)
    assert not open_to_all.refusal[row_of(open_to_all, spot)]
    assert not open_to_all.refusal[row_of(open_to_all, reserved)]


def test_an_offer_without_an_on_demand_price_is_sold_as_spot_only(chat: Workload) -> None:
    unpriced = {offer.instance for offer in offers() if offer.on_demand_usd_per_h is None}
    assert "p5e.48xlarge" in unpriced
    table = fleets(chat)
    sold = {
        table.label(row).rpartition(" ")[2] for row in range(len(table.columns)) if "p5e.48xlarge@" in table.label(row)
    }
    assert sold == {"spot"}


def test_the_same_fleet_is_priced_in_each_way_it_is_sold(chat: Workload) -> None:
    table = fleets(chat)
    rows = table.bought_otherwise(row_of(table, P5))
    assert {table.terms(row).option for row in rows} == {"on_demand", "reserved_1y", "reserved_3y", "spot"}
    assert len({table.curve(row).unit_requests_per_day for row in rows}) == 1


def test_serverless_workers_cost_nothing_in_hours_without_traffic(chat: Workload) -> None:
    busy_hour = replace(chat, hourly_shape=(1.0, *(0.0,) * 23), requests_per_day=100)
    always, one = (fleets(w, "second") for w in (replace(chat, requests_per_day=100), busy_hour))
    label = "Llama-3.1-8B fp8 tp1 on runpod-serverless/flex worker H100@any on_demand"
    hours = [
        sum(line.quantity for line in t.option(row_of(t, label)).statement.lines if line.unit == "instance-hour")
        for t in (always, one)
    ]
    assert float(hours[0]) == pytest.approx(730)
    assert float(hours[1]) == pytest.approx(730 / 24)


def test_quantized_weights_keep_their_bits(chat: Workload) -> None:
    table = GpuFleets.of(chat, billing="hour", models=(open_model("gpt-oss-20b"),), named=True)
    names = {table.label(row).split()[1] for row in range(len(table.columns))}
    assert "native-fp16" in names
    assert "fp16" not in names
