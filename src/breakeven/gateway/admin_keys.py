"""``/admin/keys``: make, list, change and revoke virtual keys. A secret is in one answer only, that of its making."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from breakeven.errors import UnknownName
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given
from breakeven.gateway.admin_fields import BudgetTerms, Count, Name, Page, Tag, Text, Usd, nano_usd
from breakeven.gateway.admin_store import AdminStore
from breakeven.ledger import budgets, keys
from breakeven.ledger.keys import NewKey
from breakeven.policy.budget import Budget
from breakeven.policy.scope import Scope
from breakeven.policy.virtual_key import RateLimits, VirtualKey
from breakeven.render.json import schema_id
from breakeven.render.keys import key_body, new_key_body
from breakeven.stores.sqlite import transaction

Models = Annotated[list[Name], Meta(max_length=256)]
Tags = Annotated[list[Tag], Meta(max_length=32)]
Lifetime = Annotated[int, Meta(ge=1, le=10 * 365 * 86_400, description="Seconds from now.")]
Value = TypeVar("Value")


class NewKeyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key to make. Without models it may ask for every model; a null limit is none."""

    tenant: Name
    team: Text = ""
    user: Text = ""
    name: Text = ""
    allowed_models: Models = []
    max_usd_per_request: Usd | None = None
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    parallel_requests: Count | None = None
    tags: Tags = []
    expires_in_s: Lifetime | None = None
    budget: BudgetTerms | None = None


class KeyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to change of a key: fields that are left out stay, null takes a limit away."""

    name: Text | UnsetType = UNSET
    allowed_models: Models | UnsetType = UNSET
    max_usd_per_request: Usd | UnsetType | None = UNSET
    requests_per_minute: Count | UnsetType | None = UNSET
    tokens_per_minute: Count | UnsetType | None = UNSET
    parallel_requests: Count | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET
    expires_in_s: Lifetime | UnsetType | None = UNSET


class KeyPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which keys to list: oldest first, those behind ``after`` (a key's id)."""

    tenant: Name | None = None
    after: Name | None = None
    limit: Page = 1_000


class AdminKeys:
    """The endpoints of keys."""

    def __init__(self, store: AdminStore) -> None:
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is answered."""
        one = "/admin/keys/{key_id}"
        return (
            Endpoint(
                method="POST",
                path="/admin/keys",
                summary="Make a key; this answer alone has its secret",
                handle=self._create,
                schema="NewKey",
                status=201,
                body=NewKeyBody,
                refusals=(422,),
            ),
            Endpoint(
                method="GET",
                path="/admin/keys",
                summary="The keys, without their secrets",
                handle=self._list,
                schema="Keys",
                query=KeyPage,
                refusals=(404,),
            ),
            Endpoint(method="GET", path=one, summary="One key", handle=self._get, schema="Key", refusals=(404,)),
            Endpoint(
                method="PATCH",
                path=one,
                summary="Change a key's limits",
                handle=self._change,
                schema="Key",
                body=KeyChange,
                refusals=(404, 422),
            ),
            Endpoint(
                method="DELETE",
                path=one,
                summary="Take a key out of use; its entries and it itself stay on record",
                handle=self._revoke,
                schema="Key",
                refusals=(404,),
            ),
        )

    async def _create(self, asked: Asked) -> Given:
        new = _new_key(asked.body)
        budget = _own_budget(asked.body, new.key)
        await self._store.change(lambda connection: _insert(connection, new, budget))
        return Given(201, {"schema": schema_id("key"), **new_key_body(new, budget)})

    async def _list(self, asked: Asked) -> Given:
        query: KeyPage = asked.query
        listed = await self._store.read(lambda connection: keys.listed(connection, query.tenant))
        page = _behind(listed, query.after)[: query.limit]
        return Given(200, {"schema": schema_id("keys"), "keys": [key_body(key) for key in page]})

    async def _get(self, asked: Asked) -> Given:
        key = await self._store.read(lambda connection: keys.found(connection, asked.path["key_id"]))
        return Given(200, key_body(key))

    async def _change(self, asked: Asked) -> Given:
        def change(connection: sqlite3.Connection) -> VirtualKey:
            with transaction(connection):
                keys.change(connection, changed(keys.found(connection, asked.path["key_id"]), asked.body))
                return keys.found(connection, asked.path["key_id"])

        return Given(200, key_body(await self._store.change(change)))

    async def _revoke(self, asked: Asked) -> Given:
        key = await self._store.change(lambda connection: keys.revoke(connection, asked.path["key_id"]))
        return Given(200, key_body(key))


def changed(key: VirtualKey, change: KeyChange) -> VirtualKey:
    """The key with what a change says."""
    limits = RateLimits(
        requests_per_minute=_or(change.requests_per_minute, key.limits.requests_per_minute),
        tokens_per_minute=_or(change.tokens_per_minute, key.limits.tokens_per_minute),
        parallel_requests=_or(change.parallel_requests, key.limits.parallel_requests),
    )
    cap = change.max_usd_per_request
    lifetime = change.expires_in_s
    return replace(
        key,
        name=_or(change.name, key.name),
        allowed_models=key.allowed_models if change.allowed_models is UNSET else frozenset(change.allowed_models),
        max_nano_usd_per_request=key.max_nano_usd_per_request if cap is UNSET else _cap(cap),
        limits=limits,
        tags=key.tags if change.tags is UNSET else tuple(change.tags),
        expires_at=key.expires_at if lifetime is UNSET else _end(lifetime),
    )


def _or(new: Value | UnsetType, old: Value) -> Value:
    return old if isinstance(new, UnsetType) else new


def _cap(usd: str | None) -> int | None:
    return None if usd is None else nano_usd(usd)


def _end(lifetime_s: int | None) -> datetime | None:
    return None if lifetime_s is None else datetime.now(UTC) + timedelta(seconds=lifetime_s)


def _new_key(body: NewKeyBody) -> NewKey:
    return keys.new_key(
        body.tenant,
        lifetime=None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s),
        limits=RateLimits(
            requests_per_minute=body.requests_per_minute,
            tokens_per_minute=body.tokens_per_minute,
            parallel_requests=body.parallel_requests,
        ),
        team=body.team,
        user=body.user,
        name=body.name,
        allowed_models=frozenset(body.allowed_models),
        max_nano_usd_per_request=_cap(body.max_usd_per_request),
        tags=tuple(body.tags),
    )


def _own_budget(body: NewKeyBody, key: VirtualKey) -> Budget | None:
    return None if body.budget is None else body.budget.budget(Scope(key.tenant, "key", key.key_id))


def _insert(connection: sqlite3.Connection, new: NewKey, budget: Budget | None) -> None:
    with transaction(connection):
        keys.insert(connection, new)
        if budget is not None:
            budgets.put(connection, budget)


def _behind(listed: Sequence[VirtualKey], after: str | None) -> Sequence[VirtualKey]:
    if after is None:
        return listed
    for place, key in enumerate(listed, start=1):
        if key.key_id == after:
            return listed[place:]
    raise UnknownName(f"no key {after!r} to list from", hint="GET /admin/keys")
