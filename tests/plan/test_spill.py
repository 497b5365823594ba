"""Own fleet for the trough, the peak to an API: the number of instances is the best one, and the money adds up."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.offers import PurchasePrice
from breakeven.errors import InputError
from breakeven.options.curve import CostCurve
from breakeven.options.option import Option, Quality
from breakeven.options.spilled_requests import ApiPrice
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.spill import Hybrid, OwnInstance


def own(requests_per_s: float, usd_per_h: Decimal | str, staff_usd: int = 0) -> OwnInstance:
    usd = Decimal(usd_per_h)
    staff = CostLine(
        label="staff", quantity=Decimal(1), unit="engineer", usd_per_unit=Decimal(staff_usd), basis="assumed"
    )
    return OwnInstance(
        name="h100",
        requests_per_s=requests_per_s,
        price=PurchasePrice(
            option="on_demand", usd_per_h=usd, low_usd_per_h=usd, high_usd_per_h=usd, basis="quoted", source="a test"
        ),
        fixed=(staff,) if staff_usd else (),
    )


def api(usd_per_request: Decimal | str, requests_per_day: int = 12) -> ApiPrice:
    """A hosted option whose statement is for 12 requests a day: 365 a month."""
    usd = Decimal(usd_per_request)
    monthly = Decimal(requests_per_day * 365) / 12
    return ApiPrice(
        option=Option(
            kind="api",
            label="a/model",
            statement=CostStatement(
                lines=(CostLine(label="input", quantity=monthly, unit="request", usd_per_unit=usd, basis="quoted"),)
            ),
            curve=CostCurve(usd_per_month_per_daily_request=Fraction(usd) * Fraction(365, 12)),
            ttft_s=None,
            tpot_s=None,
            latency_note="",
            quality=Quality(tier="good"),
            control="provider",
        ),
        requests_per_day=requests_per_day,
    )


RATES = st.lists(st.integers(0, 400).map(lambda tenths: tenths / 10), min_size=1, max_size=30)


@given(RATES, st.integers(1, 60), st.integers(1, 2_000), st.integers(0, 3_000), st.integers(1, 100))
def test_brute_force_finds_nothing_cheaper(
    demand: list[float], tenths: int, cents: int, staff: int, per_request: int
) -> None:
    hybrid = Hybrid(demand, own(tenths / 10, Decimal(cents) / 100, staff), api(Decimal(per_request) / 1_000_000))
    plan = hybrid.plan()
    everything = [hybrid.usd_per_month(n) for n in range(hybrid.most_instances + 2)]
    assert hybrid.usd_per_month(plan.instances) == min(everything)
    assert abs(plan.statement.usd_per_month - Decimal(float(min(everything)))) < Decimal("1e-4")
    assert all(plan.statement.usd_per_month <= each.usd_per_month + Decimal("1e-6") for each in plan.alternatives)


@given(RATES, st.integers(1, 60))
def test_what_is_not_carried_is_spilled(demand: list[float], tenths: int) -> None:
    hybrid = Hybrid(demand, own(tenths / 10, "1.00"), api("0.001"))
    for instances in range(3):
        expected = sum(max(Fraction(0), Fraction(rate) - Fraction(tenths / 10) * instances) for rate in demand)
        monthly = expected * 730 * 3600 / len(demand)
        assert hybrid.spilled_requests_per_month(instances) == monthly


def test_a_day_with_a_peak() -> None:
    """One request a second by night, eleven for two hours: one instance of two a second, the rest spilled."""
    demand = [1.0] * 22 + [11.0] * 2
    plan = Hybrid(demand, own(2.0, "3.00"), api("0.001")).plan()
    assert plan.instances == 1
    # 9 a second for 2 of 24 hours, 730 hours a month.
    spilled_usd = units_usd(9 * 3600 * 730 * Fraction(2, 24) * Fraction(1, 1000))
    assert plan.statement.usd_per_month == Decimal("3.00") * 730 + spilled_usd
    assert plan.spilling_intervals_frac == pytest.approx(2 / 24)
    assert plan.spilled_requests_frac == pytest.approx(18 / 44)
    assert {each.name: each.usd_per_month for each in plan.alternatives} == {
        "all on own instances": Decimal("3.00") * 730 * 6,
        "all on the API": units_usd(44 * 3600 * 730 / Fraction(24) / 1000),
    }
    assert [line.label for line in plan.statement.lines] == ["h100, on_demand", "spilled: input"]


def units_usd(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def test_staff_decides_between_some_instances_and_none() -> None:
    demand, price = [1.0] * 24, api("0.001")  # 2,628 US dollars a month on the API
    assert Hybrid(demand, own(2.0, "3.00"), price).plan().instances == 1
    none = Hybrid(demand, own(2.0, "3.00", staff_usd=15_000), price).plan()
    assert none.instances == 0
    assert none.statement.usd_per_month == 2_628
    assert [line.label for line in none.statement.lines] == ["spilled: input"]
    cheap_staff = Hybrid(demand, own(2.0, "3.00", staff_usd=100), price).plan()
    assert [line.label for line in cheap_staff.statement.lines] == ["h100, on_demand", "staff", "spilled: input"]


def test_no_demand_needs_nothing() -> None:
    plan = Hybrid([0.0, 0.0], own(2.0, "3.00"), api("0.001")).plan()
    assert (plan.instances, plan.statement.usd_per_month, plan.spilled_requests_frac) == (0, 0, 0.0)


@pytest.mark.parametrize("demand", [[], [-1.0], [float("inf")]])
def test_a_demand_that_is_none_is_refused(demand: list[float]) -> None:
    with pytest.raises(InputError):
        Hybrid(demand, own(2.0, "3.00"), api("0.001"))


def test_an_instance_that_carries_nothing_is_refused() -> None:
    with pytest.raises(InputError):
        Hybrid([1.0], own(0.0, "3.00"), api("0.001"))
