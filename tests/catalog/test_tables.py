"""A wrong row of the catalogue is refused with the file and the line, whatever is wrong with it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.tables import Row, read_table, rows
from breakeven.errors import CatalogError


def row(**cells: str) -> Row:
    return Row(file="some.csv", line=7, cells=cells)


def test_a_row_is_counted_by_the_line_a_person_sees() -> None:
    first, second = rows("some.csv", "name,usd\na,1\nb,2\n")
    assert (first.line, second.line) == (2, 3)
    assert second.amount("usd") == Decimal(2)


@pytest.mark.parametrize("text", ["name,usd\na\n", "name,usd\na,1,extra\n"])
def test_a_row_of_another_length_than_the_header_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match=r"some\.csv, line 2"):
        list(rows("some.csv", text))


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("", Row.text),
        ("", Row.number),
        ("0", Row.number),
        ("-1", Row.number),
        ("nan", Row.number),
        ("inf", Row.number),
        ("abc", Row.number),
        ("1.5", Row.count),
        ("", Row.count),
        ("-3", Row.count),
        ("", Row.amount),
        ("NaN", Row.optional_amount),
        ("sNaN", Row.optional_amount),
        ("-0.1", Row.optional_price),
        ("0", Row.optional_price),
        ("0.00", Row.optional_price),
        ("24-11-2026", Row.date),
        ("", Row.date),
    ],
)
def test_a_cell_that_cannot_be_right_is_refused_with_its_line(cell: str, read: object) -> None:
    with pytest.raises(CatalogError, match=r"some\.csv, line 7") as refused:
        read(row(quantity=cell), "quantity")  # type: ignore[operator]
    assert refused.value.hint


@given(st.text(max_size=30))
def test_any_text_in_a_price_is_a_positive_number_unknown_or_refused(cell: str) -> None:
    try:
        price = row(price=cell).optional_price("price")
    except CatalogError:
        return
    assert (price is None and not cell.strip()) or (price is not None and price.is_finite() and price > 0)


def test_a_blank_price_is_unknown_and_not_zero() -> None:
    assert row(price="  ").optional_price("price") is None


def test_a_word_outside_the_list_is_refused() -> None:
    with pytest.raises(CatalogError, match="must be one of hour, second"):
        row(billing="minute").choice("billing", ("hour", "second"))


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(CatalogError, match="column 'usd' is missing"):
        row(name="a").optional_text("usd")


def test_every_table_says_where_and_when_its_rows_come_from() -> None:
    for table in ("accelerators", "open_models", "gpu_offers", "gpu_price_multipliers", "edge_devices", "electricity"):
        for source, checked_on in read_table(
            f"{table}.csv", lambda each: (each.text("source"), each.date("checked_on"))
        ):
            assert source
            assert checked_on.year >= 2026
