"""Requests that own instances do not take, at a hosted option's price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from breakeven import units
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
