"""One reader for the catalogue's tables: a CSV row becomes a value, or an error that names file and line."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import NoReturn, TypeVar

from breakeven.errors import CatalogError

T = TypeVar("T")
Word = TypeVar("Word", bound=str)

_HINT = "correct the row, then run `breakeven catalog check`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table, read cell by cell; each reader raises CatalogError with the file and the line."""

    file: str
    line: int
    cells: Mapping[str, str]

    def wrong(self, reason: str) -> CatalogError:
        """The error for this row, to be raised by the caller."""
        return CatalogError(f"{self.file}, line {self.line}: {reason}", cause=f"row: {self._shown()}", hint=_HINT)

    def optional_text(self, column: str) -> str:
        """The cell, stripped; empty when blank."""
        if column not in self.cells:
            raise self.wrong(f"column {column!r} is missing")
        return (self.cells[column] or "").strip()

    def text(self, column: str) -> str:
        """The cell, which must not be blank."""
        return self.optional_text(column) or self._blank(column)

    def number(self, column: str) -> float:
        """A positive number."""
        value = self.optional_number(column)
        if value is None or value <= 0:
            raise self.wrong(f"{column} must be a positive number, not {self.optional_text(column)!r}")
        return value

    def optional_number(self, column: str) -> float | None:
        """A number of at least zero, or None when the cell is blank."""
        amount = self.optional_amount(column)
        return None if amount is None else float(amount)

    def count(self, column: str) -> int:
        """A whole number of at least zero."""
        value = self.optional_number(column)
        if value is None or value != int(value):
            raise self.wrong(f"{column} must be a whole number, not {self.optional_text(column)!r}")
        return int(value)

    def count_or(self, column: str, default: int) -> int:
        """A whole number of at least zero, or ``default`` when the cell is blank."""
        return self.count(column) if self.optional_text(column) else default

    def amount(self, column: str) -> Decimal:
        """An exact decimal of at least zero."""
        value = self.optional_amount(column)
        return self._blank(column) if value is None else value

    def optional_amount(self, column: str) -> Decimal | None:
        """An exact decimal of at least zero, or None when the cell is blank (unknown, never zero)."""
        text = self.optional_text(column)
        if not text:
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise self.wrong(f"{column} must be a number, not {text!r}") from None
        if not value.is_finite() or value < 0:
            raise self.wrong(f"{column} must be a number of at least 0, not {text!r}")
        return value

    def optional_price(self, column: str) -> Decimal | None:
        """An exact price above zero, or None when the cell is blank: an unknown price is never a price of zero."""
        value = self.optional_amount(column)
        if value == 0:
            raise self.wrong(f"{column} is 0; leave the cell blank where the price is unknown")
        return value

    def date(self, column: str) -> datetime.date:
        """An ISO date, such as 2026-11-24."""
        text = self.text(column)
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            raise self.wrong(f"{column} must be a date such as 2026-11-24, not {text!r}") from None

    def choice(self, column: str, allowed: tuple[Word, ...]) -> Word:
        """One of the allowed words."""
        text = self.text(column)
        for word in allowed:
            if word == text:
                return word
        raise self.wrong(f"{column} must be one of {', '.join(allowed)}, not {text!r}")

    def _blank(self, column: str) -> NoReturn:
        raise self.wrong(f"{column} is blank")

    def _shown(self) -> str:
        return ", ".join(str(cell) for cell in self.cells.values() if cell)[:120]


def rows(file: str, text: str) -> Iterator[Row]:
    """The rows of a CSV text with a header line; ``file`` is only used in errors."""
    reader = csv.DictReader(text.splitlines(), restkey="surplus")
    for cells in reader:
        row = Row(file=file, line=reader.line_num, cells=cells)
        if None in cells.values() or "surplus" in cells:
            raise row.wrong("the row has more or fewer cells than the header")
        yield row


def read_table(file: str, build: Callable[[Row], T]) -> tuple[T, ...]:
    """Every row of the table ``data/<file>``, each turned into a value by ``build``.

    Raises:
        CatalogError: a row breaks a rule; the message names the file and the line.
    """
    text = (files(__package__) / "data" / file).read_text(encoding="utf-8")
    return tuple(build(row) for row in rows(file, text))
