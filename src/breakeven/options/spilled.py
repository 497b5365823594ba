"""What requests cost that a fleet sends to an API: the price of their very tokens, tier by tier."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from breakeven import units
from breakeven.catalog import pricing
from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.pricing import TokenTotals
from breakeven.options.curve import Ints
from breakeven.options.hosted_api import hosted_line
from breakeven.options.statement import CostLine


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
