"""``breakeven budget`` as text, JSON (``breakeven/budgets/1``) or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breakeven import units
from breakeven.policy.budget import Budget, BudgetState
from breakeven.render import csv, json, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, usd_text
from breakeven.render.price_lists import rendered

_TEXTS = ("budget_id", "tenant", "scope", "window", "timezone", "on_exceed")
_AMOUNTS = ("limit", "spent", "reserved", "left")


def render_budgets(states: Sequence[BudgetState], output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """Budgets in their windows now, one a row.

    Raises:
        InputError: an unknown format.
    """
    header = (*_TEXTS, *(f"{amount}_nano_usd" for amount in _AMOUNTS))
    return rendered(
        output_format,
        {
            "text": lambda: text.render(_document(states), style),
            "json": lambda: json.render("budgets", {"budgets": [state_body(state) for state in states]}),
            "csv": lambda: csv.render(header, [_csv_cells(state) for state in states]),
        },
    )


def budget_body(budget: Budget) -> dict[str, Any]:
    """What was set: a limit in dollars as text and in nano-dollars."""
    return {
        "budget_id": budget.budget_id,
        "tenant": budget.scope.tenant,
        "scope": budget.scope.text,
        "window": budget.window.text,
        "timezone": budget.window.timezone,
        "on_exceed": budget.on_exceed,
        "alert_frac": budget.alert_frac,
        **_money("limit", budget.limit_nano_usd),
    }


def state_body(state: BudgetState) -> dict[str, Any]:
    """A budget with what is spent, held and left in its window; left is negative where a soft one was exceeded."""
    amounts = _amounts(state)
    return budget_body(state.budget) | {
        field: value for name, nano_usd in amounts.items() for field, value in _money(name, nano_usd).items()
    }


def _amounts(state: BudgetState) -> dict[str, int]:
    limit = state.budget.limit_nano_usd
    left_nano_usd = limit - state.spent_nano_usd - state.reserved_nano_usd
    amounts = (limit, state.spent_nano_usd, state.reserved_nano_usd, left_nano_usd)
    return dict(zip(_AMOUNTS, amounts, strict=True))


def _money(name: str, nano_usd: int) -> dict[str, Any]:
    return {f"{name}_nano_usd": nano_usd, f"{name}_usd": decimal_text(units.usd(nano_usd))}


def _csv_cells(state: BudgetState) -> tuple[str, ...]:
    body = budget_body(state.budget)
    return (*(text_cell(body[name]) for name in _TEXTS), *map(str, _amounts(state).values()))


def _document(states: Sequence[BudgetState]) -> Document:
    columns = (left("budget"), left("tenant"), left("scope", wraps=True), left("window"), left("beyond it"))
    rows = tuple(Row(cells=_cells(state)) for state in states)
    table = Table(caption="Budgets", columns=(*columns, *(right(name) for name in _AMOUNTS)), rows=rows)
    return Document(
        title="Budgets",
        headline=(f"{len(states):,} budget{'' if len(states) == 1 else 's'}, each in its window now.",),
        sections=(Section(title="Budgets", table=table),) if rows else (),
    )


def _cells(state: BudgetState) -> tuple[str, ...]:
    budget = state.budget
    window = f"{budget.window.text} {budget.window.timezone}"
    amounts = (usd_text(units.usd(nano_usd), 4) for nano_usd in _amounts(state).values())
    return budget.budget_id, budget.scope.tenant, budget.scope.text, window, budget.on_exceed, *amounts
