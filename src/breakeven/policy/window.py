"""The stretch of time that a budget is for: a calendar day, week or month in a time zone, or the last N days.

Whether time may run backwards is not decided here: a window is a function of the moment alone. The ledger's accounts
hand in moments that never go back, so a window that was left is not entered again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from breakeven.catalog.names import nearest
from breakeven.errors import InputError

WindowKind = Literal["day", "week", "month", "rolling", "total"]

ROLLUP_S: Final = 900
"""Rollups are 15 minutes wide: every time zone's midnight is a multiple of it."""

NS_PER_S: Final = 1_000_000_000
FOREVER_NS: Final = 2**63 - 1
"""The end of what never ends: the largest moment that the ledger can store."""

LONGEST_ROLLING_DAYS: Final = 3_660

_CALENDAR: Final = frozenset({"day", "week", "month"})
_ROLLING: Final = re.compile(r"([1-9]\d{0,3})d")
_STEP_NS: Final = ROLLUP_S * NS_PER_S
_DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A kind of window; ``days`` is the length of a rolling one. Bounds are half-open, [start, end)."""

    kind: WindowKind
    timezone: str = "UTC"
    days: int = 0

    @property
    def text(self) -> str:
        """As commands write it, without the time zone: ``day``, ``30d``."""
        return f"{self.days}d" if self.kind == "rolling" else self.kind

    def bounds(self, at_ns: int) -> tuple[int, int]:
        """Start and end of the window that a moment lies in, nanoseconds since 1970 in UTC.

        A rolling window moves in steps of 15 minutes and ends with the step that is under way.

        Raises:
            InputError: no such time zone.
        """
        if self.kind == "total":
            return 0, FOREVER_NS
        if self.kind == "rolling":
            end_ns = (at_ns // _STEP_NS + 1) * _STEP_NS
            return end_ns - self.days * _DAY_NS, end_ns
        return _calendar_bounds(self.kind, time_zone(self.timezone), at_ns)

    def counted_bounds(self, at_ns: int) -> tuple[int, int]:
        """The stretch whose entries count against a budget at a moment: the window.

        What a clock that ran ahead has put behind the end of a rolling window counts in it, too: it will be in every
        window to come, so leaving it out now would let the two add up to more than the budget.

        Raises:
            InputError: no such time zone.
        """
        start_ns, end_ns = self.bounds(at_ns)
        return (start_ns, FOREVER_NS) if self.kind == "rolling" else (start_ns, end_ns)


def parse_window(text: str, timezone: str = "UTC") -> Window:
    """The window that ``day``, ``week``, ``month``, ``total`` or a number of days such as ``30d`` means.

    Raises:
        InputError: none of these, too many days, or no such time zone.
    """
    time_zone(timezone)
    if rolling := _ROLLING.fullmatch(text):
        days = int(rolling[1])
        if days > LONGEST_ROLLING_DAYS:
            raise InputError(f"a rolling window of {days} days is too long", hint=f"--window {LONGEST_ROLLING_DAYS}d")
        return Window(kind="rolling", timezone=timezone, days=days)
    for kind in get_args(WindowKind):
        if text == kind and kind != "rolling":
            return Window(kind=kind, timezone=timezone)
    raise InputError(
        f"{text!r} is no window",
        cause="a window is day, week, month, total, or a number of days such as 30d",
        hint="--window month",
    )


@lru_cache(maxsize=1024)
def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of this name.

    Raises:
        InputError: there is none; the hint lists the nearest names.
    """
    if name in available_timezones():
        return ZoneInfo(name)
    near = nearest(name, available_timezones()) or _places(name)
    raise InputError(
        f"no time zone {name!r}",
        cause="time zones have IANA names such as Europe/Berlin",
        hint=f"--timezone {' or '.join(near) if near else 'UTC'}",
    )


def _places(name: str) -> tuple[str, ...]:
    """Zones whose place has this name: a person writes Berlin for Europe/Berlin."""
    zones = {zone.rpartition("/")[2]: zone for zone in sorted(available_timezones())}
    return tuple(zones[place] for place in nearest(name.replace(" ", "_"), zones))


def _calendar_bounds(kind: WindowKind, zone: ZoneInfo, at_ns: int) -> tuple[int, int]:
    first = _first_day(kind, datetime.fromtimestamp(at_ns // NS_PER_S, zone).date())
    start_ns, end_ns = _midnight_ns(first, zone), _midnight_ns(_next(kind, first), zone)
    # Where clocks are set back over midnight, a date comes twice: its second coming belongs to the window that has
    # already begun.
    while at_ns >= end_ns:
        first = _next(kind, first)
        start_ns, end_ns = end_ns, _midnight_ns(_next(kind, first), zone)
    return start_ns, end_ns


def _first_day(kind: WindowKind, day: date) -> date:
    """The day on which the window of this day began; weeks begin on Monday (ISO 8601)."""
    match kind:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    return day


def _next(kind: WindowKind, first: date) -> date:
    match kind:
        case "week":
            return first + timedelta(days=7)
        case "month":
            return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1)


def _midnight_ns(day: date, zone: ZoneInfo) -> int:
    """The first moment of a local day: where midnight is left out, the moment at which clocks were set forward."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * NS_PER_S
