"""All benchmarks, one after another: ``make bench``. Prints their tables and writes them to ``build/benchmarks/``.

usage: benchmarks/run.py [--record]

With ``--record`` the tables also become those of docs/benchmarks.md, and the chart that of docs/images/.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from measure import OUT, REPOSITORY

BENCHES = (
    "plan_catalogue.py",
    "help_start.py",
    "trace_million.py",
    "growth.py",
    "breakeven_solver.py",
    "price_speed.py",
    "capacity_error.py",
    "replay_speed.py",
    "usable_share.py",
    "commitment_search.py",
    "fleet_14_days.py",
)
PAGE = REPOSITORY / "docs/benchmarks.md"
FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def machine() -> str:
    """What the figures depend on beside the code."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores ({_processor()}), {memory_gib:.0f} GiB"
    return f"{datetime.now(UTC).date()}, {system}, Python {platform.python_version()}"


def _processor() -> str:
    """The processor's name, where the system tells it."""
    facts = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*: (.+)$", facts.read_text(), re.MULTILINE) if facts.exists() else None
    return named[1] if named else platform.processor() or "processor unknown"


def main() -> None:
    """Run them, keep what they print."""
    begun = time.perf_counter()
    tables = []
    for bench in BENCHES:
        call = [sys.executable, str(Path(__file__).with_name(bench))]
        tables.append(subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY).stdout)
        print(tables[-1], end="", flush=True)
    taken = f"Measured on {machine()}, all in {time.perf_counter() - begun:.0f} s.\n"
    text = "\n".join([taken, *(table.rstrip() + "\n" for table in tables)])
    print(taken)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "benchmarks.md").write_text(text, encoding="utf-8")
    if sys.argv[1:] == ["--record"]:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(FIGURES.sub(lambda match: f"{match[1]}{text}{match[2]}", page), encoding="utf-8")
        shutil.copy(OUT / "growth.svg", REPOSITORY / "docs/images/growth.svg")


if __name__ == "__main__":
    main()
