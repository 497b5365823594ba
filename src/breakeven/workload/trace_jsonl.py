"""Rows of a trace of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from breakeven.errors import TraceError
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.trace_cells import CHUNK_ROWS, Chunk
from breakeven.workload.trace_formats import PREFIX_COLUMN, Layout, layout_of
from breakeven.workload.trace_lines import text_lines

_DEPTH: Final = 4
"""Nested objects are looked into this deep: ``usage.prompt_tokens``."""

Row = Mapping[str, Any]


def jsonl_chunks(path: Path, wanted: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    """The layout that the first object tells, and all rows.

    Raises:
        TraceError: a line that is no JSON object, unknown columns, or a missing key; names the line.
    """
    number, line = next(_filled_lines(path))
    first = _object(line, path, number)
    layout = layout_of(list(_flat_names(first)), wanted, where=f"{path}:{number}")
    return layout, _chunks(path, first, layout)


def _chunks(path: Path, first: Row, layout: Layout) -> Iterator[Chunk]:
    names = (*layout.columns, PREFIX_COLUMN) if layout.has_prefix_blocks else layout.columns
    ways = [(name,) if name in first else tuple(name.split(".")) for name in names]
    further = [(meaning, (name,) if name in first else tuple(name.split("."))) for meaning, name in layout.further]
    lines = _filled_lines(path)
    while batch := list(islice(lines, CHUNK_ROWS)):
        numbers, texts = zip(*batch, strict=True)
        rows = _objects(path, numbers, texts)
        columns = [_column(rows, way, path, numbers) for way in ways]
        yield Chunk(
            source=str(path),
            numbers=numbers,
            timestamps=columns[0],
            input_tokens=columns[1],
            output_tokens=columns[2],
            prefix_blocks=columns[3] if layout.has_prefix_blocks else None,
            further={meaning: [_value(row, way) for row in rows] for meaning, way in further},
        )


def _filled_lines(path: Path) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text_lines(path), start=1) if line and not line.isspace())


def _objects(path: Path, numbers: Sequence[int], texts: Sequence[str]) -> Sequence[Row]:
    """One object a line. All lines are read as one array, four times as fast; a fault is then sought line by line."""
    try:
        rows = json.loads(f"[{','.join(texts)}]")
    except (ValueError, RecursionError):
        rows = []
    if len(rows) == len(texts) and set(map(type, rows)) == {dict}:
        return list(rows)
    return [_object(text, path, number) for number, text in zip(numbers, texts, strict=True)]


def _object(text: str, path: Path, number: int) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as failed:
        raise TraceError(
            f"{path}:{number}: not valid JSON",
            cause=f"{failed!s:.120}",
            hint="one JSON object a line; check that the file is complete",
        ) from None
    if not isinstance(row, dict):
        raise TraceError(
            f"{path}:{number}: not a JSON object",
            cause=f"a {type(row).__name__}",
            hint=f"one object a line; from an array: jq -c '.[]' {path} > trace.jsonl",
        )
    return row


def _column(rows: Sequence[Any], way: Sequence[str], path: Path, numbers: Sequence[int]) -> list[Any]:
    """The values at the end of ``way``, a key or the keys of nested objects."""
    values = rows
    for depth, key in enumerate(way, start=1):
        try:
            values = list(map(itemgetter(key), values))
        except (KeyError, TypeError):
            at = next(at for at, value in enumerate(values) if not isinstance(value, dict) or key not in value)
            raise TraceError(
                f"{path}:{numbers[at]}: no {'.'.join(way[:depth])}",
                hint="every line needs the same keys; leave out failed requests",
            ) from None
    return list(values)


def _value(row: Any, way: Sequence[str]) -> Any:
    """The value at the end of ``way``; None where a row lacks it."""
    for key in way:
        row = row.get(key) if isinstance(row, dict) else None
    return row


def _flat_names(row: Row, prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
    for name, value in row.items():
        yield prefix + name
        if isinstance(value, dict) and depth > 1:
            yield from _flat_names(value, f"{prefix}{name}.", depth - 1)
