"""What a value says, before a format is chosen: sections of sentences and tables, laid out by text, Markdown and HTML.

A value becomes a `Document` once, so all formats made for reading carry the same numbers by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A table column; ``wraps`` says that its cells may be broken over lines where the room is short."""

    title: str
    align: Align = "left"
    wraps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells as text, one a column; ``marked`` rows are the ones that the reader looks for."""

    cells: tuple[str, ...]
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under columns; ``caption`` says what the table shows to those who cannot see it."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A Vega-Lite specification with what it shows in words; the section's table carries its numbers."""

    title: str
    description: str
    spec: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading: sentences, bullet points, then a table. ``folded`` may be closed where a format can fold."""

    title: str
    sentences: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()
    chart: Chart | None = None
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A title, the answer in a sentence or two, and the sections behind it."""

    title: str
    headline: tuple[str, ...]
    sections: tuple[Section, ...]


def left(title: str, *, wraps: bool = False) -> Column:
    """A column of words."""
    return Column(title=title, wraps=wraps)


def right(title: str) -> Column:
    """A column of numbers."""
    return Column(title=title, align="right")


def sentence(text: str) -> str:
    """The text with one full stop.

    >>> sentence("cheapest"), sentence("Why?")
    ('cheapest.', 'Why?')
    """
    return text if text.endswith((".", "!", "?")) else f"{text}."
