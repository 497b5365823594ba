"""Rows of a Parquet trace, through pyarrow (extra ``parquet``)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from breakeven.errors import TraceError, Unavailable
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.trace_cells import CHUNK_ROWS, Chunk
from breakeven.workload.trace_formats import Layout, layout_of

PARQUET_MAGIC: Final = b"PAR1"


def parquet_chunks(path: Path, wanted: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    """The layout that the schema tells, and all rows; a row's number counts from 1.

    Raises:
        TraceError: not readable as Parquet, or unknown columns.
        Unavailable: pyarrow is not installed.
    """
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise Unavailable(
            f"{path}: Parquet needs pyarrow", hint="pip install 'breakeven[parquet]', or export the trace as CSV"
        ) from None
    try:
        file = parquet.ParquetFile(path)
    except (OSError, ValueError) as failed:
        raise _broken(path, failed) from None
    layout = layout_of(file.schema_arrow.names, wanted, where=str(path))
    return layout, _chunks(path, file, layout)


def _chunks(path: Path, file: Any, layout: Layout) -> Iterator[Chunk]:
    """``file`` is a ``pyarrow.parquet.ParquetFile``, which carries no types."""
    names = [*layout.columns, *(name for _, name in layout.further)]
    number = 1
    try:
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=names):
            timestamps, input_tokens, output_tokens, *further = (_cells(batch.column(name)) for name in names)
            rows = range(number, number + len(timestamps))
            number += len(timestamps)
            yield Chunk(
                source=str(path),
                number_sign=" row ",
                numbers=rows,
                timestamps=timestamps,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                further={meaning: cells for (meaning, _), cells in zip(layout.further, further, strict=True)},
            )
    except (OSError, ValueError) as failed:
        raise _broken(path, failed) from None


def _cells(column: Any) -> list[Any]:
    """A column as Python values; timestamps as ISO 8601 texts, in UTC where they have a zone."""
    if not str(column.type).startswith("timestamp"):
        return list(column.to_pylist())
    zone = "+00:00" if column.type.tz else ""
    texts = column.cast("int64").to_numpy(zero_copy_only=False).astype(f"datetime64[{column.type.unit}]").astype(str)
    return [f"{text}{zone}" for text in texts]


def _broken(path: Path, failed: Exception) -> TraceError:
    return TraceError(
        f"{path}: not readable as Parquet", cause=f"{failed!s:.200}", hint="check that the file is complete"
    )
