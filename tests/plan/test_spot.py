"""Spot: zones come and go as observed, together where they share a region, and the fleet pays for all of it."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.catalog.spot import SAME_REGION_CORRELATION, Spell, SpotZone, _zone, spot_zones
from breakeven.catalog.tables import Row
from breakeven.errors import CatalogError, InputError
from breakeven.plan.spot import (
    SpotOutcome,
    SpotPolicy,
    price_with_interruptions,
    ready_frac_of_one_zone,
    simulate_spot,
    zone_timelines,
)

YEARS = 20 * 8_760


def v100(*names: str) -> list[SpotZone]:
    """The single-V100 observations over 45 days, by zone."""
    found = {z.zone: z for z in spot_zones() if z.accelerator == "V100" and z.observed_days > 40}
    return [found[name] for name in names] if names else list(found.values())


def zone(name: str, up_h: float, down_h: float) -> SpotZone:
    return replace(
        v100()[0], zone=name, up=Spell(median_h=up_h, mean_h=up_h), down=Spell(median_h=down_h, mean_h=down_h)
    )


def price(option: PurchaseOption, usd: str, low: str | None = None) -> PurchasePrice:
    """Spot's range is as far above its middle as below."""
    middle, least = Decimal(usd), Decimal(low or usd)
    return PurchasePrice(
        option=option,
        usd_per_h=middle,
        low_usd_per_h=least,
        high_usd_per_h=2 * middle - least,
        basis="quoted",
        source="a test",
    )


def usd_per_h(outcome: SpotOutcome, spot: str = "0.35") -> float:
    """What an instance costs an hour where on demand is one dollar."""
    return float(price_with_interruptions(outcome, price("spot", spot), price("on_demand", "1")).usd_per_h)


