"""GitHub-flavoured Markdown: the same document, for a pull request or a wiki."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from breakeven.render.document import Column, Document, Section, Table
from breakeven.render.text import printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def render(document: Document) -> str:
    """The document as Markdown, ending in a newline; folded sections become ``<details>``."""
    blocks = [f"# {escape(document.title)}", *(f"**{escape(sentence)}**" for sentence in document.headline)]
    for section in document.sections:
        blocks.extend(_section_blocks(section))
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    r"""Text that Markdown prints as it is, on one line.

    >>> escape("a|b *c* <d>")
    'a\\|b \\*c\\* \\<d\\>'
    """
    return _SPECIAL.sub(r"\\\1", printable(" ".join(text.split())))


def _section_blocks(section: Section) -> Iterator[str]:
    if section.folded:
        yield f"<details><summary>{html.escape(section.title)}</summary>"
    else:
        yield f"## {escape(section.title)}"
    yield from (escape(sentence) for sentence in section.sentences)
    if section.points:
        yield "\n".join(f"- {escape(point)}" for point in section.points)
    if section.table is not None:
        yield table_text(section.table)
    yield from (escape(note) for note in section.notes)
    if section.folded:
        yield "</details>"


def table_text(table: Table) -> str:
    """A pipe table; marked rows are bold and start with a check mark."""
    marks = any(row.marked for row in table.rows)
    columns = (Column(title=""), *table.columns) if marks else table.columns
    lines = [
        _line([escape(column.title) for column in columns]),
        _line(["--:" if column.align == "right" else ":--" for column in columns]),
    ]
    for row in table.rows:
        cells = [escape(cell) for cell in row.cells]
        if row.marked:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        lines.append(_line([*(["✔" if row.marked else ""] if marks else []), *cells]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
