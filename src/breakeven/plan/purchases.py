"""The ways to buy the same fleet, side by side."""

from __future__ import annotations

from breakeven import units
from breakeven.options.gpu_fleet import GpuFleets
from breakeven.plan.market import Market
from breakeven.plan.plan import Purchase


def purchases(market: Market, row: int | None) -> tuple[Purchase, ...]:
    """Each price at which the fleet of a row is sold, cheapest first; empty where the row is not a fleet of GPUs."""
    if row is None:
        return ()
    place = market.place(row)
    table = market.tables[place.table]
    if not isinstance(table, GpuFleets):
        return ()
    found = [_purchase(table, other, market.requests_per_day) for other in table.bought_otherwise(place.row)]
    return tuple(sorted(found, key=lambda purchase: purchase.usd_per_month))


def _purchase(table: GpuFleets, row: int, requests_per_day: int) -> Purchase:
    terms, code = table.terms(row), int(table.refusal[row])
    return Purchase(
        option=terms.option,
        usd_per_h=terms.usd_per_h,
        low_usd_per_h=terms.low_usd_per_h,
        high_usd_per_h=terms.high_usd_per_h,
        usd_per_month=units.rounded_usd(table.curve(row).usd_per_month(requests_per_day)),
        basis=terms.basis,
        refusal=table.refusal_reasons[code - 1] if code else "",
    )
