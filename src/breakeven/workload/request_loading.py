"""A path in, requests with their times out: a trace as it is, or a day made up from a workload file that has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from breakeven.errors import WorkloadError
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.synthetic_arrivals import SEED
from breakeven.workload.toml_file import read_tables, stated_columns
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace
from breakeven.workload.workload import Workload

MADE_UP: Final = "made up"
"""The format of a trace whose times are not real."""

MOST_REQUESTS: Final = 20_000_000
"""Requests of a day that is made up, at most."""


def load_requests(
    path: Path,
    columns: TraceColumns | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    keep_blocks: bool = False,
) -> Trace:
    """The requests of a trace, of the trace that a workload file names, or of a made-up day of that file.

    ``progress`` and ``keep_blocks`` are as in `read_trace`.

    Raises:
        WorkloadError: the workload file is wrong, or its day has more than 20 million requests.
        TraceError: the trace is wrong; the message names file and line.
        Unavailable: the trace is Parquet and pyarrow is not installed.
    """
    if path.suffix.lower() != ".toml":
        return read_trace(path, columns, progress, keep_blocks=keep_blocks)
    tables = read_tables(path)
    named = tables["workload"].get("trace")
    if isinstance(named, str) and named:
        stated = columns or TraceColumns(**stated_columns(path, tables))
        return read_trace(path.parent / named, stated, progress, keep_blocks=keep_blocks)
    return made_up_day(load_workload(path))


def made_up_day(workload: Workload, seed: int = SEED) -> Trace:
    """One day of a workload: Poisson arrivals at each hour's rate, tokens drawn from its sample.

    Raises:
        WorkloadError: the day has more than 20 million requests.
    """
    if workload.requests_per_day > MOST_REQUESTS:
        raise WorkloadError(
            f"{workload.name}: too many requests to make up a day of them",
            cause=f"{workload.requests_per_day:,} a day; at most {MOST_REQUESTS:,} are made up",
            hint="replay a trace of a part of the traffic, on that part of the fleet",
        )
    random = np.random.default_rng(seed)
    shape = np.array(workload.hourly_shape)
    hours = random.choice(HOURS_PER_DAY, size=workload.requests_per_day, p=shape / shape.sum())
    seconds = np.sort((hours + random.uniform(size=len(hours))) * SECONDS_PER_HOUR)
    row = random.integers(0, len(workload.input_tokens), len(hours))
    return Trace(
        name=workload.name,
        format_name=MADE_UP,
        arrivals_s=seconds - seconds[0],
        input_tokens=workload.input_tokens[row],
        output_tokens=workload.output_tokens[row],
        starts_at_clock_s=float(seconds[0]),
        clock="local",
        notes=("no trace: one day of Poisson arrivals at each hour's rate, tokens drawn from the workload file",),
    )
