"""The admin API: keys, budgets, requests, totals and upstreams, behind a credential of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from breakeven.errors import InputError, Unavailable, UnknownName
from breakeven.gateway.admin_access import AdminAccess, bearer
from breakeven.gateway.admin_budgets import AdminBudgets
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given, MethodNotAllowed, found
from breakeven.gateway.admin_keys import AdminKeys
from breakeven.gateway.admin_requests import AdminRequests
from breakeven.gateway.admin_store import AdminStore
from breakeven.gateway.admin_totals import AdminTotals
from breakeven.gateway.admin_upstreams import AdminUpstreams
from breakeven.gateway.http_request import Request
from breakeven.gateway.json_answer import answer, refuse
from breakeven.gateway.openapi import document
from breakeven.gateway.router import Router
from breakeven.gateway.upstream_report import UpstreamReport
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.pipeline.authorise import authorised_key
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.policy.virtual_key import VirtualKey

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


class AdminApi:
    """Answers everything under ``/admin/``. What it changes is in force when its answer leaves."""

    def __init__(
        self, ledger: SqliteLedger, access: AdminAccess, upstreams: UpstreamReport, reload: Callable[[], None]
    ) -> None:
        store = AdminStore(ledger)
        self._ledger = ledger
        self._access = access
        self._endpoints: tuple[Endpoint, ...] = (
            *AdminKeys(store).endpoints(),
            *AdminBudgets(store).endpoints(),
            *AdminRequests(store).endpoints(),
            *AdminTotals(store).endpoints(),
            *AdminUpstreams(upstreams, reload).endpoints(),
            Endpoint(
                method="GET",
                path="/admin/openapi.json",
                summary="This API as an OpenAPI document",
                handle=self._document,
                schema="Document",
            ),
        )

    def add_to(self, router: Router) -> None:
        """Answer every method below the path."""
        for method in METHODS:
            if method != "HEAD":  # goes where GET goes
                router.add(method, "/admin/*", self.serve)

    async def serve(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        try:
            given = await self._given(request)
        except Refusal as refusal:
            refuse(reply, refusal, refusal.methods if isinstance(refusal, MethodNotAllowed) else ())
        except UnknownName as error:
            refuse(reply, Refusal(404, "not_found", error.message))
        except InputError as error:
            cause = f" ({error.cause})" if error.cause else ""
            refuse(reply, Refusal(422, "invalid_request", f"{error.message}{cause}"))
        except Unavailable as error:
            refuse(reply, Refusal(503, "ledger_unavailable", error.message, retry_after_s=1.0))
        else:
            answer(reply, given.status, given.body)

    async def _given(self, request: Request) -> Given:
        key = None if self._access.allows(request) else await self._virtual_key(request)
        endpoint, path = found(self._endpoints, request)
        if key is not None and not endpoint.for_keys:
            raise Refusal(403, "admin_key_required", "a virtual key may not do this; the admin key may")
        return await endpoint.handle(endpoint.asked(request, path, key))

    async def _virtual_key(self, request: Request) -> VirtualKey:
        """The virtual key that asks instead of the admin key.

        Raises:
            Refusal: 401, it is not one that may be used.
        """
        secret = bearer(request)
        try:
            return await authorised_key(self._ledger, secret)
        except Refusal:
            if secret:
                self._access.failed(request)
            told = "the admin key is missing or wrong (Authorization: Bearer ...)"
            raise Refusal(401, "invalid_admin_key", told) from None

    async def _document(self, asked: Asked) -> Given:
        del asked
        return Given(200, document(self._endpoints))
