"""``/admin/budgets``: set, list and remove budgets, with what is spent, held and left of each."""

from __future__ import annotations

import sqlite3
from typing import Annotated

import msgspec
from msgspec import Meta

from breakeven.errors import InputError, UnknownName
from breakeven.gateway.admin_endpoint import Asked, Endpoint, Given
from breakeven.gateway.admin_fields import BudgetTerms, Name, Page, ScopeText
from breakeven.gateway.admin_store import AdminStore
from breakeven.ledger import budgets, keys
from breakeven.policy.budget import Budget, BudgetState
from breakeven.policy.scope import Scope, parse_scope
from breakeven.render.budgets import budget_body, state_body
from breakeven.render.json import schema_id
from breakeven.stores.sqlite import transaction


class BudgetPut(BudgetTerms, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A budget to set; one for the same scope, window and time zone is replaced."""

    tenant: Name
    scope: ScopeText


class BudgetPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which budgets to list, in order of their tenant, scope and window."""

    tenant: Name | None = None
    limit: Page = 1_000
    offset: Annotated[int, Meta(ge=0, le=10**9)] = 0


class AdminBudgets:
    """The endpoints of budgets."""

    def __init__(self, store: AdminStore) -> None:
        self._store = store

    def endpoints(self) -> tuple[Endpoint, ...]:
        """What is answered."""
        every, one = "/admin/budgets", "/admin/budgets/{budget_id}"
        return (
            Endpoint(
                method="PUT",
                path=every,
                summary="Set a budget; it holds for the next request",
                handle=self._put,
                schema="Budget",
                body=BudgetPut,
                refusals=(422,),
            ),
            Endpoint(
                method="GET",
                path=every,
                summary="The budgets with what is spent, reserved and left in their windows now",
                handle=self._list,
                schema="Budgets",
                query=BudgetPage,
            ),
            Endpoint(method="GET", path=one, summary="One budget", handle=self._get, schema="Budget", refusals=(404,)),
            Endpoint(
                method="DELETE",
                path=one,
                summary="Remove a budget; what was spent stays in the ledger",
                handle=self._remove,
                schema="RemovedBudget",
                refusals=(404,),
            ),
        )

    async def _put(self, asked: Asked) -> Given:
        body: BudgetPut = asked.body
        scope = parse_scope(body.tenant, body.scope)
        budget = body.budget(scope)

        def put(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                _check(connection, scope)
                budgets.put(connection, budget)

        await self._store.change(put)
        return Given(200, state_body(self._state(budget.budget_id)))

    async def _list(self, asked: Asked) -> Given:
        query: BudgetPage = asked.query
        states = sorted(self._states(query.tenant), key=lambda state: _place(state.budget))
        page = states[query.offset : query.offset + query.limit]
        return Given(200, {"schema": schema_id("budgets"), "budgets": [state_body(state) for state in page]})

    async def _get(self, asked: Asked) -> Given:
        return Given(200, state_body(self._state(asked.path["budget_id"])))

    async def _remove(self, asked: Asked) -> Given:
        removed = await self._store.change(lambda connection: budgets.remove(connection, asked.path["budget_id"]))
        return Given(200, budget_body(removed))

    def _states(self, tenant: str | None) -> list[BudgetState]:
        """The budgets with the very numbers by which they are enforced."""
        self._store.ledger.look()
        states = self._store.ledger.standings()
        return [state for state in states if tenant is None or state.budget.scope.tenant == tenant]

    def _state(self, budget_id: str) -> BudgetState:
        for state in self._states(None):
            if state.budget.budget_id == budget_id:
                return state
        raise UnknownName(f"no budget {budget_id!r}", hint="breakeven budget list")


def _check(connection: sqlite3.Connection, scope: Scope) -> None:
    """Refuse a budget that no request could ever count against: it would look like protection and be none."""
    if scope.kind == "tenant" and scope.name != scope.tenant:
        raise InputError(f"a budget of the tenant {scope.tenant!r} has the scope tenant:{scope.tenant}")
    if scope.kind == "key":
        try:
            key = keys.found(connection, scope.name)
        except UnknownName as error:
            raise InputError(f"there is no key {scope.name!r} for this budget") from error
        if key.tenant != scope.tenant:
            raise InputError(f"the key {scope.name!r} is not of the tenant {scope.tenant!r}")


def _place(budget: Budget) -> tuple[str, ...]:
    return (*budget.scope, budget.window.text, budget.window.timezone)
