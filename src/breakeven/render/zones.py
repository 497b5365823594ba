"""Break-even zones in words: from which volume to which each option is the cheapest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from breakeven.plan.plan import Zone
from breakeven.render.money import times_text

_LAST_SEARCHED_REQUESTS_PER_DAY = 1_000_000_000


def flip_sentence(zones: Sequence[Zone], requests_per_day: int) -> str:
    """Where the answer changes next above today's volume, and how far away that is."""
    if len(zones) == 1:
        zone = zones[0]
        return (
            f"The answer never changes between {zone.from_requests_per_day:,} and {zone.to_requests_per_day:,} "
            f"requests a day: {_names(zone)}."
        )
    above = next((zone for zone in zones if zone.from_requests_per_day > requests_per_day), None)
    if above is None:
        return f"Today's {requests_per_day:,} requests a day are above the last volume at which the answer changes."
    times = above.from_requests_per_day / requests_per_day
    return (
        f"Above today's {requests_per_day:,} requests a day the cheapest option next changes at "
        f"{above.from_requests_per_day:,} ({times_text(times)} today's volume), to {_names(above)}."
    )


def zone_points(zones: Sequence[Zone], requests_per_day: int) -> Iterator[str]:
    """One line a zone, in order of volume; the zone of today's volume says so."""
    for zone in zones:
        today = zone.from_requests_per_day <= requests_per_day <= zone.to_requests_per_day
        yield f"{_range_text(zone)} requests a day: {_names(zone)}{_changes(zone)}{' (today)' if today else ''}"


def _range_text(zone: Zone) -> str:
    if zone.to_requests_per_day >= _LAST_SEARCHED_REQUESTS_PER_DAY:
        return f"{zone.from_requests_per_day:,} and above, searched to {zone.to_requests_per_day:,},"
    return f"{zone.from_requests_per_day:,} to {zone.to_requests_per_day:,}"


def _names(zone: Zone) -> str:
    return " or ".join(zone.options)


def _changes(zone: Zone) -> str:
    if not zone.count:
        return ""
    step = "" if zone.step_requests_per_day is None else f", about every {zone.step_requests_per_day:,} requests a day"
    return f" (they take turns: {zone.count:,} changes{step})"
