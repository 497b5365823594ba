"""CPU that a server spends on a request: a closed loop by wrk, and the seconds that its process tree ran meanwhile.

CPU per request says how many cores a load needs. On a machine shared with others it hardly moves, as latency does.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
from questions import SMALL_BYTES, Target, body

SERVER_CORE = 0
LOAD_CORE = 1
CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("question.lua")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk met with, and what the server spent on it."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0
    """Infinite where nothing was answered."""

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def pinned(core: int) -> tuple[str, ...]:
    """What goes before a command that is to run on one core."""
    return ("taskset", "-c", str(core))


def reason_not_here() -> str:
    """Why nothing can be measured on this machine; empty if it can."""
    missing = [program for program in ("wrk", "taskset") if shutil.which(program) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    if not Path("/proc/self/stat").exists() or (os.cpu_count() or 1) < 2:
        return "needs Linux and two cores"
    return ""


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def tree_cpu_s(pid: int) -> float:
    """Seconds that a process tree ran so far, user and system, ended children included."""
    ticks = 0
    for each in tree(pid):
        after_name = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, after_name[11:15]))
    return ticks / TICKS_PER_S


def tree_rss_bytes(pid: int) -> int:
    """Memory that a process tree holds; pages that its processes share count for each."""
    return sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid)) * PAGE_BYTES


def closed_loop(
    target: Target,
    pid: int,
    *,
    seconds: int,
    stream: bool = False,
    body_bytes: int = SMALL_BYTES,
    connections: int = CONNECTIONS,
    unique: bool = False,
) -> Run:
    """Ask on all connections, each again after its answer, for some seconds; ``unique``: no question twice.

    Raises:
        CalledProcessError: the server cannot be reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        question, headers = Path(folder) / "question", Path(folder) / "headers"
        question.write_bytes(body(target, body_bytes, stream))
        headers.write_text("".join(f"{name}: {value}\n" for name, value in target.all_headers.items()))
        given = {"QUESTION": str(question), "HEADERS": str(headers), "QUESTION_PATH": target.path}
        given["UNIQUE"] = "1" if unique else ""
        wrk = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(SCRIPT), target.url)
        before_s = tree_cpu_s(pid)
        call = (*pinned(LOAD_CORE), *wrk)
        printed = subprocess.run(call, env={**os.environ, **given}, stdout=subprocess.PIPE, check=True).stdout
        spent_s = tree_cpu_s(pid) - before_s
    run = msgspec.json.decode(printed.rpartition(b"RESULT ")[2], type=Run)
    return msgspec.structs.replace(run, cpu_us=spent_s / run.requests * 1e6 if run.requests else math.inf)
