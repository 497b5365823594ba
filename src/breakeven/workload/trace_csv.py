"""Rows of a CSV or TSV trace."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Final

from breakeven.errors import TraceError
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.trace_cells import CHUNK_ROWS, Chunk
from breakeven.workload.trace_formats import Layout, layout_of
from breakeven.workload.trace_lines import MAX_LINE_BYTES, text_lines

_DELIMITERS: Final = (",", "\t", ";", "|")


def csv_chunks(path: Path, wanted: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    """The layout that the header tells, and the rows below it.

    Raises:
        TraceError: no header, unknown columns, or a row with more or fewer cells than the header; names the line.
    """
    lines = text_lines(path)
    header_line = next(lines, "")
    if not header_line.strip():
        raise TraceError(f"{path}:1: no header", cause="the file is empty or starts with an empty line")
    csv.field_size_limit(MAX_LINE_BYTES)
    delimiter = max(_DELIMITERS, key=header_line.count)
    header = [name.strip() for name in _header(path, header_line, delimiter)]
    layout = layout_of(header, wanted, where=f"{path}:1")
    return layout, _chunks(path, lines, delimiter, header, layout)


def _header(path: Path, line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter))
    except csv.Error as failed:
        raise TraceError(f"{path}:1: not a CSV header", cause=str(failed), hint="check the file's line ends") from None


def _chunks(path: Path, lines: Iterator[str], delimiter: str, header: list[str], layout: Layout) -> Iterator[Chunk]:
    pick_timestamp, pick_input, pick_output = (itemgetter(header.index(name)) for name in layout.columns)
    further = [(meaning, itemgetter(header.index(name))) for meaning, name in layout.further]
    for numbers, rows in _batches(path, lines, delimiter, len(header)):
        yield Chunk(
            source=str(path),
            numbers=numbers,
            timestamps=list(map(pick_timestamp, rows)),
            input_tokens=list(map(pick_input, rows)),
            output_tokens=list(map(pick_output, rows)),
            further={meaning: list(map(pick, rows)) for meaning, pick in further},
        )


def _batches(
    path: Path, lines: Iterator[str], delimiter: str, width: int
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Rows below the header with the number of the line that each ends on; empty lines are passed over."""
    reader = csv.reader(lines, delimiter=delimiter)
    more = True
    while more:
        numbers, rows = [], []
        try:
            for row in islice(reader, CHUNK_ROWS):
                rows.append(row)
                numbers.append(reader.line_num + 1)
        except csv.Error as failed:
            raise TraceError(f"{path}:{reader.line_num + 1}: not valid CSV", cause=str(failed)) from None
        more = len(rows) == CHUNK_ROWS
        if set(map(len, rows)) - {width}:
            numbers, rows = _full_rows(path, numbers, rows, width)
        if rows:
            yield numbers, rows


def _full_rows(path: Path, numbers: list[int], rows: list[list[str]], width: int) -> tuple[list[int], list[list[str]]]:
    for number, row in zip(numbers, rows, strict=True):
        if len(row) not in (0, width):
            raise TraceError(
                f"{path}:{number}: {len(row)} cells where the header has {width}",
                hint="quote cells that contain the separator, and check that the file is complete",
            )
    return [number for number, row in zip(numbers, rows, strict=True) if row], [row for row in rows if row]
