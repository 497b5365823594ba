"""Hours, replicas and spilled requests as money: exact until rounded once, and the same by line and by sum."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from breakeven import units
from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.options.instance_hours import float_usd_per_h, hours_line, hours_usd, month_usd, price_in_turns
from breakeven.options.replica_price import ReplicaPrice

USD = st.integers(1, 10**7).map(lambda parts: Decimal(parts) / 10_000)
HOURS = st.fractions(0, 10**6)


def price(usd: Decimal, option: PurchaseOption = "on_demand") -> PurchasePrice:
    return PurchasePrice(
        option=option, usd_per_h=usd, low_usd_per_h=usd / 2, high_usd_per_h=usd * 2, basis="quoted", source="a test"
    )


@given(USD, HOURS)
def test_a_line_of_hours_is_their_exact_price_rounded_once(usd: Decimal, hours: Fraction) -> None:
    exact = hours_usd(price(usd), hours)
    assert exact == Fraction(usd) * hours
    line = hours_line("h100", price(usd), hours)
    assert (line.label, line.unit, line.usd_per_unit) == ("h100, on_demand", "instance-hour", usd)
    # The line's quantity has fifteen decimals, so only a tie can come out one nano-dollar apart.
    assert abs(line.usd_per_month - units.rounded_usd(exact)) <= units.NANO_USD


@given(USD, st.integers(1, 10_000))
def test_a_month_of_whole_instances_is_730_hours_of_each(usd: Decimal, instances: int) -> None:
    one_hour = hours_usd(price(usd), instances)
    assert month_usd(one_hour, 1) == hours_line("h100", price(usd), 730 * instances).usd_per_month
    assert month_usd(one_hour * 24, 24) == usd * 730 * instances


@given(USD, st.integers(1, 16), HOURS)
def test_the_replicas_of_an_instance_pay_for_all_of_it(usd: Decimal, replicas: int, hours: Fraction) -> None:
    share = ReplicaPrice.share_of(price(usd), replicas)
    assert share.usd(hours * replicas) == units.rounded_usd(hours_usd(price(usd), hours))
    assert abs(share.usd_per_replica_h * replicas - usd) < Decimal("1E-20")


def test_three_replicas_share_a_price_to_the_nano_dollar() -> None:
    """A third in 28 digits would fall just short of this tie: 0.0000000015 is rounded to the even 2."""
    share = ReplicaPrice.share_of(price(Decimal("0.0045")), 3)
    assert share.usd(Decimal("0.000001")) == Decimal("0.000000002")


@given(USD, USD, st.floats(0, 1_000), st.floats(0, 1_000))
def test_ways_of_buying_in_turn_cost_their_hours(spot: Decimal, usd: Decimal, spot_h: float, h: float) -> None:
    held = ((price(spot, "spot"), spot_h), (price(usd), h))
    found = price_in_turns(held, Fraction(100), "watched")
    assert found.usd_per_h == units.rounded_usd(sum(hours_usd(*each) for each in held) / Fraction(100))
    assert found.low_usd_per_h <= found.usd_per_h <= found.high_usd_per_h
    assert (found.option, found.basis, found.source) == ("spot", "modelled", "watched")


def test_what_is_not_for_sale_weighs_infinitely() -> None:
    assert (float_usd_per_h(None), float_usd_per_h(price(Decimal("1.5")))) == (inf, 1.5)
