"""``breakeven budget``: set, list and remove what a scope may spend in a window."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from breakeven.cli.ledger_options import budget_of, ledger_option, window_options
from breakeven.cli.options import NUMBER, output_options, text_style, write_output

if TYPE_CHECKING:
    from breakeven.policy.budget import OnExceed


@click.group(short_help="Set, list and remove budgets.")
def budget() -> None:
    """Set, list and remove budgets: what a tenant, team, user, key, tag or model may spend in a window."""


@budget.command("set", short_help="Set what a scope may spend in a window.")
@click.argument("scope")
@click.option("--tenant", required=True, metavar="T", help="The tenant that SCOPE is in.")
@click.option("--usd", type=NUMBER, required=True, metavar="USD", help="The budget, US dollars.")
@window_options
@ledger_option
@output_options("text", "json", "csv")
def set_budget(
    *,
    scope: str,
    tenant: str,
    usd: Decimal,
    window: str,
    timezone: str,
    on_exceed: OnExceed,
    alert_frac: Decimal,
    ledger_path: Path,
    output_format: str,
    out: Path | None,
) -> None:
    """Set what SCOPE, such as user:alice or tag:project=atlas, may spend in a window.

    A budget of the same scope and window is replaced; what was spent still counts.
    """
    from breakeven.ledger import budgets
    from breakeven.ledger.ledger_file import opened
    from breakeven.policy.scope import parse_scope
    from breakeven.render.budgets import render_budgets

    made = budget_of(
        parse_scope(tenant, scope),
        usd,
        window=window,
        timezone=timezone,
        on_exceed=on_exceed,
        alert_frac=alert_frac,
    )
    with opened(ledger_path, create=True) as connection:
        budgets.set_budget(connection, made)
        states = budgets.listed(connection, ledger_path, time.time_ns(), tenant)
    shown = [state for state in states if state.budget.budget_id == made.budget_id]
    write_output(render_budgets(shown, output_format, text_style(out)), out)


@budget.command("list", short_help="Budgets with what is spent, held and left.")
@click.option("--tenant", metavar="T", help="Only this tenant's.")
@ledger_option
@output_options("text", "json", "csv")
def list_budgets(tenant: str | None, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Every budget in its window now: what is spent, what requests under way hold, and what is left."""
    from breakeven.ledger import budgets
    from breakeven.ledger.ledger_file import opened
    from breakeven.render.budgets import render_budgets

    with opened(ledger_path) as connection:
        states = budgets.listed(connection, ledger_path, time.time_ns(), tenant)
    write_output(render_budgets(states, output_format, text_style(out)), out)


@budget.command(short_help="Take a budget away.")
@click.argument("budget_id")
@ledger_option
@output_options("text", "json", "csv")
def remove(budget_id: str, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Take the budget BUDGET_ID away; what was spent stays in the ledger."""
    from breakeven.ledger import budgets
    from breakeven.ledger.ledger_file import opened
    from breakeven.render.budgets import render_budgets

    with opened(ledger_path) as connection:
        states = budgets.listed(connection, ledger_path, time.time_ns())
        budgets.remove(connection, budget_id)
    shown = [state for state in states if state.budget.budget_id == budget_id]
    write_output(render_budgets(shown, output_format, text_style(out)), out)
