"""All benchmarks, one after another: ``make bench``. Prints their tables and writes them to ``build/benchmarks/``.

usage: benchmarks/run.py [planning|cache|gateway] [--record] [options of gateway/compare.py]

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
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from measure import OUT, REPOSITORY

HERE = Path(__file__).resolve().parent
PLANNING = (
    "plan_catalogue.py",
    "help_start.py",
    "trace_million.py",
    "growth.py",
    "breakeven_solver.py",
    "price_speed.py",
    "capacity_error.py",
    "replay_speed.py",
    "usable_share.py",
    "ledger_calibration.py",
    "commitment_search.py",
    "fleet_14_days.py",
    "lever_replay.py",
)
CACHE = ("cache_lookup.py", "gateway/cache_hit.py")
GATEWAY = ("gateway/compare.py",)
PARTS = {"planning": PLANNING, "cache": CACHE, "gateway": GATEWAY}
PAGE = REPOSITORY / "docs/benchmarks.md"


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


def figures_of(benches: Sequence[str], options: Sequence[str]) -> str:
    """What some benchmarks print, after a line that says on what."""
    begun = time.perf_counter()
    tables = []
    shared = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    for bench in benches:
        call = [sys.executable, str(HERE / bench), *options]
        made = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY, env=shared)
        tables.append(made.stdout)
        print(tables[-1], end="", flush=True)
    taken = f"Measured on {machine()}, all in {time.perf_counter() - begun:.0f} s.\n"
    print(taken)
    return "\n".join([taken, *(table.rstrip() + "\n" for table in tables)])


def record(part: str, text: str) -> None:
    """Put figures between their marks on the page."""
    page = PAGE.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {part} -->\n).*?(<!-- /{part} -->)", re.DOTALL)
    PAGE.write_text(between.sub(lambda match: f"{match[1]}{text}{match[2]}", page), encoding="utf-8")
    if part == "planning":
        shutil.copy(OUT / "growth.svg", REPOSITORY / "docs/images/growth.svg")


def main() -> None:
    """Run them, keep what they print."""
    arguments = sys.argv[1:]
    recorded = "--record" in arguments
    options = [each for each in arguments if each != "--record"]
    parts = [options.pop(0)] if options and options[0] in PARTS else list(PARTS)
    OUT.mkdir(parents=True, exist_ok=True)
    for part in parts:
        text = figures_of(PARTS[part], options if part == "gateway" else ())
        (OUT / f"{part}.md").write_text(text, encoding="utf-8")
        if recorded:
            record(part, text)


if __name__ == "__main__":
    main()
