"""A trace file in, its columns out: detect the container, read in chunks, put in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError
from breakeven.units import SECONDS_PER_DAY
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.prefix_reuse import PrefixReuse
from breakeven.workload.request_identity import BlockReader, DurationReader, IdentityReader
from breakeven.workload.trace import Trace
from breakeven.workload.trace_cells import Chunk, token_counts
from breakeven.workload.trace_clock import Clock, ClockReader
from breakeven.workload.trace_csv import csv_chunks
from breakeven.workload.trace_formats import Layout, TraceFormat, ticks_of_duration
from breakeven.workload.trace_jsonl import jsonl_chunks
from breakeven.workload.trace_lines import opened, read_some
from breakeven.workload.trace_parquet import PARQUET_MAGIC, parquet_chunks

_HEAD_BYTES = 4_096
_SQLITE_MAGIC = b"SQLite format 3\0"


def read_trace(
    path: Path,
    columns: TraceColumns | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    keep_blocks: bool = False,
) -> Trace:
    """Read a request trace: Azure, Mooncake, Qwen-Bailian, BurstGPT, or named columns; CSV, JSON lines or Parquet.

    Text may be gzipped. Rows out of order are sorted, and requests without any tokens left out; ``notes`` say so.
    ``progress`` is told the number of rows in each block, as it is read. ``keep_blocks`` keeps the prefix blocks of
    each request, eight bytes a block.

    Raises:
        TraceError: the file is empty, unknown or faulty; the message names the line.
        Unavailable: Parquet without pyarrow.
    """
    layout, chunks = _chunks(path, columns)
    reader = _Reader(layout=layout, source=str(path), keeps_blocks=keep_blocks and layout.has_prefix_blocks)
    for chunk in chunks:
        reader.add(chunk)
        if progress is not None:
            progress(len(chunk.numbers))
    return reader.trace(path)


class _Reader:
    """The columns of a trace as they grow, and what is made of them at the end."""

    def __init__(self, *, layout: Layout, source: str, keeps_blocks: bool) -> None:
        self._layout = layout
        block_tokens = layout.trace_format.prefix_block_tokens or 0
        ticks = ticks_of_duration(dict(layout.further).get("duration", ""))
        self._clock = ClockReader(trace_format=layout.trace_format, source=source)
        self._reuse = PrefixReuse(block_tokens=block_tokens)
        self._identity = IdentityReader()
        self._durations = DurationReader(ticks_per_s=ticks)
        self._blocks = BlockReader(block_tokens=block_tokens) if keeps_blocks else None
        self._inputs: list[NDArray[np.int64]] = []
        self._outputs: list[NDArray[np.int64]] = []

    def add(self, chunk: Chunk) -> None:
        self._clock.add(chunk)
        self._inputs.append(token_counts(chunk.input_tokens, chunk, self._layout.input_tokens))
        self._outputs.append(token_counts(chunk.output_tokens, chunk, self._layout.output_tokens))
        if chunk.prefix_blocks is not None:
            self._reuse.add(chunk, self._inputs[-1].tolist())
        self._identity.add(chunk, self._inputs[-1])
        self._durations.add(chunk)
        if self._blocks is not None:
            self._blocks.add(chunk)

    def trace(self, path: Path) -> Trace:
        if not self._inputs:
            raise TraceError(f"{path}: no rows below the header", hint="a plan needs at least two requests")
        clock, trace_format = self._clock.clock(), self._layout.trace_format
        trace = Trace(
            name=path.name.removesuffix(".gz").rsplit(".", 1)[0],
            format_name=trace_format.name,
            arrivals_s=clock.seconds,
            input_tokens=np.concatenate(self._inputs),
            output_tokens=np.concatenate(self._outputs),
            clock=clock.name,
            prefix_reuse_frac=self._reuse.frac if self._layout.has_prefix_blocks else None,
            notes=(clock.note,) if clock.note else (),
            contents=self._identity.contents,
            durations_s=self._durations.durations_s,
            blocks=None if self._blocks is None else self._blocks.blocks,
        )
        return _ordered(path, trace_format, clock, trace)


def _chunks(path: Path, columns: TraceColumns | None) -> tuple[Layout, Iterator[Chunk]]:
    with opened(path) as file:
        head = read_some(file, _HEAD_BYTES, where=str(path))
    if not head.strip():
        raise TraceError(f"{path}: the trace is empty", hint="a plan needs at least two requests")
    if head.startswith(_SQLITE_MAGIC):
        raise TraceError(
            f"{path}: a database, not a trace",
            cause="a ledger keeps what was spent, and neither what was asked nor a hash of it",
            hint="write CSV, JSON lines or Parquet from your own log, one request a row",
        )
    if head.startswith(PARQUET_MAGIC):
        return parquet_chunks(path, columns)
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"{", b"["))
    return (jsonl_chunks if is_json else csv_chunks)(path, columns)


def _ordered(path: Path, trace_format: TraceFormat, clock: Clock, trace: Trace) -> Trace:
    """The trace in order of arrival, from its first arrival on, without the requests that failed."""
    tokens = trace.output_tokens if trace_format.zero_output_is_failure else trace.input_tokens + trace.output_tokens
    rows = np.flatnonzero(tokens > 0)
    if not len(rows):
        raise TraceError(f"{path}: no request has tokens", cause=f"{trace.rows:,} rows, all without tokens")
    notes = list(trace.notes)
    if failed := trace.rows - len(rows):
        notes.append(f"{failed:,} of {trace.rows:,} rows left out: no tokens, so the request failed")
    if late := int((np.diff(clock.seconds[rows]) < 0).sum()):
        notes.append(f"{late:,} rows stand before an earlier one: sorted by time")
        rows = rows[np.argsort(clock.seconds[rows], kind="stable")]
    seconds = clock.seconds[rows]
    if equal := int((np.diff(seconds) == 0).sum()):
        notes.append(f"{equal:,} rows have the timestamp of the row before: kept as requests that arrive together")
    return replace(
        trace,
        arrivals_s=seconds - seconds[0],
        input_tokens=trace.input_tokens[rows],
        output_tokens=trace.output_tokens[rows],
        starts_at_clock_s=None if clock.midnight_s is None else float(seconds[0] - clock.midnight_s) % SECONDS_PER_DAY,
        notes=tuple(notes),
        contents=None if trace.contents is None else trace.contents[rows],
        durations_s=None if trace.durations_s is None else trace.durations_s[rows],
        blocks=None if trace.blocks is None else trace.blocks.taken(rows),
    )
