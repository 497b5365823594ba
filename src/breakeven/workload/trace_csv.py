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
    header = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter))]
    layout = layout_of(header, wanted, where=f"{path}:1")
    return layout, _chunks(path, _rows(path, lines, delimiter, len(header)), header, layout)


def _chunks(path: Path, rows: Iterator[tuple[int, list[str]]], header: list[str], layout: Layout) -> Iterator[Chunk]:
    pick = itemgetter(*(header.index(name) for name in layout.columns))
    while batch := list(islice(rows, CHUNK_ROWS)):
        numbers, cells = zip(*batch, strict=True)
        timestamps, input_tokens, output_tokens = zip(*map(pick, cells), strict=True)
        yield Chunk(
            source=str(path),
            numbers=numbers,
            timestamps=timestamps,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )


def _rows(path: Path, lines: Iterator[str], delimiter: str, width: int) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with the number of the line that each ends on; empty lines are passed over."""
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for row in reader:
            if len(row) == width:
                yield reader.line_num + 1, row
            elif row:
                raise TraceError(
                    f"{path}:{reader.line_num + 1}: {len(row)} cells where the header has {width}",
                    hint="quote cells that contain the separator, and check that the file is complete",
                )
    except csv.Error as failed:
        raise TraceError(f"{path}:{reader.line_num + 1}: not valid CSV", cause=str(failed)) from None
