"""A trace file in, its columns out: detect the container, read in chunks, put in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError
from breakeven.units import SECONDS_PER_DAY
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.prefix_reuse import PrefixReuse
from breakeven.workload.trace import Trace
from breakeven.workload.trace_cells import Chunk, token_counts
from breakeven.workload.trace_clock import Clock, ClockReader
from breakeven.workload.trace_csv import csv_chunks
from breakeven.workload.trace_formats import Layout, TraceFormat
from breakeven.workload.trace_jsonl import jsonl_chunks
from breakeven.workload.trace_lines import opened, read_some
from breakeven.workload.trace_parquet import PARQUET_MAGIC, parquet_chunks

_HEAD_BYTES = 4_096


def read_trace(path: Path, columns: TraceColumns | None = None, progress: Callable[[int], None] | None = None) -> Trace:
    """Read a request trace: Azure, Mooncake, Qwen-Bailian, BurstGPT, or named columns; CSV, JSON lines or Parquet.

    Text may be gzipped. Rows out of order are sorted, and requests without any tokens left out; ``notes`` say so.
    ``progress`` is told the number of rows in each block, as it is read.

    Raises:
        TraceError: the file is empty, unknown or faulty; the message names the line.
        Unavailable: Parquet without pyarrow.
    """
    layout, chunks = _chunks(path, columns)
    clock_reader = ClockReader(trace_format=layout.trace_format, source=str(path))
    reuse = PrefixReuse(block_tokens=layout.trace_format.prefix_block_tokens or 0)
    inputs: list[NDArray[np.int64]] = []
    outputs: list[NDArray[np.int64]] = []
    for chunk in chunks:
        clock_reader.add(chunk)
        inputs.append(token_counts(chunk.input_tokens, chunk, layout.input_tokens))
        outputs.append(token_counts(chunk.output_tokens, chunk, layout.output_tokens))
        if chunk.prefix_blocks is not None:
            reuse.add(chunk, inputs[-1].tolist())
        if progress is not None:
            progress(len(chunk.numbers))
    if not inputs:
        raise TraceError(f"{path}: no rows below the header", hint="a plan needs at least two requests")
    return _ordered(
        path,
        layout.trace_format,
        clock_reader.clock(),
        np.concatenate(inputs),
        np.concatenate(outputs),
        reuse.frac if layout.has_prefix_blocks else None,
    )


def _chunks(path: Path, columns: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    with opened(path) as file:
        head = read_some(file, _HEAD_BYTES, where=str(path))
    if not head.strip():
        raise TraceError(f"{path}: the trace is empty", hint="a plan needs at least two requests")
    if head.startswith(PARQUET_MAGIC):
        return parquet_chunks(path, columns)
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))
    return (jsonl_chunks if is_json else csv_chunks)(path, columns)


def _ordered(
    path: Path,
    trace_format: TraceFormat,
    clock: Clock,
    input_tokens: NDArray[np.int64],
    output_tokens: NDArray[np.int64],
    prefix_reuse_frac: float | None,
) -> Trace:
    answered = (output_tokens > 0) if trace_format.zero_output_is_failure else (input_tokens + output_tokens > 0)
    if not answered.any():
        raise TraceError(f"{path}: no request has tokens", cause=f"{len(answered):,} rows, all without tokens")
    seconds, input_tokens, output_tokens = clock.seconds[answered], input_tokens[answered], output_tokens[answered]
    notes = [clock.note] if clock.note else []
    if failed := int((~answered).sum()):
        notes.append(f"{failed:,} of {len(answered):,} rows left out: no tokens, so the request failed")
    if late := int((np.diff(seconds) < 0).sum()):
        notes.append(f"{late:,} rows stand before an earlier one: sorted by time")
        order = np.argsort(seconds, kind="stable")
        seconds, input_tokens, output_tokens = seconds[order], input_tokens[order], output_tokens[order]
    if equal := int((np.diff(seconds) == 0).sum()):
        notes.append(f"{equal:,} rows have the timestamp of the row before: kept as requests that arrive together")
    return Trace(
        name=path.name.removesuffix(".gz").rsplit(".", 1)[0],
        format_name=trace_format.name,
        arrivals_s=seconds - seconds[0],
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        starts_at_clock_s=None if clock.midnight_s is None else float(seconds[0] - clock.midnight_s) % SECONDS_PER_DAY,
        clock=clock.name,
        prefix_reuse_frac=prefix_reuse_frac,
        notes=tuple(notes),
    )
