"""What power costs, by place, and what a building adds to it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal, get_args

from breakeven.catalog.tables import Row, read_table

ElectricityUnit = Literal["usd_per_kwh", "usd_per_kw_month", "ratio"]
"""A price of energy, a price of a kilowatt held for a month, or energy bought over energy used (PUE)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricityRow:
    """One dated figure about power."""

    name: str
    quantity: Decimal
    unit: ElectricityUnit
    year: int
    source: str
    checked_on: datetime.date
    confidence: str


@cache
def electricity() -> tuple[ElectricityRow, ...]:
    """All figures, in the order of ``data/electricity.csv``.

    Raises:
        CatalogError: a row is wrong.
    """
    return read_table("electricity.csv", _electricity)


def _electricity(row: Row) -> ElectricityRow:
    found = ElectricityRow(
        name=row.text("name"),
        quantity=row.amount("quantity"),
        unit=row.choice("unit", get_args(ElectricityUnit)),
        year=row.count("year"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
        confidence=row.text("confidence"),
    )
    if found.unit == "usd_per_kwh" and not Decimal("0.01") <= found.quantity <= Decimal(1):
        raise row.wrong("a price of energy must be between 0.01 and 1 USD per kWh")
    if found.unit == "ratio" and found.quantity < 1:
        raise row.wrong("no building uses less energy than its computers")
    return found
