"""Virtual keys in the ledger: made, listed, revoked. A secret is shown once, and only its SHA-256 is kept."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from breakeven.errors import InputError, UnknownName
from breakeven.policy.virtual_key import RateLimits, VirtualKey
from breakeven.policy.window import NS_PER_S
from breakeven.stores.sqlite import transaction

SECRET_PREFIX: Final = "sk-be-"  # noqa: S105  # what every secret begins with, so that scanners find leaked ones
SECRET_BYTES: Final = 32

POLICY: Final = "policy_version"
"""The fact that grows with every change of keys and budgets: a serving process looks at nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made, with the only copy of its secret."""

    key: VirtualKey
    secret: str = field(repr=False)


def digest(secret: str) -> bytes:
    """What is kept of a secret, and what it is found by."""
    return sha256(secret.encode()).digest()


def new_version(connection: sqlite3.Connection) -> int:
    """Count a change of keys or budgets; called within the change's transaction."""
    query = "INSERT INTO facts VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
    return int(connection.execute(query, (POLICY,)).fetchone()[0])


def new_key(
    tenant: str, *, lifetime: timedelta | None = None, limits: RateLimits | None = None, **fields: Any
) -> NewKey:
    """A key that is not stored yet; ``fields`` are those of `VirtualKey`.

    Raises:
        InputError: no tenant, or a lifetime that has no end in the calendar.
    """
    if not tenant:
        raise InputError("a key needs a tenant", hint="--tenant NAME")
    created_at = datetime.now(UTC).replace(microsecond=0)
    try:
        expires_at = None if lifetime is None else created_at + lifetime
    except OverflowError as error:
        raise InputError("the key would never expire", hint="leave --expires-in out") from error
    key = VirtualKey(
        key_id=f"key_{secrets.token_hex(8)}",
        tenant=tenant,
        limits=limits or RateLimits(),
        created_at=created_at,
        expires_at=expires_at,
        **fields,
    )
    return NewKey(key=key, secret=SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES))


def insert(connection: sqlite3.Connection, new: NewKey) -> None:
    """Store a key within the caller's transaction."""
    key = new.key
    row = (
        key.key_id,
        digest(new.secret),
        key.tenant,
        key.team,
        key.user,
        key.name,
        json.dumps(sorted(key.allowed_models)),
        key.max_nano_usd_per_request,
        key.limits.requests_per_minute,
        key.limits.tokens_per_minute,
        key.limits.parallel_requests,
        json.dumps(key.tags),
        _ns(key.created_at),
        _ns(key.expires_at),
        _ns(key.revoked_at),
        new_version(connection),
    )
    connection.execute(f"INSERT INTO keys VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608


def create(connection: sqlite3.Connection, new: NewKey) -> NewKey:
    """Store a key.

    Raises:
        sqlite3.Error: it was not stored.
    """
    with transaction(connection):
        insert(connection, new)
    return new


def listed(connection: sqlite3.Connection, tenant: str | None = None) -> tuple[VirtualKey, ...]:
    """The keys, oldest first, those that expired or were revoked included."""
    query = f"SELECT {_COLUMNS} FROM keys WHERE ? IS NULL OR tenant = ? ORDER BY created_at_ns, key_id"  # noqa: S608
    return tuple(_key(row) for row in connection.execute(query, (tenant, tenant)))


def found(connection: sqlite3.Connection, key_id: str) -> VirtualKey:
    """The key of this id, also where it is expired or revoked.

    Raises:
        UnknownName: there is none.
    """
    row = connection.execute(f"SELECT {_COLUMNS} FROM keys WHERE key_id = ?", (key_id,)).fetchone()  # noqa: S608
    if row is None:
        raise UnknownName(f"no key {key_id!r}", hint="breakeven key list")
    return _key(row)


def change(connection: sqlite3.Connection, key: VirtualKey) -> None:
    """Store what may change of a key, within the caller's transaction: whose it is and its secret stay."""
    connection.execute(
        "UPDATE keys SET name = ?, allowed_models = ?, max_nano_usd_per_request = ?, requests_per_minute = ?,"
        " tokens_per_minute = ?, parallel_requests = ?, tags = ?, expires_at_ns = ?, changed = ? WHERE key_id = ?",
        (
            key.name,
            json.dumps(sorted(key.allowed_models)),
            key.max_nano_usd_per_request,
            key.limits.requests_per_minute,
            key.limits.tokens_per_minute,
            key.limits.parallel_requests,
            json.dumps(key.tags),
            _ns(key.expires_at),
            new_version(connection),
            key.key_id,
        ),
    )


def revoke(connection: sqlite3.Connection, key_id: str) -> VirtualKey:
    """Take a key out of use from now on; one that was revoked already stays as it is.

    Raises:
        UnknownName: there is no such key.
    """
    with transaction(connection):
        found(connection, key_id)
        connection.execute(
            "UPDATE keys SET revoked_at_ns = coalesce(revoked_at_ns, ?), changed = ? WHERE key_id = ?",
            (time.time_ns(), new_version(connection), key_id),
        )
        return found(connection, key_id)


def changed_since(connection: sqlite3.Connection, version: int) -> Iterator[tuple[bytes, VirtualKey]]:
    """Keys that were made or changed after a version of the policy, each with its secret's digest."""
    query = f"SELECT secret_sha256, {_COLUMNS} FROM keys WHERE changed > ?"  # noqa: S608
    for row in connection.execute(query, (version,)):
        yield row[0], _key(row[1:])


_COLUMNS: Final = (
    "key_id, tenant, team, user, name, allowed_models, max_nano_usd_per_request, requests_per_minute,"
    " tokens_per_minute, parallel_requests, tags, created_at_ns, expires_at_ns, revoked_at_ns"
)


def _key(row: tuple[Any, ...]) -> VirtualKey:
    return VirtualKey(
        key_id=row[0],
        tenant=row[1],
        team=row[2],
        user=row[3],
        name=row[4],
        allowed_models=frozenset(json.loads(row[5])),
        max_nano_usd_per_request=row[6],
        limits=RateLimits(requests_per_minute=row[7], tokens_per_minute=row[8], parallel_requests=row[9]),
        tags=tuple(json.loads(row[10])),
        created_at=_moment(row[11]),
        expires_at=None if row[12] is None else _moment(row[12]),
        revoked_at=None if row[13] is None else _moment(row[13]),
    )


def _moment(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC)


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) * NS_PER_S
