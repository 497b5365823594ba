"""A path in, a workload out: the one door of this room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from breakeven.errors import WorkloadError
from breakeven.workload.overrides import TraceColumns, WorkloadOverrides
from breakeven.workload.toml_file import Tables, read_tables, stated_columns, workload_from_tables, workload_name
from breakeven.workload.trace_reading import read_trace
from breakeven.workload.trace_scaling import workload_of_trace
from breakeven.workload.workload import Workload


def load_workload(
    path: Path, overrides: WorkloadOverrides | None = None, progress: Callable[[int], None] | None = None
) -> Workload:
    """Read a workload from a TOML file, or from a request trace (any other ending).

    ``progress`` is told the number of rows in each block of a trace, as it is read.

    Raises:
        WorkloadError: the workload file or an override is wrong.
        TraceError: the trace is wrong; the message names file and line.
        Unavailable: the trace is Parquet and pyarrow is not installed.
    """
    wanted = overrides or WorkloadOverrides()
    if path.suffix.lower() != ".toml":
        return workload_of_trace(read_trace(path, wanted.columns, progress), wanted)
    tables = read_tables(path)
    if "trace" in tables["workload"]:
        return _workload_beside_trace(path, tables, wanted, progress)
    if wanted.columns is not None or "columns" in tables["workload"]:
        raise WorkloadError(
            f"{path}: columns are named, but no trace",
            cause="a workload file without a trace has no columns to read",
            hint='name the trace: [workload] trace = "requests.csv", or leave the columns out',
        )
    return workload_from_tables(path, tables, wanted)


def _workload_beside_trace(
    path: Path, tables: Tables, overrides: WorkloadOverrides, progress: Callable[[int], None] | None
) -> Workload:
    """A file whose [workload] names a trace, relative to itself, and states the rest."""
    table = tables["workload"]
    if not isinstance(table["trace"], str) or not table["trace"]:
        raise WorkloadError(f"{path}: [workload] trace must be a path", hint='trace = "requests.csv"')
    for key in ("input_tokens", "output_tokens"):
        if key in table:
            raise WorkloadError(
                f"{path}: [workload] has both trace and {key}",
                cause="the trace tells the tokens of each request",
                hint=f"leave {key} out",
            )
    columns = overrides.columns or TraceColumns(**stated_columns(path, tables))
    trace = read_trace(path.parent / table["trace"], columns, progress)
    named = replace(trace, name=workload_name(path, tables))
    return workload_of_trace(named, overrides, stated=tables, where=str(path))
