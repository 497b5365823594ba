"""Timestamps of a trace: ISO 8601 texts, epochs in s, ms, us or ns, or seconds from any start."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import TraceError
from breakeven.units import SECONDS_PER_HOUR
from breakeven.workload.trace_cells import Cells, Chunk
from breakeven.workload.trace_formats import TraceFormat

_EPOCH_S: Final = (600_000_000.0, 5_000_000_000.0)
"""Seconds since 1970 that are taken for an epoch: 1989 to 2128."""

_ZONE: Final = re.compile(r":.*?(Z|z|[+-]\d\d(?::?\d\d)?)$")
_UNITS: Final = {1: "seconds", 1_000: "milliseconds", 1_000_000: "microseconds", 1_000_000_000: "nanoseconds"}
_US_PER_S: Final = 1_000_000
_SOONEST, _LATEST = np.datetime64("1989-01-01", "us"), np.datetime64("2128-01-01", "us")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A trace's arrivals: seconds from an arbitrary zero, float64 of shape (n,), in file order.

    ``midnight_s`` is a midnight of the clock called ``name`` on the same axis, or None without a clock. ``note`` says
    how the numbers were understood.
    """

    seconds: NDArray[np.float64]
    midnight_s: float | None
    name: str
    note: str = ""


@dataclass(slots=True, kw_only=True)
class ClockReader:
    """Collects the timestamps of a trace chunk by chunk; texts and numbers do not mix."""

    trace_format: TraceFormat
    source: str
    _is_text: bool | None = None
    _zone: str = ""
    _parts: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        """Read one chunk's timestamps.

        Raises:
            TraceError: one is missing, unreadable, or of another kind than the first; names the line.
        """
        if self._is_text is None:
            self._begin(chunk.timestamps[0])
        read = self._texts if self._is_text else _numbers
        self._parts.append(read(chunk.timestamps, chunk))

    def clock(self) -> Clock:
        """All timestamps as seconds.

        Raises:
            TraceError: numbers that cannot all be of one unit.
        """
        stamps = np.concatenate(self._parts)
        if self._is_text:
            offset_s = _offset_s(self._zone)
            name = f"the trace's own clock (UTC{self._zone})" if self._zone else "the trace's own clock"
            return Clock(seconds=stamps, midnight_s=-offset_s, name=name)
        return self._numeric_clock(stamps)

    def _begin(self, first: object) -> None:
        self._is_text = isinstance(first, str) and _float(first) is None
        zone = _ZONE.search(first.strip()) if isinstance(first, str) and self._is_text else None
        self._zone = zone[1] if zone else ""

    def _texts(self, cells: Cells, chunk: Chunk) -> NDArray[np.float64]:
        stamps = self._fast_texts(cells)
        if stamps is None:
            stamps = np.array([self._text(cell, chunk, row) for row, cell in enumerate(cells)], dtype="datetime64[us]")
            return stamps.astype(np.int64) / _US_PER_S
        return (stamps.astype(np.int64) - int(_offset_s(self._zone) * _US_PER_S)) / _US_PER_S

    def _fast_texts(self, cells: Cells) -> NDArray[np.datetime64] | None:
        """All cells at once, in the zone of the first; None where one of them needs a closer look."""
        if set(map(type, cells)) != {str} or min(cells) < "0" or max(cells) >= ":":
            return None
        bare = [cell.removesuffix(self._zone) for cell in cells] if self._zone else cells
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                stamps: NDArray[np.datetime64] = np.array(bare, dtype="datetime64[us]")
        except (ValueError, UserWarning, DeprecationWarning):
            return None
        if np.isnat(stamps).any() or stamps.min() < _SOONEST or stamps.max() > _LATEST:
            return None
        return stamps

    def _text(self, cell: object, chunk: Chunk, row: int) -> datetime:
        """One ISO 8601 text in UTC without its zone."""
        try:
            stamp = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else None
        except ValueError:
            stamp = None
        if stamp is None or not 1989 <= stamp.year < 2128:
            raise _unreadable(cell, chunk, row)
        if (stamp.tzinfo is not None) != bool(self._zone):
            raise TraceError(
                f"{chunk.at(row)}: some timestamps have a time zone and some have none",
                cause=f"got {cell!r:.80}",
                hint="write all of them with a zone, such as +00:00",
            )
        return stamp.astimezone(UTC).replace(tzinfo=None) if stamp.tzinfo else stamp

    def _numeric_clock(self, stamps: NDArray[np.float64]) -> Clock:
        stated = self.trace_format.ticks_per_s
        ticks = stated or _ticks(stamps, self.source)
        seconds = stamps / ticks
        if self.trace_format.starts_at_midnight:
            return Clock(seconds=seconds, midnight_s=0.0, name="the trace's own clock")
        if _is_epoch(float(seconds.min())) and _is_epoch(float(seconds.max())):
            return Clock(
                seconds=seconds, midnight_s=0.0, name="UTC", note=f"timestamps read as {_UNITS[ticks]} since 1970"
            )
        return Clock(
            seconds=seconds, midnight_s=None, name="", note=f"timestamps read as {_UNITS[ticks]} without a date"
        )


def _numbers(cells: Cells, chunk: Chunk) -> NDArray[np.float64]:
    kinds = set(map(type, cells))
    if kinds <= {str} or kinds <= {int, float}:
        try:
            stamps = np.array(list(map(float, cells)), dtype=np.float64)
            if np.isfinite(stamps).all():
                return stamps
        except (ValueError, OverflowError):
            pass  # the loop below names the line
    exact = [_float(cell) for cell in cells]
    bad = next((row for row, stamp in enumerate(exact) if stamp is None or not np.isfinite(stamp)), None)
    if bad is not None:
        raise _unreadable(cells[bad], chunk, bad)
    return np.array(exact, dtype=np.float64)


def _float(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def _is_epoch(seconds: float) -> bool:
    return _EPOCH_S[0] <= seconds <= _EPOCH_S[1]


def _ticks(stamps: NDArray[np.float64], source: str) -> int:
    """Ticks per second of numeric timestamps, told from their size; 1 where they are no epoch."""
    low, high = float(stamps.min()), float(stamps.max())
    for ticks in _UNITS:
        if _is_epoch(low / ticks) and _is_epoch(high / ticks):
            return ticks
    if any(_is_epoch(high / ticks) for ticks in _UNITS):
        raise TraceError(
            f"{source}: timestamps of different units",
            cause=f"the smallest is {low:,.0f} and the largest {high:,.0f}",
            hint="write all of them as seconds since 1970, or leave out rows without a time",
        )
    return 1


def _offset_s(zone: str) -> float:
    """Seconds that a zone's clock is ahead of UTC."""
    if zone in ("", "Z", "z"):
        return 0.0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = float(int(digits[:2]) * SECONDS_PER_HOUR + int(digits[2:]) * 60)
    return -seconds if zone[0] == "-" else seconds


def _unreadable(cell: object, chunk: Chunk, row: int) -> TraceError:
    missing = cell is None or (isinstance(cell, str) and not cell.strip())
    return TraceError(
        f"{chunk.at(row)}: timestamp is {'missing' if missing else 'unreadable'}",
        cause=f"got {cell!r:.80}",
        hint="write ISO 8601, such as 2024-05-10T00:00:00.5Z, or seconds; one kind in all rows",
    )
