"""Traces of any length, the same bytes each time: rows of a real trace drawn anew, with timestamps that go on.

python benchmarks/traces.py FILE.csv|FILE.jsonl|FILE.parquet ROWS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measure import REPOSITORY

SHARED = Path(os.environ.get("BREAKEVEN_SHARED", REPOSITORY.parent / "shared"))
AZURE = SHARED / "data/traces/azure_llm_2023_conv.csv"
_BLOCK = 50_000
_START = "2024-05-10T00:00:00"


def trace_path() -> Path:
    """The real trace; where it is missing the bundled example, whose quantiles come from it."""
    return AZURE if AZURE.exists() else REPOSITORY / "examples/chat.toml"


def write_trace(path: Path, rows: int) -> Path:
    """Write a trace in a process of its own, so that its memory is not counted with anybody's."""
    subprocess.run([sys.executable, __file__, path, str(rows)], check=True)
    return path


def _drawn(rows: int) -> Iterator[tuple[list[str], list[int], list[int]]]:
    """Blocks of timestamps, input tokens and output tokens; gaps and tokens drawn from the workload's own."""
    import numpy as np

    from breakeven.workload.loading import load_workload

    workload = load_workload(trace_path())
    random = np.random.default_rng(7)
    clock = np.datetime64(_START, "us")
    for first in range(0, rows, _BLOCK):
        count = min(_BLOCK, rows - first)
        request = random.integers(0, len(workload.input_tokens), count)
        stamps = clock + np.cumsum(random.exponential(180_000, count).astype("timedelta64[us]"))
        clock = stamps[-1]
        tokens = workload.input_tokens[request], workload.output_tokens[request]
        yield np.datetime_as_string(stamps).tolist(), tokens[0].tolist(), tokens[1].tolist()


def _write_csv(path: Path, rows: int) -> None:
    """Azure's layout of 2023."""
    with path.open("w") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for block in _drawn(rows):
            lines = zip(*block, strict=True)
            file.writelines(f"{stamp.replace('T', ' ')}0,{taken},{given}\n" for stamp, taken, given in lines)


def _write_jsonl(path: Path, rows: int) -> None:
    """One answer of an OpenAI-shaped API a line."""
    with path.open("w") as file:
        for block in _drawn(rows):
            for stamp, taken, given in zip(*block, strict=True):
                usage = {"prompt_tokens": taken, "completion_tokens": given}
                file.write(json.dumps({"created_at": stamp + "Z", "usage": usage}) + "\n")


def _write_parquet(path: Path, rows: int) -> None:
    """Three columns, timestamps as text, as most exports have them."""
    import pyarrow as pa
    from pyarrow import parquet

    names = ["timestamp", "input_tokens", "output_tokens"]
    tables = [pa.table(dict(zip(names, map(pa.array, block), strict=True))) for block in _drawn(rows)]
    parquet.write_table(pa.concat_tables(tables), path)


WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}

if __name__ == "__main__":
    target = Path(sys.argv[1])
    WRITERS[target.suffix](target, int(sys.argv[2]))
