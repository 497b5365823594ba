"""Mean request rates of equal intervals: what monitoring keeps for weeks, where no single request is kept."""

from __future__ import annotations

import csv
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError

COLUMNS = "t_s,rate_rps, and pool where there are several"


def read_rates(path: Path, pool: str | None = None) -> NDArray[np.float64]:
    """Requests per second of each interval, in order, from a CSV with the columns ``t_s`` and ``rate_rps``.

    Where the file has several pools, ``pool`` names the one to read.

    Raises:
        TraceError: the file or a row cannot be read, the intervals are not equal, or the pool is not there.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path}: cannot be read", cause=str(error), hint="a CSV with " + COLUMNS) from None
    if not rows or not {"t_s", "rate_rps"} <= rows[0].keys():
        raise TraceError(f"{path}: has no rates", cause="it needs the columns t_s and rate_rps", hint=COLUMNS)
    name = _pool(path, rows, pool)
    return _in_order(path, [row for row in _numbers(path, rows) if row[0] == name])


def _pool(path: Path, rows: list[dict[str, str]], wanted: str | None) -> str:
    names = list(dict.fromkeys(row.get("pool") or "" for row in rows))
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None or wanted not in names:
        asked = "which pool?" if wanted is None else f"no pool {wanted!r}"
        raise TraceError(f"{path}: {asked}", cause=f"it has {', '.join(names)}", hint=f"--pool {names[0]}")
    return wanted


def _numbers(path: Path, rows: list[dict[str, str]]) -> list[tuple[str, float, float]]:
    found = []
    for line, row in enumerate(rows, start=2):
        try:
            at_s, rate = float(row["t_s"]), float(row["rate_rps"])
        except (TypeError, ValueError):
            at_s = rate = float("nan")
        if not (isfinite(at_s) and isfinite(rate) and rate >= 0):
            raise TraceError(
                f"{path}, line {line}: t_s and rate_rps must be numbers, the rate at least 0", hint=COLUMNS
            )
        found.append((row.get("pool") or "", at_s, rate))
    return found


def _in_order(path: Path, rows: list[tuple[str, float, float]]) -> NDArray[np.float64]:
    times = np.array([at_s for _, at_s, _ in rows])
    steps = np.diff(times)
    if len(steps) and (steps[0] <= 0 or not np.allclose(steps, steps[0])):
        raise TraceError(
            f"{path}: the intervals are not equal",
            cause="t_s must grow by the same number of seconds in each row",
            hint="fill gaps with a rate of 0, or write one row for each hour",
        )
    return np.array([rate for _, _, rate in rows])
