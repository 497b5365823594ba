"""How the benchmarks measure: seconds of CPU, several times, in fresh processes where a warm cache would flatter.

A shared machine only ever adds time, so the least of several runs says what the work needs, and the median what a user
sees. CPU is user plus system time: it hardly moves when neighbours are busy, as wall time does.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
OUT = REPOSITORY / "build/benchmarks"
BREAKEVEN = Path(sys.executable).with_name("breakeven")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run took: seconds of CPU and of wall time, and the most memory it held, in bytes (0: not measured)."""

    cpu_s: float
    wall_s: float
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of a table: what was measured, the figure, the most it may be, and what stands beside it."""

    what: str
    figure: str
    target: str = ""
    beside: str = ""


def least_s(runs: Sequence[Run]) -> float:
    """CPU seconds of the quickest run."""
    return min(run.cpu_s for run in runs)


def median_s(runs: Sequence[Run]) -> float:
    """CPU seconds of the middle run."""
    return statistics.median(run.cpu_s for run in runs)


def median_wall_s(runs: Sequence[Run]) -> float:
    """Wall seconds of the middle run."""
    return statistics.median(run.wall_s for run in runs)


def peak_mib(runs: Sequence[Run]) -> float:
    """The most memory of any run, MiB."""
    return max(run.peak_bytes for run in runs) / 2**20


def timed(work: Callable[[], Any], repeats: int = 5, calls: int = 1) -> list[Run]:
    """Runs of ``work`` in this process; each is the mean of ``calls`` calls."""
    runs = []
    for _ in range(repeats):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for _ in range(calls):
            work()
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        runs.append(Run(cpu_s=cpu_s / calls, wall_s=wall_s / calls))
    return runs


def command(call: Sequence[str | Path]) -> Run:
    """One run of a command in a process of its own, its output thrown away.

    Raises:
        CalledProcessError: the command failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, cwd=REPOSITORY)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(call))
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return Run(cpu_s=used.ru_utime + used.ru_stime, wall_s=wall_s, peak_bytes=used.ru_maxrss * unit_bytes)


def fresh(script: str, *arguments: str | Path) -> dict[str, float]:
    """Seconds by stage that a benchmark prints as JSON when called with these arguments, in a process of its own."""
    call = [sys.executable, Path(script), *arguments]
    found: dict[str, float] = json.loads(subprocess.run(call, capture_output=True, check=True, cwd=REPOSITORY).stdout)
    return found


@contextmanager
def stage(stages: dict[str, float], name: str) -> Iterator[None]:
    """Note the CPU seconds of a block under its name."""
    start = time.process_time()
    yield
    stages[name] = stages.get(name, 0.0) + time.process_time() - start


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for written traces, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def milliseconds(seconds: float) -> str:
    """Seconds as a person reads them: ``1.24 s``, ``340 ms`` or ``2.1 us``."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"


def report(title: str, figures: Sequence[Figure]) -> None:
    """Print a table of figures in Markdown."""
    head = Figure(what="what", figure="figure", target="target", beside="beside it")
    table(title, [(row.what, row.figure, row.target, row.beside) for row in (head, *figures)])


def table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown, aligned for a terminal; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(f"### {title}\n", *lines, "", sep="\n")
