"""Prices of energy are plausible and dated, and rows that are not are refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.catalog import electricity as room
from breakeven.catalog.electricity import electricity
from breakeven.catalog.tables import read_table
from breakeven.errors import CatalogError


def test_the_default_of_fifteen_cents_lies_inside_the_known_range() -> None:
    prices = [row.quantity for row in electricity() if row.unit == "usd_per_kwh"]
    assert min(prices) == Decimal("0.08")
    assert max(prices) == Decimal("0.45")
    assert min(prices) < Decimal("0.15") < max(prices)


def test_the_energy_prices_are_those_of_the_reference_table(shared_data: Path) -> None:
    with (shared_data / "catalog" / "electricity.csv").open(encoding="utf-8") as table:
        reference = {row["region"]: Decimal(row["usd_per_kwh"]) for row in csv.DictReader(table)}
    for row in electricity():
        if row.unit == "usd_per_kwh":
            assert reference[row.name] == row.quantity


def test_a_kilowatt_month_and_a_ratio_are_not_prices_of_energy() -> None:
    units = {row.name: row.unit for row in electricity()}
    assert units["Colocation all-in"] == "usd_per_kw_month"
    assert units["PUE industry average"] == "ratio"


@pytest.mark.parametrize(
    ("unit", "quantity"),
    [("usd_per_kwh", "15"), ("usd_per_kwh", "0"), ("ratio", "0.9"), ("cents", "15"), ("ratio", "x")],
)
def test_a_wrong_row_is_refused(unit: str, quantity: str) -> None:
    (first, *_) = read_table("electricity.csv", lambda row: row)
    with pytest.raises(CatalogError, match=r"electricity\.csv, line 2"):
        room._electricity(replace(first, cells={**first.cells, "unit": unit, "quantity": quantity}))
