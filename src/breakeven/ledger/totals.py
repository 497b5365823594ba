"""The one query that adds money up: every screen, file and metric is a rendering of it.

An entry counts in the 15 minutes in which its hold was placed, and a request with its first attempt. Bounds on 15
minutes are answered from the rollups, others from the entries; both give the same, as long as no entries were deleted
by retention. The rollups keep what deleted entries came to.

What was saved is attributed once: to answers that were not bought again, to prompts that the provider cached because
the gateway asked for it, and to tokens that were kept out. What the provider's cache would have saved without the
gateway is shown beside them, and is nobody's credit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from breakeven.catalog.names import nearest
from breakeven.errors import InputError, UnknownName
from breakeven.ledger.recording import SUMS, slot_s
from breakeven.ledger.recovery import fact
from breakeven.policy.window import NS_PER_S, ROLLUP_S, time_zone
from breakeven.stores.sqlite import snapshot

COLUMNS: Final[Mapping[str, str]] = {
    "tenant": "tenant",
    "team": "team",
    "user": "user",
    "key": "key_id",
    "model": "served_model",
    "deployment": "deployment",
    "outcome": "outcome",
    "served_from": "served_from",
    "marked_by": "marked_by",
}
"""What totals can be grouped and narrowed by, beside ``day`` and ``tag:KEY``, and the columns that say it."""

SAVED: Final[Mapping[str, str]] = {
    "response_cache": "response_cache_saved_nano_usd",
    "prompt_cache_caused": "prompt_cache_caused_nano_usd",
    "prompt_cache_anyway": "prompt_cache_anyway_nano_usd",
    "token_reduction": "removed_nano_usd",
}
"""What saved money, and the sums of `Total` that say how much. What is cached anyway is nobody's credit."""

PRUNED_BEFORE: Final = "entries_pruned_before_ns"
"""The fact before which entries were deleted by retention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsQuery:
    """What to add up: groups in order, a half-open stretch of time, and what to keep (``{"tenant": "acme"}``)."""

    by: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    only: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """One group's sums. ``nano_usd`` is the effective cost, which budgets count."""

    group: tuple[str, ...]
    requests: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    cache_read_audio_tokens: int
    output_audio_tokens: int
    removed_input_tokens: int
    list_nano_usd: int
    nano_usd: int
    baseline_nano_usd: int
    response_cache_saved_nano_usd: int
    prompt_cache_caused_nano_usd: int
    prompt_cache_anyway_nano_usd: int
    removed_nano_usd: int


_PLAIN: Final = tuple(column for column in SUMS if column != "prompt_cache_saved_nano_usd")
_ADDED_UP: Final[dict[str, str]] = {column: column for column in _PLAIN} | {
    "response_cache_saved_nano_usd": (
        "CASE WHEN served_from <> 'upstream' THEN baseline_nano_usd - effective_nano_usd ELSE 0 END"
    ),
    "prompt_cache_caused_nano_usd": "CASE WHEN marked_by = 'gateway' THEN prompt_cache_saved_nano_usd ELSE 0 END",
    "prompt_cache_anyway_nano_usd": "CASE WHEN marked_by = 'gateway' THEN 0 ELSE prompt_cache_saved_nano_usd END",
}
"""What is added up, and the columns that it is made of."""


