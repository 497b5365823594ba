"""What the price commands print, in each of their formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from breakeven.catalog.price_card import PriceCard, PriceRates
from breakeven.catalog.price_check import CheckReport, StaleRows
from breakeven.catalog.price_update import PriceChange, UpdateReport
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import InputError
from breakeven.render.json import published_schema
from breakeven.render.price_checks import render_check, render_update
from breakeven.render.price_lists import CardList, render_cards
from breakeven.render.prices import render_price

DAY = date(2026, 11, 24)
RATES = PriceRates(input_usd_per_mtok=Decimal("0.00000000000000001"), output_usd_per_mtok=Decimal(8))
CARD = PriceCard(
    provider="maker", model="=model", processing="standard", tiers=(RATES,), checked_on=date(2026, 11, 9), source="list"
)
FREE = replace(CARD, tiers=(PriceRates(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0)),))
REFUSED = replace(CARD, tiers=(), refusal="no published price")

UPDATE = UpdateReport(
    source="list (updated)",
    models_before=2,
    models_after=2,
    changes=(
        PriceChange(label="maker/=model", before=CARD, after=FREE),
        PriceChange(label="maker/new", before=None, after=REFUSED),
        *(PriceChange(label=f"maker/{n}", before=CARD, after=None) for n in range(30)),
    ),
    path=Path("price_list.json"),
)
CHECK = CheckReport(
    checked_at=DAY,
    compared=1,
    agreed=1,
    unmatched=(),
    disagreements=(),
    stale=(
        StaleRows(table="GPU offers", source="page", checked_on=date(2026, 1, 1), age_days=327, rows=1, example="a/b"),
    ),
)
RENDERERS: dict[str, Callable[[str], str]] = {
    "price": lambda output_format: render_price(price(CARD, Usage(input_tokens=3)), DAY, output_format),
    "prices": lambda output_format: render_cards(CardList(at=DAY, cards=(CARD, FREE, REFUSED), total=5), output_format),
    "price-check": lambda output_format: render_check(CHECK, output_format),
    "price-update": lambda output_format: render_update(UPDATE, output_format),
}


@pytest.mark.parametrize("name", RENDERERS)
def test_json_is_what_the_published_schema_says(name: str) -> None:
    Draft202012Validator(published_schema(name)).validate(json.loads(RENDERERS[name]("json")))


@pytest.mark.parametrize("name", RENDERERS)
def test_csv_has_cells_for_every_column_and_no_formula(name: str) -> None:
    header, *rows = csv.reader(io.StringIO(RENDERERS[name]("csv")))
    assert all(len(row) == len(header) for row in rows)
    assert not any(cell.startswith("=") for row in rows for cell in row)


@pytest.mark.parametrize("name", RENDERERS)
def test_an_unknown_format_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="no format 'yaml'"):
        RENDERERS[name]("yaml")


def test_a_tiny_price_keeps_its_digits_in_every_format() -> None:
    for output_format in ("text", "json", "csv"):
        assert "0.00000000000000001" in RENDERERS["prices"](output_format)


def test_free_refused_and_hidden_prices_are_said_in_words() -> None:
    printed = RENDERERS["prices"]("text")
    assert "free tier" in printed
    assert "no published price" in printed
    assert "2 more" in printed
    assert "free endpoint" in render_price(price(FREE, Usage(input_tokens=3)), DAY, "text")


def test_what_a_part_is_charged_as_is_said() -> None:
    usage = Usage(input_tokens=3, cache_read_tokens=2)
    assert "cache read (charged as input)" in render_price(price(CARD, usage), DAY, "text")


def test_many_requests_say_the_price_of_each() -> None:
    printed = render_price(price(CARD, Usage(output_tokens=1_000), requests=1_000), DAY, "text")
    assert "$8.00 for 1,000 requests, each $0.008." in printed


def test_an_update_names_its_first_changes_and_counts_the_rest() -> None:
    printed = RENDERERS["price-update"]("text")
    assert "maker/new: none -> no published price" in printed
    assert "12 more" in printed


def test_stale_rows_are_listed_with_their_age() -> None:
    printed = RENDERERS["price-check"]("text")
    assert "GPU offers: 1 row of page, checked 2026-01-01 (327 days ago), such as a/b" in printed
    assert "1 agree, 0 do not" in printed
