"""Requests that own instances do not take: so many mean ones at a hosted option's price, or very ones at a card's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from breakeven import units
from breakeven.catalog import pricing
from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.token_totals import TokenTotals
from breakeven.options.curve import Ints
from breakeven.options.hosted_api import hosted_line
from breakeven.options.option import Option
from breakeven.options.statement import CostLine, quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPrice:
    """A hosted option as priced for some requests a day, for any other number of them."""

    option: Option
    requests_per_day: int

    def usd(self, requests: Fraction | float) -> Fraction:
        """What so many mean requests cost, US dollars, exact."""
        return self.option.curve.usd_per_month_per_daily_request / units.DAYS_PER_MONTH * Fraction(requests)

    def lines(self, requests_per_month: Fraction) -> tuple[CostLine, ...]:
        """The option's lines for this many requests a month."""
        share = requests_per_month / (self.requests_per_day * units.DAYS_PER_MONTH)
        return tuple(
            replace(line, label=f"spilled: {line.label}", quantity=quantity(Fraction(line.quantity) * share))
            for line in self.option.statement.lines
        )


def spilled_usd(card: PriceCard, input_tokens: Ints, output_tokens: Ints) -> Decimal:
    """US dollars of these requests, columns of shape (n,), rounded once to a nano-dollar.

    Raises:
        Unpriced: the card cannot price them, and why.
    """
    if not len(input_tokens):
        return units.rounded_usd(Fraction(0))
    mean = pricing.mean_usd_per_request(card, TokenTotals.of(input_tokens, output_tokens))
    return units.rounded_usd(mean * len(input_tokens))


def spilled_lines(
    card: PriceCard, input_tokens: Ints, output_tokens: Ints, requests_per_month: Fraction
) -> tuple[CostLine, ...]:
    """The lines of so many requests a month like these; none where there are none.

    Raises:
        Unpriced: the card cannot price them, and why.
    """
    if not len(input_tokens):
        return ()
    lines = pricing.mean_lines(card, TokenTotals.of(input_tokens, output_tokens))
    told = (hosted_line(card, line, requests_per_month) for line in lines)
    return tuple(replace(line, label=f"spilled: {line.label}") for line in told)