def totals(connection: sqlite3.Connection, query: TotalsQuery) -> tuple[Total, ...]:
    """The sums of every group that has entries, in order of the groups; without groups one total, perhaps of nothing.

    Raises:
        UnknownName: a group or filter that does not exist.
        InputError: bounds between 15 minutes, in a time whose entries were deleted; or no such time zone.
    """
    _register(connection, time_zone(query.timezone))
    groups = [_expression(name) for name in query.by]
    with snapshot(connection):
        table = _table(connection, query)
        condition, values = _condition(query, table)
        sums = ", ".join(f"coalesce(sum({each}), 0)" for each in table.sums.values())
        places = ", ".join(str(place + 1) for place in range(len(groups)))
        statement = (
            f"SELECT {', '.join([*groups, sums])} FROM {table.name} WHERE {condition}"  # noqa: S608
            + (f" GROUP BY {places} ORDER BY {places}" if groups else "")
        )
        rows = connection.execute(statement, values).fetchall()
    return tuple(_total(row, len(groups)) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """Where sums are taken from: what each sum is there, and in which column and unit its time is."""

    name: str
    sums: Mapping[str, str]
    time: str
    unit_ns: int


_ROLLUPS: Final = _Table(name="rollups", sums=_ADDED_UP, time="slot_s", unit_ns=NS_PER_S)
_ENTRIES: Final = _Table(
    name="(SELECT *, counted_at_ns / 1000000000 AS slot_s FROM entries)",
    sums=_ADDED_UP | {"requests": "first", "attempts": "1"},
    time="counted_at_ns",
    unit_ns=1,
)


def _table(connection: sqlite3.Connection, query: TotalsQuery) -> _Table:
    bounds = [bound for bound in (query.since_ns, query.until_ns) if bound is not None]
    if all(bound == slot_s(bound) * NS_PER_S for bound in bounds):
        return _ROLLUPS
    pruned_before = fact(connection, PRUNED_BEFORE)
    if (query.since_ns or 0) < pruned_before:
        raise InputError(
            "entries of that time were deleted, and only sums of 15 minutes are left",
            cause=f"entries before {_utc(pruned_before)} were pruned",
            hint="give --since and --until on a quarter of an hour",
        )
    return _ENTRIES


def _condition(query: TotalsQuery, table: _Table) -> tuple[str, list[int | str]]:
    parts, values = ["1"], list[int | str]()
    for comparison, bound in ((">=", query.since_ns), ("<", query.until_ns)):
        if bound is not None:
            parts.append(f"{table.time} {comparison} ?")
            values.append(bound // table.unit_ns)
    for name, value in query.only.items():
        parts.append(f"{_expression(name)} = ?")
        values.append(value)
    return " AND ".join(parts), values


def _expression(name: str) -> str:
    """The SQL of a group; the key of a tag is passed as a quoted literal."""
    if name in COLUMNS:
        return COLUMNS[name]
    if name == "day":
        return "local_day(slot_s)"
    kind, _, key = name.partition(":")
    if kind == "tag" and key:
        literal = key.replace("'", "''")
        return f"tag_value(tags, '{literal}')"
    known = [*COLUMNS, "day", "tag:KEY"]
    near = nearest(name, known) or known
    raise UnknownName(f"totals cannot be grouped by {name!r}", hint=f"use {', '.join(near)}")


def _register(connection: sqlite3.Connection, zone: ZoneInfo) -> None:
    """Give SQLite the two functions that its own dates and JSON cannot express."""

    @lru_cache(maxsize=100_000)
    def local_day(second: int) -> str:
        return datetime.fromtimestamp(second, zone).date().isoformat()

    connection.create_function("local_day", 1, lambda second: local_day(second - second % ROLLUP_S))
    connection.create_function("tag_value", 2, tag_value, deterministic=True)


@lru_cache(maxsize=100_000)
def tag_value(tags: str, key: str) -> str:
    """The value of a tag among ``KEY=VALUE`` texts in a JSON array; empty where there is none.

    >>> tag_value('["project=atlas"]', "project"), tag_value("[]", "project")
    ('atlas', '')
    """
    return next((tag.partition("=")[2] for tag in json.loads(tags) if tag.partition("=")[0] == key), "")


def _total(row: Sequence[str | int], n_groups: int) -> Total:
    sums = dict(zip(_ADDED_UP, (int(value) for value in row[n_groups:]), strict=True))
    sums["nano_usd"] = sums.pop("effective_nano_usd")
    return Total(group=tuple(str(value) for value in row[:n_groups]), **sums)


def _utc(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // NS_PER_S, ZoneInfo('UTC')):%Y-%m-%d %H:%M} UTC"
