"""Hours of instances into money: the one place where hours that are held meet the price of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import inf

from breakeven import units
from breakeven.catalog.offers import PurchasePrice
from breakeven.options.statement import CostLine, quantity


def hours_usd(price: PurchasePrice, instance_hours: Fraction | float) -> Fraction:
    """What these hours cost, US dollars, exact: to be compared, or rounded once."""
    return Fraction(price.usd_per_h) * Fraction(instance_hours)


def hours_line(name: str, price: PurchasePrice, instance_hours_per_month: Fraction | int) -> CostLine:
    """The hours of a month as a line of a statement."""
    return CostLine(
        label=f"{name}, {price.option}",
        quantity=quantity(Fraction(instance_hours_per_month)),
        unit="instance-hour",
        usd_per_unit=price.usd_per_h,
        basis=price.basis,
        source=price.source,
    )


def month_usd(usd: Fraction | Decimal | float, hours: Fraction | int) -> Decimal:
    """US dollars of some hours, for a month of 730 hours like them."""
    return units.rounded_usd(Fraction(usd) * units.HOURS_PER_MONTH / hours)


def float_usd_per_h(price: PurchasePrice | None) -> float:
    """An hour's US dollars for a search that chooses in floats, infinite where it is not for sale. Never printed."""
    return inf if price is None else float(price.usd_per_h)


def price_in_turns(held: Sequence[tuple[PurchasePrice, float]], wanted_h: Fraction, source: str) -> PurchasePrice:
    """What an hour of a wanted instance costs where it is bought in one way after another, from low to high.

    ``held`` is the hours paid for at each price; the first is the way of buying that the whole is called by.
    """

    def mean(ends: Sequence[Decimal]) -> Decimal:
        paid = sum((Fraction(usd) * Fraction(hours) for usd, (_, hours) in zip(ends, held, strict=True)), Fraction(0))
        return units.rounded_usd(paid / wanted_h)

    prices = [price for price, _ in held]
    return PurchasePrice(
        option=prices[0].option,
        usd_per_h=mean([price.usd_per_h for price in prices]),
        low_usd_per_h=mean([price.low_usd_per_h for price in prices]),
        high_usd_per_h=mean([price.high_usd_per_h for price in prices]),
        basis="modelled",
        source=source,
    )
