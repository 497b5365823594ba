"""Windows: calendar ones begin at local midnight, whatever the clocks do; rolling ones move in quarters of an hour."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.policy.window import FOREVER_NS, NS_PER_S, ROLLUP_S, Window, parse_window

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")
"""Clocks change by an hour at night, by an hour at 2:00, by half an hour, and over midnight."""

calendar = st.builds(Window, kind=st.sampled_from(["day", "week", "month"]), timezone=st.sampled_from(ZONES))
moments = st.integers(
    int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S,
    int(datetime(2029, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_S,
)


def ns(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * NS_PER_S


def local(at_ns: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, ZoneInfo(zone))


@given(window=calendar, at_ns=moments)
def test_every_moment_lies_in_one_calendar_window_that_begins_with_its_first_local_day(
    window: Window, at_ns: int
) -> None:
    start_ns, end_ns = window.bounds(at_ns)
    assert start_ns <= at_ns < end_ns
    assert window.bounds(start_ns) == window.bounds(end_ns - 1) == (start_ns, end_ns)
    assert window.bounds(end_ns)[0] == end_ns
    assert window.bounds(start_ns - 1)[1] == start_ns
    assert start_ns % (ROLLUP_S * NS_PER_S) == end_ns % (ROLLUP_S * NS_PER_S) == 0
    first, next_first = local(start_ns, window.timezone).date(), local(end_ns, window.timezone).date()
    assert local(start_ns - NS_PER_S, window.timezone).date() < first
    match window.kind:
        case "day":
            assert next_first == first + timedelta(days=1)
        case "week":
            assert (first.weekday(), next_first) == (0, first + timedelta(days=7))
        case _:
            assert (first.day, next_first.day) == (1, 1)
            assert (next_first.year * 12 + next_first.month) - (first.year * 12 + first.month) == 1


@given(zone=st.sampled_from(ZONES), year=st.integers(2024, 2028))
def test_days_tile_a_year_and_only_two_of_them_are_not_24_hours(zone: str, year: int) -> None:
    window = Window(kind="day", timezone=zone)
    at_ns, day, lengths = ns(f"{year}-01-01", zone), date(year, 1, 1), []
    while day.year == year:
        start_ns, end_ns = window.bounds(at_ns)
        assert (start_ns, local(start_ns, zone).date()) == (at_ns, day)
        lengths.append((end_ns - start_ns) // NS_PER_S)
        at_ns, day = end_ns, day + timedelta(days=1)
    assert sum(length != 86_400 for length in lengths) == 2
    assert sum(lengths) == len(lengths) * 86_400


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("America/New_York", "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),  # 25 hours
        ("Australia/Lord_Howe", "2026-04-05T12:00", "2026-04-04T13:00", "2026-04-05T13:30"),  # 24 hours and a half
        ("Africa/Cairo", "2026-04-24T12:00", "2026-04-23T22:00", "2026-04-24T21:00"),  # midnight is left out
    ],
)
def test_a_day_on_which_clocks_change(zone: str, day: str, start: str, end: str) -> None:
    assert Window(kind="day", timezone=zone).bounds(ns(day, zone)) == (ns(start), ns(end))


def test_where_clocks_go_back_over_midnight_the_day_does_not_come_twice() -> None:
    # On 2010-11-07 in St John's clocks went from 00:01 back to 23:01 of the day before.
    window = Window(kind="day", timezone="America/St_Johns")
    before, again = ns("2010-11-07T02:30:30"), ns("2010-11-07T02:45:00")  # 00:00:30, then 23:15
    assert local(again, window.timezone).date() < local(before, window.timezone).date()
    assert window.bounds(before) == window.bounds(again)


@given(at_ns=moments, days=st.integers(1, 90))
def test_a_rolling_window_moves_in_quarters_of_an_hour(at_ns: int, days: int) -> None:
    window = Window(kind="rolling", days=days)
    start_ns, end_ns = window.bounds(at_ns)
    assert end_ns - start_ns == days * 86_400 * NS_PER_S
    assert 0 < end_ns - at_ns <= ROLLUP_S * NS_PER_S
    assert end_ns % (ROLLUP_S * NS_PER_S) == 0
    assert window.bounds(end_ns)[0] == start_ns + ROLLUP_S * NS_PER_S
    assert window.counted_bounds(at_ns) == (start_ns, FOREVER_NS)


def test_a_total_never_ends() -> None:
    assert Window(kind="total").bounds(ns("2026-11-24")) == (0, FOREVER_NS)


@given(text=st.sampled_from(["day", "week", "month", "total", "1d", "30d", "3660d"]), zone=st.sampled_from(ZONES))
def test_a_window_is_read_as_it_is_written(text: str, zone: str) -> None:
    window = parse_window(text, zone)
    assert (window.text, window.timezone) == (text, zone)
    assert parse_window(window.text, window.timezone) == window


@pytest.mark.parametrize("text", ["", "hour", "Month", "0d", "030d", "-1d", "rolling", "3661d", "9999d", "30 d", "٣d"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_window(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "near"),
    [("Europe/Berlim", "Europe/Berlin"), ("Berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("", "UTC")],
)
def test_an_unknown_time_zone_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(InputError, match="no time zone") as caught:
        parse_window("day", name)
    assert near in str(caught.value.hint)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/localtime", "Europe", "Europe/Berlin\0"])
def test_a_time_zone_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(InputError):
        parse_window("day", name)
