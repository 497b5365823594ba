"""The stretch of time that a budget is for: a calendar day, week or month in a time zone, or the last N days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WindowKind = Literal["day", "week", "month", "rolling", "total"]

ROLLUP_S: Final = 900
"""Rollups are 15 minutes wide: every time zone's midnight is a multiple of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A kind of window; ``days`` is the length of a rolling one. Bounds are half-open, [start, end)."""

    kind: WindowKind
    timezone: str = "UTC"
    days: int = 0
