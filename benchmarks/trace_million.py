"""A million requests read and planned: CPU, wall time and memory of the command, for each kind of file.

The floor is reading the file's bytes; the peer is what else reads such a file (pyarrow's C++ readers, Python's json).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from measure import (
    BREAKEVEN,
    Figure,
    command,
    fresh,
    least_s,
    median_s,
    median_wall_s,
    milliseconds,
    peak_mib,
    report,
    scratch,
    stage,
)
from traces import write_trace

ROWS = 1_000_000
REPEATS = 3


def read_and_plan(path: Path) -> dict[str, float]:
    """Seconds to read a trace and to plan on it, in this process, after imports."""
    from breakeven import api

    stages: dict[str, float] = {}
    with stage(stages, "read"):
        workload = api.load_workload(path)
    with stage(stages, "plan"):
        api.plan(workload)
    return stages


def peers(path: Path) -> dict[str, float]:
    """Seconds to read the bytes, and to read the columns with another reader."""
    from pyarrow import csv, parquet

    def json_lines(file: Path) -> None:
        for line in file.open():
            json.loads(line)

    readers = {".csv": csv.read_csv, ".jsonl": json_lines, ".parquet": parquet.read_table}
    stages: dict[str, float] = {}
    with stage(stages, "bytes"):
        path.read_bytes()
    with stage(stages, "peer"):
        readers[path.suffix](path)
    return stages


PEERS = {".csv": "pyarrow.csv", ".jsonl": "json.loads of each line", ".parquet": "pyarrow.parquet"}


def figures(path: Path, target: bool) -> list[Figure]:
    """The rows for one file."""
    runs = [command([BREAKEVEN, "plan", path, "--format", "json"]) for _ in range(REPEATS)]
    parts = [fresh(__file__, "read", path) for _ in range(REPEATS)]
    part = {name: min(run[name] for run in parts) for name in parts[0]}
    beside = fresh(__file__, "peers", path)
    kind, megabytes = path.suffix, path.stat().st_size / 1e6
    return [
        Figure(
            what=f"{kind}: read and planned",
            figure=f"{milliseconds(median_s(runs))} CPU",
            target="10 s" if target else "",
            beside=f"the whole command; least {milliseconds(least_s(runs))}, wall {milliseconds(median_wall_s(runs))}",
        ),
        Figure(what=f"{kind}: peak memory", figure=f"{peak_mib(runs):.0f} MiB", target="1024 MiB" if target else ""),
        Figure(
            what=f"{kind}: reading alone",
            figure=f"{milliseconds(part['read'])} CPU",
            beside=f"{megabytes:.0f} MB; bytes alone {milliseconds(beside['bytes'])}; "
            f"{PEERS[kind]} {milliseconds(beside['peer'])}, ratio {part['read'] / beside['peer']:.1f}",
        ),
        Figure(what=f"{kind}: planning alone", figure=f"{milliseconds(part['plan'])} CPU"),
    ]


def main() -> None:
    """Print the figures."""
    with scratch() as folder:
        found = []
        for kind in PEERS:
            path = write_trace(folder / f"million{kind}", ROWS)
            found += figures(path, target=kind == ".csv")
            path.unlink()
    report(f"A trace of {ROWS:,} rows", found)


if __name__ == "__main__":
    modes = {"read": read_and_plan, "peers": peers}
    if len(sys.argv) > 1:
        print(json.dumps(modes[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main()
