"""A deployment's attempts as measurements of it: what `breakeven calibrate` reads from a ledger."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from breakeven.catalog.names import nearest
from breakeven.errors import InputError, UnknownName
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.totals import TotalsQuery, totals
from breakeven.policy.window import NS_PER_S
from breakeven.serving.benchmark_reports import COLUMNS, StatedDeployment
from breakeven.serving.measurements import Measurements, points_from_columns
from breakeven.serving.observed_load import LEAST_REQUESTS, OUTSIDE, Attempt, Observed, observe
from breakeven.stores.sqlite import snapshot

AROUND_NS: Final = 3_600 * NS_PER_S
"""Requests this long before and after the stretch that was asked for are read, too: they were load to those in it."""

_LAST_NS: Final = 1 << 62
"""Later than any entry, and an integer that SQLite can hold."""

_ENDINGS: Final = {
    "refused_by_upstream": "refused by the upstream",
    "failed": "failed",
    "timeout": "timed out",
    "client_gone": "the client went away",
    "interrupted": "the gateway was interrupted",
}
_READ: Final = (
    "counted_at_ns, started_at_ns, duration_s, ttft_s, input_tokens, output_tokens, cache_read_tokens, "
    "outcome, attempt, usage_basis, stream"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStretch:
    """Which attempts of a ledger to read: those at a deployment, admitted in [since, until).

    ``served_model`` is needed where the deployment served several. ``replicas`` engines stand behind it.
    """

    deployment: str | None = None
    served_model: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    replicas: int = 1


def measured_load(path: Path, stretch: LedgerStretch, stated: StatedDeployment) -> Measurements:
    """Points from the streamed attempts of a deployment that succeeded; its model is the served one, if not stated.

    Raises:
        InputError: nothing says which deployment or GPU it is, or too few of its requests can be used.
        UnknownName: the ledger has no such deployment, or it served no such model.
        Unavailable: the ledger cannot be read now.
    """
    with opened(path) as connection:
        found = _served(connection, path, stretch)
        with snapshot(connection):
            name = f"{path.name}: {found.served_model} at {found.deployment}"
            observed = observe(_attempts(connection, found), name=name, replicas=found.replicas)
    if not observed.loads:
        raise _too_few(path, found, observed)
    columns = {name: [getattr(load, name) for load in observed.loads] for name in COLUMNS}
    named = replace(stated, model=stated.model or found.served_model)
    points = points_from_columns(columns, named, origin=str(path))
    return Measurements(tool=f"ledger, {found.deployment}", servers=tuple(points), observed=observed)


def _served(connection: sqlite3.Connection, path: Path, stretch: LedgerStretch) -> LedgerStretch:
    """The stretch with its one served model."""
    models: defaultdict[str, list[str]] = defaultdict(list)
    for total in totals(connection, TotalsQuery(by=("deployment", "model"), only={"served_from": "upstream"})):
        models[total.group[0]].append(total.group[1])
    deployment = _one(stretch.deployment, list(models), f"{path} has several deployments", "--deployment", path)
    said = f"the deployment {deployment} served several models"
    served = _one(stretch.served_model, models[deployment], said, "--served-model", path)
    return replace(stretch, deployment=deployment, served_model=served)


def _one(stated: str | None, known: list[str], said: str, option: str, path: Path) -> str:
    """The stated name, which must be known, or the only one there is."""
    look = f"breakeven ledger totals --by deployment,model --ledger {path}"
    if stated is not None and stated not in known:
        near = ", ".join(nearest(stated, known) or known[:3]) or "none"
        raise UnknownName(f"{path} has nothing of {option} {stated}", cause=f"nearest: {near}", hint=look)
    if not known:
        raise InputError(f"{path} has no entries", hint="serve requests first: breakeven serve")
    if stated is None and len(known) > 1:
        raise InputError(said, cause=f"{len(known)}: {', '.join(known)}"[:300], hint=f"{option} {known[0]}")
    return stated or known[0]


def _attempts(connection: sqlite3.Connection, stretch: LedgerStretch) -> Iterator[Attempt]:
    """Attempts row by row, in order of their admission: the index has that order, so nothing is sorted."""
    since_ns = min(stretch.since_ns or 0, _LAST_NS)
    until_ns = _LAST_NS if stretch.until_ns is None else min(stretch.until_ns, _LAST_NS)
    query = (
        f"SELECT {_READ} FROM entries INDEXED BY entries_by_time"  # noqa: S608
        " WHERE counted_at_ns >= ? AND counted_at_ns < ? AND deployment = ? AND served_model = ?"
        " AND served_from = 'upstream' ORDER BY counted_at_ns"
    )
    bounds = (max(since_ns - AROUND_NS, 0), until_ns + AROUND_NS, stretch.deployment, stretch.served_model)
    for row in connection.execute(query, bounds):
        attempt = _attempt(row)
        yield attempt if since_ns <= attempt.admitted_at_ns < until_ns else attempt._replace(left_out=OUTSIDE)


def _attempt(row: tuple[Any, ...]) -> Attempt:
    cache_read_tokens, outcome, number, usage_basis, stream = row[6:]
    reasons = (
        (outcome != "ok", _ENDINGS.get(outcome, outcome)),
        (number > 1, "a retry or a fallback"),
        (not stream, "not streamed"),
        (usage_basis != "reported", "token counts are not the upstream's own"),
    )
    left_out = next((reason for holds, reason in reasons if holds), "")
    return Attempt._make((*row[:6], cache_read_tokens > 0, left_out))


def _too_few(path: Path, stretch: LedgerStretch, observed: Observed) -> InputError:
    counted = ", ".join(f"{reason}: {count:,}" for reason, count in observed.left_out.items())
    return InputError(
        f"{path} has too few requests to {stretch.deployment} that can be used",
        cause=f"at least {LEAST_REQUESTS} at about the same load are needed; left out are {counted or 'none'}",
        hint="serve more streamed requests, or widen --since and --until",
    )
