"""Volume in the months to come."""

from __future__ import annotations

from breakeven.workload.workload import Workload


def requests_per_day_in_month(workload: Workload, month: int) -> int:
    """Requests per day in ``month`` (0 is now), compounding ``growth_per_month_frac``; whole, at least 1."""
    return max(1, round(workload.requests_per_day * (1 + workload.growth_per_month_frac) ** month))
