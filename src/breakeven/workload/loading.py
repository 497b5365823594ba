"""A path in, a workload out: the one door of this room."""

from __future__ import annotations

from pathlib import Path

from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.toml_file import read_tables, workload_from_tables
from breakeven.workload.workload import Workload


def load_workload(path: Path, overrides: WorkloadOverrides | None = None) -> Workload:
    """Read a workload from a TOML file, or from a request trace (any other ending).

    Raises:
        WorkloadError: the workload file or an override is wrong.
        TraceError: the trace is wrong; the message names file and line.
        Unavailable: the trace is Parquet and pyarrow is not installed.
    """
    stated = overrides or WorkloadOverrides()
    tables = read_tables(path)
    return workload_from_tables(path, tables, stated)
