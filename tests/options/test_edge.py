"""Edge devices: capital over their life, power, some staff, and enough of them that requests do not wait too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from breakeven.catalog.edge_devices import edge_device
from breakeven.catalog.open_models import open_model
from breakeven.options.edge import EdgeDevices
from breakeven.workload.workload import Requirements, Slo, Workload

MODELS = (open_model("Llama-3.2-3B"), open_model("Llama-3.1-70B"))
MAC = "Mac Studio M3 Ultra 96GB"


def devices(workload: Workload, name: str = MAC) -> EdgeDevices:
    return EdgeDevices(workload, models=MODELS, devices=(edge_device(name),), named=True)


def row_of(table: EdgeDevices, start: str) -> int:
    return next(row for row in range(len(table.columns)) if table.label(row).startswith(start))


@pytest.fixture
def small(chat: Workload) -> Workload:
    slow = Requirements(min_quality="basic", slo=Slo(ttft_s=10.0, tpot_s=0.2))
    return replace(chat, requests_per_day=200, requirements=slow)


def test_capital_power_and_staff_add_up(small: Workload) -> None:
    table = devices(small)
    option = table.option(row_of(table, "Llama-3.2-3B Q4_K_M"))
    lines = {line.label: line for line in option.statement.lines}
    device = edge_device(MAC)
    assert device.price_low_usd is not None
    assert device.price_high_usd is not None
    capital = (device.price_low_usd + device.price_high_usd) / 2 + device.host_usd
    assert lines["devices"].usd_per_month == pytest.approx(capital / 36)
    assert lines["electricity, idle"].quantity == pytest.approx(Decimal(str(device.idle_power_w)) * 730 / 1_000)
    assert lines["staff"].usd_per_month == 1_500
    assert option.usd_per_month == sum(line.usd_per_month for line in option.statement.lines)


def test_columns_curves_and_statements_are_one_cost(small: Workload) -> None:
    table = devices(small)
    columns = table.columns.usd_per_month(small.requests_per_day)
    rows = np.flatnonzero(table.refusal == 0).tolist()
    assert rows
    for row in rows:
        exact = table.curve(row).usd_per_month(small.requests_per_day)
        assert float(exact) == pytest.approx(columns[row], rel=1e-12)
        assert abs(Fraction(table.option(row).usd_per_month) - exact) < Fraction(1, 10**6)


def test_devices_that_share_a_queue_carry_more_each(small: Workload) -> None:
    table = devices(small)
    curve = table.curve(row_of(table, "Llama-3.2-3B Q4_K_M"))
    each = [carried / (k + 1) for k, carried in enumerate(curve.pooled_requests_per_day)]
    assert each == sorted(each) or max(np.diff(each)) > 0
    assert each[-1] > each[0]
    assert curve.units(curve.pooled_requests_per_day[0]) == 1
    assert curve.units(curve.pooled_requests_per_day[0] + 1) == 2
    assert curve.units(curve.pooled_requests_per_day[-1] + 1) == len(curve.pooled_requests_per_day) + 1


def test_more_volume_never_needs_fewer_devices(small: Workload) -> None:
    table = devices(small)
    for row in np.flatnonzero(table.refusal == 0).tolist():
        curve = table.curve(row)
        bought = [curve.units(volume) for volume in range(1, 20_000, 97)]
        assert bought == sorted(bought)


def test_what_does_not_fit_is_refused_with_the_reason(small: Workload) -> None:
    table = devices(small, "Raspberry Pi 5 8GB")
    code = int(table.refusal[row_of(table, "Llama-3.1-70B Q4_K_M")])
    assert table.refusal_reasons[code - 1] == "weights do not fit in memory"
    assert not table.has_cost(code)


def test_a_device_without_a_price_is_never_free(at_volume: Callable[[int], Workload]) -> None:
    table = devices(at_volume(100), "MacBook Pro M5 Max (40-core GPU) 128GB")
    reasons = {table.refusal_reasons[code - 1] for code in table.refusal.tolist()}
    assert (table.refusal > 0).all()
    assert "the device has no known price" in reasons


def test_below_four_bits_no_public_score_speaks_for_the_model(small: Workload) -> None:
    table = EdgeDevices(small, models=MODELS, devices=(edge_device(MAC),))
    code = int(table.refusal[row_of(table, "Llama-3.2-3B Q2_K")])
    assert "below 4 bits" in table.refusal_reasons[code - 1]
    named = devices(small)
    assert named.option(row_of(named, "Llama-3.2-3B Q2_K")).quality.tier == "unrated"


def test_a_device_states_the_band_of_its_capacity(small: Workload) -> None:
    table = devices(small)
    low, high = table.option(row_of(table, "Llama-3.2-3B Q4_K_M")).capacity_band or (1.0, 1.0)
    assert 0 < low < 1 < high
