"""Monthly cost as a function of volume: a line for an API, steps for anything that is bought whole."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurve:
    """``fixed + per_daily_request * v + unit * sum(ceil(v / c) for c in unit_requests_per_day)``.

    ``v`` is a whole number of requests a day (>= 1); all money is US dollars a month, exact. A unit is what is bought
    whole (an instance, a device, a provisioned-throughput unit) and ``unit_requests_per_day`` the daily volume that one
    of them carries, rounded down to a whole request. An always-on fleet has one entry. A fleet that is billed by the
    hour it is up has 24, one for each hour of the day, and ``unit_usd_per_month`` is then one hour of every day.
    """

    fixed_usd_per_month: Fraction = Fraction(0)
    usd_per_month_per_daily_request: Fraction = Fraction(0)
    unit_usd_per_month: Fraction = Fraction(0)
    unit_requests_per_day: tuple[int, ...] = ()

    def units(self, requests_per_day: int) -> int:
        """Units bought at this volume (unit-hours of a day for a fleet billed by the hour)."""
        return sum(-(-requests_per_day // capacity) for capacity in self.unit_requests_per_day)

    def usd_per_month(self, requests_per_day: int) -> Fraction:
        """Exact monthly cost in US dollars at a whole number of requests a day."""
        return (
            self.fixed_usd_per_month
            + self.usd_per_month_per_daily_request * requests_per_day
            + self.unit_usd_per_month * self.units(requests_per_day)
        )
