"""``GET /admin/totals``: what was spent, as ``breakeven ledger totals`` says it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from breakeven.errors import InputError, UnknownName
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given
from breakeven.gateway.admin_fields import ONE_LINE, Name, Text
from breakeven.gateway.admin_store import AdminStore
from breakeven.ledger.totals import Total, TotalsQuery, totals
from breakeven.pipeline.refusal import Refusal
from breakeven.policy.window import NS_PER_S, time_zone
from breakeven.render.json import schema_id
from breakeven.render.ledger import totals_body

Moment = Annotated[
    str,
    Meta(
        pattern=r"^(19[7-9]|20[0-9]|21[0-9])[0-9]-[0-9]{2}-[0-9]{2}"
        r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?(?!\n)$",
        description="A day or a moment by ISO 8601, from 1970 to 2199.",
    ),
]
_LINE = Meta(max_length=500, pattern=ONE_LINE)


class TotalsFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to add up. ``since`` is counted in, ``until`` is not; without a zone they are in ``timezone``."""

    by: Annotated[str, _LINE, Meta(description="Groups, comma-separated: tenant, team, user, key, model, ...")] = ""
    since: Moment | None = None
    until: Moment | None = None
    tenant: Name | None = None
    timezone: Text = "UTC"

    def query(self) -> TotalsQuery:
        """What the ledger is asked.

        Raises:
            InputError: no such time zone, or no such moment.
        """
        return TotalsQuery(
            by=tuple(dict.fromkeys(filter(None, (name.strip() for name in self.by.split(","))))),
            since_ns=self._ns(self.since),
            until_ns=self._ns(self.until),
            only={} if self.tenant is None else {"tenant": self.tenant},
            timezone=self.timezone,
        )

    def _ns(self, text: str | None) -> int | None:
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
            zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=time_zone(self.timezone))
            return int(zoned.replace(microsecond=0).timestamp()) * NS_PER_S + moment.microsecond * 1_000
        except (ValueError, OverflowError) as error:
            raise InputError(f"there is no moment {text}", cause=str(error)) from error


class AdminTotals:
    """The endpoint of totals."""

    def __init__(self, store: AdminStore) -> None:
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is answered."""
        return (
            Endpoint(
                method="GET",
                path="/admin/totals",
                summary="What was spent, in all or by group",
                handle=self._get,
                schema="Totals",
                query=TotalsFields,
                refusals=(422,),
            ),
        )

    async def _get(self, asked: Asked) -> Given:
        fields: TotalsFields = asked.query
        query = fields.query()

        def added_up(connection: sqlite3.Connection) -> tuple[Total, ...]:
            return totals(connection, query)

        try:
            rows = await self._store.read(added_up)
        except UnknownName as error:
            raise Refusal(422, "invalid_request", f"{error.message}; {error.hint}") from error
        return Given(200, {"schema": schema_id("totals"), **totals_body(rows, query)})
