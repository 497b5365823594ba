"""Cells of a trace as read, and their way into columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError
from breakeven.workload.settings import MAX_TOKENS

CHUNK_ROWS: Final = 8_192
"""Rows that are held as Python objects at a time."""

Cells = Sequence[Any]
"""One column of a chunk: texts from CSV, JSON scalars, or what pyarrow gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Consecutive rows of a trace as read. ``numbers`` are their lines, or rows where a file has no lines.

    ``further`` are the columns that a trace may have, by what they mean; a cell that a row lacks is None.
    """

    source: str
    numbers: Sequence[int]
    timestamps: Cells
    input_tokens: Cells
    output_tokens: Cells
    prefix_blocks: Cells | None = None
    further: Mapping[str, Cells] = field(default_factory=dict)
    number_sign: str = ":"

    def at(self, row: int) -> str:
        """Where a row stands: ``FILE:LINE``, or ``FILE row ROW``."""
        return f"{self.source}{self.number_sign}{self.numbers[row]}"


def token_counts(cells: Cells, chunk: Chunk, column: str) -> NDArray[np.int64]:
    """The cells as whole token counts, int64 of shape (n,).

    Raises:
        TraceError: a cell is missing, negative, not a whole number, or beyond ``MAX_TOKENS``; names the line.
    """
    counts = _fast_counts(cells)
    if counts is None or counts.min() < 0 or counts.max() > MAX_TOKENS:
        return np.array([_count(cell, chunk, row, column) for row, cell in enumerate(cells)], dtype=np.int64)
    return counts


def _fast_counts(cells: Cells) -> NDArray[np.int64] | None:
    """All cells at once, or None where one of them needs a closer look."""
    kinds = set(map(type, cells))
    try:
        if kinds == {str}:
            return np.array(list(map(int, cells)), dtype=np.int64)
        return np.array(cells, dtype=np.int64) if kinds == {int} else None
    except (ValueError, OverflowError):
        return None


def _count(cell: object, chunk: Chunk, row: int, column: str) -> int:
    number = _number(cell)
    if number is None:
        raise TraceError(
            f"{chunk.at(row)}: {column} is missing" if _empty(cell) else f"{chunk.at(row)}: {column} is not a number",
            cause=f"got {cell!r:.80}",
            hint="every request needs both token counts; leave out rows of failed requests",
        )
    if not number.is_finite() or number != number.to_integral_value() or not 0 <= number <= MAX_TOKENS:
        raise TraceError(
            f"{chunk.at(row)}: {column} is {number!s:.40}",
            cause=f"token counts are whole numbers from 0 to {MAX_TOKENS:,}",
            hint="correct the row or leave it out",
        )
    return int(number)


def _number(cell: object) -> Decimal | None:
    """A cell as an exact number; None for texts, nulls, booleans and structures."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | str | Decimal):
        return None
    try:
        return Decimal(cell.strip() if isinstance(cell, str) else str(cell))
    except (InvalidOperation, ValueError):
        return None


def _empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
