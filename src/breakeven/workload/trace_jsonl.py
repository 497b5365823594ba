"""Rows of a trace of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
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


def jsonl_chunks(path: Path, wanted: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    """The layout that the first object tells, and all rows.

    Raises:
        TraceError: a line that is no JSON object, unknown columns, or a missing key; names the line.
    """
    rows = _objects(path)
    first = next(rows)
    layout = layout_of(list(_flat_names(first[1])), wanted, where=f"{path}:{first[0]}")
    return layout, _chunks(path, chain([first], rows), layout)


def _chunks(path: Path, rows: Iterator[tuple[int, dict[str, Any]]], layout: Layout) -> Iterator[Chunk]:
    names = (*layout.columns, PREFIX_COLUMN) if layout.has_prefix_blocks else layout.columns
    while batch := list(islice(rows, CHUNK_ROWS)):
        numbers, objects = zip(*batch, strict=True)
        columns = list(zip(*_picked(path, numbers, objects, names), strict=True))
        yield Chunk(
            source=str(path),
            numbers=numbers,
            timestamps=columns[0],
            input_tokens=columns[1],
            output_tokens=columns[2],
            prefix_blocks=columns[3] if layout.has_prefix_blocks else None,
        )


def _picked(
    path: Path, numbers: tuple[int, ...], objects: tuple[dict[str, Any], ...], names: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    pick: Callable[[dict[str, Any]], tuple[Any, ...]] = itemgetter(*names)
    try:
        return list(map(pick, objects))
    except KeyError:
        return [
            tuple(_value(row, name, path, number) for name in names)
            for number, row in zip(numbers, objects, strict=True)
        ]


def _value(row: Mapping[str, Any], name: str, path: Path, number: int) -> Any:
    """The value of a flat or dotted name."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise TraceError(
                f"{path}:{number}: no {name}", hint="every line needs the same keys; leave out failed requests"
            )
        value = value[part]
    return value


def _flat_names(row: Mapping[str, Any], prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
    for name, value in row.items():
        yield prefix + name
        if isinstance(value, dict) and depth > 1:
            yield from _flat_names(value, f"{prefix}{name}.", depth - 1)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decode = json.JSONDecoder().decode
    number = 0
    for number, line in enumerate(text_lines(path), start=1):
        if line.isspace():
            continue
        try:
            row = decode(line)
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
        yield number, row
