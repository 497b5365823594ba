"""Plain text for a terminal: wrapped sentences and tables that fit the width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from breakeven.render.document import Column, Document, Row, Section, Table

DEFAULT_WIDTH = 100
"""Columns of text where no terminal says otherwise."""

MINIMUM_WRAPPED_WIDTH = 12
"""A wrapping column is never made narrower than this, even where the table then exceeds the terminal."""

LONGEST_WHOLE_WORD = 19
"""Words up to this length, such as model names, are not broken where a column wraps."""

_PIECE = re.compile(r"[^/_-]+[/_-]*|[/_-]+")
_GAP = "  "
_MARK = "✔"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStyle:
    """Width in columns, and whether the terminal shows colours."""

    width: int = DEFAULT_WIDTH
    coloured: bool = False

    def bold(self, text: str) -> str:
        """Headings and the chosen row."""
        return f"\x1b[1m{text}\x1b[0m" if self.coloured else text

    def faint(self, text: str) -> str:
        """Rules and table headers."""
        return f"\x1b[2m{text}\x1b[0m" if self.coloured else text


PLAIN = TextStyle()
"""The style of files and pipes."""


def render(document: Document, style: TextStyle = PLAIN) -> str:
    """The document as text, ending in a newline."""
    blocks = [style.bold(_wrapped(document.title, style.width)), *_paragraphs(document.headline, style)]
    lines = ["\n".join(blocks)]
    lines += ["\n".join(_section_lines(section, style)) for section in document.sections]
    return "\n\n".join(lines) + "\n"


def printable(text: str) -> str:
    r"""The text without control characters, so that a name from a file cannot steer the terminal.

    >>> printable("a\x1b[31mb\n")
    'a?[31mb?'
    """
    return "".join(character if character.isprintable() else "?" for character in text)


def _section_lines(section: Section, style: TextStyle) -> Iterator[str]:
    yield style.bold(_wrapped(section.title, style.width))
    yield from _paragraphs(section.sentences, style)
    for point in section.points:
        yield _wrapped(point, style.width, first="  - ", rest="    ")
    if section.table is not None:
        yield from table_lines(section.table, style)
    yield from _paragraphs(section.notes, style)


def _paragraphs(sentences: Sequence[str], style: TextStyle) -> list[str]:
    return [_wrapped(sentence, style.width) for sentence in sentences]


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        printable(text), width=max(width, 20), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def table_lines(table: Table, style: TextStyle = PLAIN) -> Iterator[str]:
    """The table's lines: header, rule, rows; a mark column is added where a row is marked."""
    marks = any(row.marked for row in table.rows)
    columns = (Column(title=""), *table.columns) if marks else table.columns
    rows = [_printed_cells(row, marks=marks) for row in table.rows]
    widths = _fitted_widths(columns, rows, style.width)
    for line in _row_lines([column.title for column in columns], columns, widths):
        yield style.faint(line)
    yield style.faint(_GAP.join("─" * width for width in widths))
    for row, cells in zip(table.rows, rows, strict=True):
        for line in _row_lines(cells, columns, widths):
            yield style.bold(line) if row.marked else line


def _printed_cells(row: Row, *, marks: bool) -> list[str]:
    mark = [_MARK if row.marked else ""] if marks else []
    return mark + [printable(cell) for cell in row.cells]


def _fitted_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Natural widths, the wrapping columns then narrowed, widest first, until the table fits."""
    widths = [
        max([_title_width(column.title), *(len(row[place]) for row in rows)]) for place, column in enumerate(columns)
    ]
    narrowest = [_narrowest(column, [row[place] for row in rows]) for place, column in enumerate(columns)]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        flexible = [place for place, column in enumerate(columns) if column.wraps and widths[place] > narrowest[place]]
        if not flexible:
            break
        widest = max(flexible, key=lambda place: widths[place])
        widths[widest] -= 1
        excess -= 1
    return widths


def _narrowest(column: Column, cells: Sequence[str]) -> int:
    """The least width of a wrapping column: whole words, where they are not very long."""
    longest_word = max((len(word) for cell in cells for word in cell.split()), default=0)
    return max(MINIMUM_WRAPPED_WIDTH, _title_width(column.title), min(longest_word, LONGEST_WHOLE_WORD))


def _title_width(title: str) -> int:
    """The least width at which the title takes no more than two lines."""
    width = max((len(word) for word in title.split()), default=0)
    while width and len(textwrap.wrap(title, width)) > 2:
        width += 1
    return width


def wrapped_cell(text: str, width: int) -> list[str]:
    """The cell's lines; a word that is longer than the column breaks after a slash, hyphen or underscore.

    >>> wrapped_cell("nscale/Qwen3-4B-Instruct-2507 (batch)", 16)
    ['nscale/Qwen3-4B-', 'Instruct-2507', '(batch)']
    """
    lines = [""]
    for word in text.split():
        joint = " " if lines[-1] else ""
        for part in [word] if len(word) <= width else _word_parts(word, width):
            if len(lines[-1]) + len(joint) + len(part) > width and lines[-1]:
                lines.append(part)
            else:
                lines[-1] += joint + part
            joint = ""
    return lines


def _word_parts(word: str, width: int) -> Iterator[str]:
    """The pieces of a long word, each no longer than the width."""
    for piece in _PIECE.findall(word):
        for start in range(0, len(piece), width):
            yield piece[start : start + width]


def _row_lines(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    stacks = [wrapped_cell(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for level in range(max(len(stack) for stack in stacks)):
        parts = [stack[level] if level < len(stack) else "" for stack in stacks]
        yield _GAP.join(
            part.rjust(width) if column.align == "right" else part.ljust(width)
            for part, column, width in zip(parts, columns, widths, strict=True)
        ).rstrip()
