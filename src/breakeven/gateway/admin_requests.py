"""``GET /admin/requests/{request_id}``: every attempt at a request, for the admin key and the key that made it."""

from __future__ import annotations

from breakeven import units
from breakeven.errors import UnknownName
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given
from breakeven.gateway.admin_store import AdminStore
from breakeven.ledger.entry import LedgerEntry
from breakeven.ledger.lookup import entries
from breakeven.pipeline.refusal import Refusal
from breakeven.render.ledger import entry_body
from breakeven.render.money import decimal_text


class AdminRequests:
    """The endpoint of requests."""

    def __init__(self, store: AdminStore) -> None:
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is answered."""
        return (
            Endpoint(
                method="GET",
                path="/admin/requests/{request_id}",
                summary="Every attempt at a request, and what it cost; also with the virtual key that made it",
                handle=self._get,
                schema="Request",
                refusals=(404,),
                for_keys=True,
            ),
        )

    async def _get(self, asked: Asked) -> Given:
        request_id = asked.path["request_id"]
        attempts = await self._attempts(request_id)
        if not attempts or (asked.key is not None and attempts[0].key_id != asked.key.key_id):
            raise Refusal(404, "request_not_found", "the ledger has no such request of yours")
        return Given(200, request_body(attempts))

    async def _attempts(self, request_id: str) -> list[LedgerEntry]:
        """Those in SQLite, and those that are on their way there."""
        recent = self._store.ledger.recent(request_id)
        try:
            stored = await self._store.read(lambda connection: entries(connection, request_id))
        except UnknownName:
            stored = ()
        by_attempt = {entry.attempt: entry for entry in (*recent, *stored)}
        return [by_attempt[attempt] for attempt in sorted(by_attempt)]


def request_body(attempts: list[LedgerEntry]) -> dict[str, object]:
    """A request: the cost is the sum of its attempts; outcome and decision are the last one's."""
    cost_nano_usd = sum(entry.effective_nano_usd for entry in attempts)
    return {
        "request_id": attempts[0].request_id,
        "cost_nano_usd": cost_nano_usd,
        "cost_usd": decimal_text(units.usd(cost_nano_usd)),
        "outcome": attempts[-1].outcome,
        "decision": attempts[-1].decision,
        "attempts": [entry_body(entry) for entry in attempts],
    }