def test_the_observations_are_those_of_the_reference_table(shared_data: Path) -> None:
    with (shared_data / "catalog/spot_availability_2023.csv").open(encoding="utf-8") as table:
        reference = list(csv.DictReader(table))
    assert [f"{z.zone}_{z.accelerator.lower()}_{z.accelerators_per_instance}" for z in spot_zones()] == [
        row["zone_accelerator"] for row in reference
    ]
    for found, row in zip(spot_zones(), reference, strict=True):
        assert (found.available_frac, found.observed_days) == (float(row["available_frac"]), float(row["days"]))
        assert (found.up.median_h, found.up.mean_h) == (float(row["up_median_h"]), float(row["up_mean_h"]))
        assert (found.down.median_h, found.down.mean_h) == (float(row["out_median_h"]), float(row["out_mean_h"]))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("available_frac", "0.9", "availability"),
        ("up_median_h", "2.0", "above up_mean_h"),
        ("up_mean_h", "0", "positive"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(column: str, value: str, reason: str) -> None:
    cells = {
        "zone": "a-1a",
        "accelerator": "V100",
        "accelerators_per_instance": "1",
        "available_frac": "0.5",
        "observed_days": "45",
        "up_spells": "9",
        "up_median_h": "0.5",
        "up_mean_h": "1.0",
        "down_median_h": "0.5",
        "down_mean_h": "1.0",
        "source": "a test",
        "checked_on": "2026-11-24",
    }
    assert _zone(Row(file="f", line=2, cells=cells)).region == "a-1"
    with pytest.raises(CatalogError, match=reason):
        _zone(Row(file="f", line=2, cells={**cells, column: value}))


@pytest.mark.parametrize("observed", v100(), ids=lambda each: each.zone)
def test_one_zone_alone_follows_the_closed_form(observed: SpotZone) -> None:
    policy = SpotPolicy(instances=3, falls_back=False, hours=YEARS)
    outcome = simulate_spot([observed], policy)
    assert outcome.available_frac[0] == pytest.approx(observed.available_frac, abs=0.02)
    assert outcome.ready_frac == pytest.approx(ready_frac_of_one_zone(observed, policy.delay_h), abs=0.02)
    assert outcome.below_target_frac == pytest.approx(1 - outcome.ready_frac)
    cycle_h = observed.up.mean_h + observed.down.mean_h
    assert outcome.interruptions_per_year == pytest.approx(3 * 8_760 / cycle_h, rel=0.06)
    assert outcome.on_demand_instance_hours == 0


def test_the_closed_form_without_a_delay_is_the_availability() -> None:
    (observed,) = v100("us-east-2b")
    assert ready_frac_of_one_zone(observed, 0.0) == pytest.approx(observed.available_frac, abs=0.001)
    assert ready_frac_of_one_zone(zone("a-1a", 4.0, 1.0), 0.5) == pytest.approx(3.5 / 5)
    policy = SpotPolicy(instances=1, falls_back=False, delay_h=0.0, hours=YEARS)
    assert simulate_spot([observed], policy).ready_frac == pytest.approx(observed.available_frac, abs=0.02)


@pytest.mark.parametrize("names", [("us-west-2a", "us-west-2b", "us-west-2c"), ("us-east-2a", "us-east-2b")])
def test_zones_of_a_region_fail_together_and_keep_their_own_spells(names: tuple[str, ...]) -> None:
    zones = v100(*names)
    timelines = zone_timelines(zones, YEARS, SAME_REGION_CORRELATION, np.random.default_rng(3))
    for observed, spells in zip(zones, timelines, strict=True):
        assert sum(end - start for start, end in spells) / YEARS == pytest.approx(observed.available_frac, abs=0.02)
        assert np.mean([end - start for start, end in spells]) == pytest.approx(observed.up.mean_h, rel=0.06)
    pairs = [correlation(one, other) for one, other in combinations(timelines, 2)]
    assert np.mean(pairs) == pytest.approx(SAME_REGION_CORRELATION, abs=0.04)


def test_zones_of_two_regions_are_independent() -> None:
    one, other = zone_timelines(v100("us-east-2a", "us-west-2a"), YEARS, 1.0, np.random.default_rng(5))
    assert correlation(one, other) == pytest.approx(0, abs=0.03)


def correlation(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    """Of being up, seen every quarter of an hour."""
    ticks = np.arange(0, YEARS, 0.25)
    seen = [is_up(ticks, spells) for spells in (one, other)]
    return float(np.corrcoef(*seen)[0, 1])


def is_up(ticks: np.ndarray, spells: list[tuple[float, float]]) -> np.ndarray:
    starts, ends = np.array(spells).T
    return ticks < ends[np.maximum(np.searchsorted(starts, ticks, side="right") - 1, 0)]


def test_more_zones_and_a_fallback_help_and_the_fallback_costs() -> None:
    one, three = v100("us-east-2b"), v100("us-east-2b", "us-west-2a", "us-west-2c")
    alone, falling_back = (SpotPolicy(instances=8, falls_back=falls_back) for falls_back in (False, True))
    below = {
        "one": simulate_spot(one, alone).below_target_frac,
        "one, fallback": simulate_spot(one, falling_back).below_target_frac,
        "three": simulate_spot(three, alone).below_target_frac,
        "three, fallback": simulate_spot(three, falling_back).below_target_frac,
    }
    assert below["one"] > below["three"] > below["three, fallback"]
    assert below["one"] > below["one, fallback"] > below["three, fallback"]
    assert usd_per_h(simulate_spot(one, alone)) < usd_per_h(simulate_spot(one, falling_back)) < 1


def test_zones_that_fail_together_are_worth_less() -> None:
    zones = v100("us-west-2a", "us-west-2b", "us-west-2c")
    apart, together = (
        simulate_spot(zones, SpotPolicy(instances=6, falls_back=False, correlation=rho))
        for rho in (0.0, SAME_REGION_CORRELATION)
    )
    assert together.below_target_frac > 1.3 * apart.below_target_frac


@given(
    st.lists(st.sampled_from(v100()), min_size=1, max_size=4, unique=True),
    st.integers(1, 9),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.booleans(),
    st.integers(0, 99),
)
def test_hours_are_conserved(
    zones: list[SpotZone], instances: int, delay_h: float, falls_back: bool, seed: int
) -> None:
    policy = SpotPolicy(instances=instances, delay_h=delay_h, falls_back=falls_back, hours=500, seed=seed)
    outcome = simulate_spot(zones, policy)
    held = outcome.spot_instance_hours + outcome.on_demand_instance_hours
    wanted = instances * policy.hours
    assert outcome.ready_frac * wanted <= held + 1e-6
    assert 0 <= outcome.below_target_frac <= 1
    assert outcome.ready_frac >= 1 - outcome.below_target_frac - 1e-9
    assert outcome == simulate_spot(zones, policy)
    if falls_back and delay_h == 0:
        assert outcome.ready_frac == pytest.approx(1)
        assert held == pytest.approx(wanted)


def test_what_an_instance_costs_lies_between_spot_and_on_demand() -> None:
    outcome = simulate_spot(v100("us-west-2a", "us-west-2b"), SpotPolicy(instances=4, delay_h=0.0))
    held = price_with_interruptions(outcome, price("spot", "0.918", low="0.612"), price("on_demand", "3.06"))
    assert Decimal("0.612") < held.low_usd_per_h < held.usd_per_h < held.high_usd_per_h < Decimal("3.06")
    paid = outcome.spot_instance_hours * 0.918 + outcome.on_demand_instance_hours * 3.06
    assert float(held.usd_per_h) == pytest.approx(paid / (4 * outcome.policy.hours), abs=1e-9)
    assert (held.option, held.basis) == ("spot", "modelled")


def test_a_zone_that_never_fails_costs_the_spot_price() -> None:
    steady = zone("a-1a", 1e9, 1e-9)
    outcome = simulate_spot([steady], SpotPolicy(instances=2, delay_h=0.5, hours=1_000))
    assert outcome.below_target_frac == pytest.approx(0.0005)
    assert usd_per_h(outcome, "0.25") == pytest.approx(0.25, rel=0.001)


@pytest.mark.parametrize(
    "wrong", [{"instances": 0}, {"instances": 1, "correlation": 1.5}, {"instances": 1, "hours": 0}]
)
def test_a_fleet_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        simulate_spot(v100("us-west-2a"), SpotPolicy(**wrong))  # type: ignore[arg-type]
