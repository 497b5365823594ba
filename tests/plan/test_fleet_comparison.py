"""Six ways to run a fleet: the same traffic for all, money from the hours replayed, and what each trades for what."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.errors import InputError
from breakeven.options.curve import CostCurve
from breakeven.options.option import Option, Quality
from breakeven.options.spilled_requests import ApiPrice
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.fleet_comparison import (
    FleetTerms,
    LayerSplit,
    Traffic,
    compare_fleets,
    draw_traffic,
    split_layers,
)
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.engine import EngineCoefficients, linear_step_s
from breakeven.workload.workload import Slo

INPUTS, OUTPUTS = np.array([100, 200, 300]), np.array([10, 20, 30])


def price(option: PurchaseOption, usd_per_h: str) -> PurchasePrice:
    usd = Decimal(usd_per_h)
    return PurchasePrice(
        option=option, usd_per_h=usd, low_usd_per_h=usd, high_usd_per_h=usd, basis="quoted", source="a test"
    )


def api(usd_per_request: str) -> ApiPrice:
    """Priced for 12 requests a day: 365 a month."""
    line = CostLine(
        label="request", quantity=Decimal(365), unit="request", usd_per_unit=Decimal(usd_per_request), basis="quoted"
    )
    option = Option(
        kind="api",
        label="a/model",
        statement=CostStatement(lines=(line,)),
        curve=CostCurve(usd_per_month_per_daily_request=Fraction(usd_per_request) * Fraction(365, 12)),
        ttft_s=None,
        tpot_s=None,
        latency_note="",
        quality=Quality(tier="good"),
        control="provider",
    )
    return ApiPrice(option=option, requests_per_day=12)


def card(usd_per_request: str) -> PriceCard:
    """The same price, by the request alone."""
    free = PriceRates(above_input_tokens=0, input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
    return PriceCard(
        provider="a",
        model="model",
        processing="standard",
        tiers=(free,),
        checked_on=date(2026, 11, 24),
        source="a test",
        usd_per_request=Decimal(usd_per_request),
    )


def terms(usd_per_request: str = "0.002", *, reserved: str | None = "1.20", spot: str | None = "1.00") -> FleetTerms:
    engine = EngineCoefficients(
        step_s=linear_step_s(0.02, 0.001, 64),
        context_s_per_token=0.0,
        prefill_s_per_token=0.0005,
        kv_tokens=20_000,
    )
    return FleetTerms(
        name="l40s",
        engine=engine,
        requests_per_s=1.0,
        requests_at_once=1.0,
        on_demand=price("on_demand", "2.00"),
        reserved=None if reserved is None else price("reserved_1y", reserved),
        spot=None if spot is None else price("spot", spot),
        api=api(usd_per_request),
        api_card=card(usd_per_request),
        spill_above_requests=4,
        spot_zones=("us-east-1c", "us-east-1f"),
        slo=Slo(percentile=99.0),
        cold_start=ColdStart(pull_s=0.0, compile_s=60.0),
        cooldown_s=600.0,
    )


def a_day(peak_requests_per_s: float = 4.2) -> Traffic:
    """A quiet night, a day of two and a half requests a second, a peak of two hours; each hour has six intervals."""
    hourly = [0.4] * 8 + [2.5] * 14 + [peak_requests_per_s] * 2
    return draw_traffic(np.repeat(hourly, 6), 600.0, INPUTS, OUTPUTS)


def test_traffic_follows_the_rates_and_the_seed() -> None:
    traffic = draw_traffic([0.0, 2.0, 0.5], 3_600.0, INPUTS, OUTPUTS, seed=3)
    assert (np.diff(traffic.arrivals_s) >= 0).all()
    counts, _ = np.histogram(traffic.arrivals_s, bins=[0, 3_600, 7_200, 10_800])
    assert counts[0] == 0
    assert counts[1] == pytest.approx(7_200, abs=4 * 85)
    assert counts[2] == pytest.approx(1_800, abs=4 * 42)
    assert set(zip(traffic.input_tokens.tolist(), traffic.output_tokens.tolist(), strict=True)) == {
        (100, 10),
        (200, 20),
        (300, 30),
    }
    again = draw_traffic([0.0, 2.0, 0.5], 3_600.0, INPUTS, OUTPUTS, seed=3)
    assert np.array_equal(traffic.arrivals_s, again.arrivals_s)
    assert traffic.hours == 3


@pytest.mark.parametrize("rates", [[], [-1.0], [float("nan")]])
def test_rates_that_are_none_are_refused(rates: list[float]) -> None:
    with pytest.raises(InputError):
        draw_traffic(rates, 600.0, INPUTS, OUTPUTS)


def test_each_layer_goes_where_it_is_cheapest() -> None:
    """A layer costs 1.20 reserved, 1.00 an hour on spot, and 0.002 a request: 7.20 for an hour of one a second."""
    rates = np.array([1.0] * 12 + [2.0] * 11 + [2.1])
    assert split_layers(rates, terms()) == LayerSplit(reserved=0, by_the_hour=2, spilled=1)
    # The first layer never rests: reserved where spot costs more than the reservation.
    assert split_layers(rates, terms(spot="1.30")) == LayerSplit(reserved=1, by_the_hour=1, spilled=1)
    # Without spot the second layer costs 2.00 in half of the hours.
    assert split_layers(rates, terms(spot=None)) == LayerSplit(reserved=1, by_the_hour=1, spilled=1)
    assert split_layers(rates, terms(spot=None, reserved=None)) == LayerSplit(reserved=0, by_the_hour=2, spilled=1)
    assert split_layers(rates, terms("0.0000001")) == LayerSplit(reserved=0, by_the_hour=0, spilled=3)


def test_six_ways_over_a_day() -> None:
    traffic = a_day()
    results = {each.name: each for each in compare_fleets(traffic, terms("0.001", spot="1.30"))}
    reserved, fixed = results["fixed for the peak, reserved"], results["fixed for the peak, on demand"]
    scaled, to_zero = results["autoscaled, on demand"], results["scaled to zero, on demand"]
    own, hybrid = results["reserved floor, spot"], results["reserved floor, spot, API for the peak"]
    # Five instances at 4.2 requests a second, for all 730 hours.
    assert (reserved.usd_per_month, fixed.usd_per_month) == (Decimal("1.20") * 3_650, Decimal(7_300))
    assert fixed.usd_per_month > scaled.usd_per_month > hybrid.usd_per_month
    assert fixed.ttft_p99_s <= scaled.ttft_p99_s
    assert fixed.cold_starts == 0 < scaled.cold_starts <= to_zero.cold_starts
    assert scaled.within_slo_frac >= to_zero.within_slo_frac
    assert fixed.mean_instances > scaled.mean_instances >= 1
    assert hybrid.note == "1 reserved, up to 3 spot, the rest spilled"
    # At least what no own instance is planned for: 0.2 of 4.2 requests a second in two hours, of 46.6 in all hours.
    assert 0 < hybrid.spilled_requests_frac < 0.2
    assert hybrid.interruptions > 0
    assert {each.interruptions for each in (reserved, fixed, scaled, to_zero)} == {0}
    assert own.note == "1 reserved, up to 4 spot"
    assert own.spilled_requests_frac == 0 < own.interruptions
    assert own.within_slo_frac <= hybrid.within_slo_frac
    for each in results.values():
        assert each.usd_per_month == sum(line.usd_per_month for line in each.statement.lines)


def test_the_spilled_requests_are_those_of_the_replay_at_the_price_of_the_card() -> None:
    traffic = a_day()
    hybrid = list(compare_fleets(traffic, terms("0.001")))[-1]
    *_, line = hybrid.statement.lines
    spilled = round(hybrid.spilled_requests_frac * len(traffic.arrivals_s))
    assert (line.label, line.unit, line.usd_per_unit) == ("spilled: requests", "request", Decimal("0.001"))
    assert line.quantity == pytest.approx(Decimal(spilled * 730) / 24)


def test_an_interrupted_fleet_spills_more_and_its_requests_are_computed_again() -> None:
    """Zones that never fail, against ones that often do; what is not lost is not computed again."""
    steady = replace(terms("0.001"), spot=None, on_demand=price("on_demand", "1.00"))
    lost, kept = (list(compare_fleets(a_day(), each))[-1] for each in (terms("0.001"), steady))
    assert kept.interruptions == kept.interrupted_requests == 0 < lost.interruptions
    assert lost.spilled_requests_frac > kept.spilled_requests_frac


def test_a_hybrid_without_reservation_and_without_own_instances() -> None:
    cheap_api = list(compare_fleets(a_day(), terms("0.0000001", reserved=None)))[-1]
    assert cheap_api.spilled_requests_frac == 1.0
    assert [line.label for line in cheap_api.statement.lines][-1] == "spilled: requests"
    assert np.isnan(cheap_api.ttft_p99_s)
    assert not any("reserved_1y" in line.label for line in cheap_api.statement.lines)


def test_the_same_seed_gives_the_same_results() -> None:
    first, second = (compare_fleets(a_day(), terms()) for _ in range(2))
    assert [each.statement for each in first] == [each.statement for each in second]
    assert [each.ttft_p99_s for each in first] == [each.ttft_p99_s for each in second]
