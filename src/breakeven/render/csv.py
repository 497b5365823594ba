"""CSV for spreadsheets: a stable header, exact numbers, and no cell that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV with Unix line ends; text cells must have passed `text_cell`, numbers are written as they are."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()


def text_cell(text: str) -> str:
    """Text made safe: a leading formula character gets an apostrophe before it, as spreadsheets expect.

    >>> text_cell("=HYPERLINK()"), text_cell("openai/gpt-4o")
    ("'=HYPERLINK()", 'openai/gpt-4o')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
