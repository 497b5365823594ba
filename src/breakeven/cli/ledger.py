"""``breakeven ledger``: add up, look up, back up and prune what was spent."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from pathlib import Path

import click

from breakeven.cli.ledger_options import LENGTH, ledger_option, moment_ns
from breakeven.cli.options import COMMA_LIST, output_options, text_style, write_output
from breakeven.cli.price import Moment


@click.group(short_help="Add up, look up, back up and prune what was spent.")
def ledger() -> None:
    """Add up, look up, back up and prune what was spent."""


@ledger.command(short_help="What was spent, by user, model, day and more.")
@click.option("--by", type=COMMA_LIST, default=(), help="Any of tenant, team, user, key, model, day, tag:KEY, ...")
@click.option("--since", type=Moment(), metavar="DATE", help="From this day or moment on.")
@click.option("--until", type=Moment(), metavar="DATE", help="Up to this day or moment, itself left out.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Where days begin (IANA name).")
@click.option("--tenant", metavar="T", help="Only this tenant's.")
@click.option("--only", multiple=True, metavar="GROUP=VALUE", help="Only this group, such as model=gpt-4o; repeatable.")
@ledger_option
@output_options("text", "json", "csv")
def totals(
    *,
    by: tuple[str, ...],
    since: date | datetime | None,
    until: date | datetime | None,
    timezone: str,
    tenant: str | None,
    only: tuple[str, ...],
    ledger_path: Path,
    output_format: str,
    out: Path | None,
) -> None:
    """What was spent, in all or by group: tenant, team, user, key, model, deployment, outcome, day, tag:KEY.

    By served_from: what was bought, remembered, or shared with a request under way. Dollars are effective ones, which
    budgets count. A request counts when it was let in.
    """
    from breakeven.ledger.ledger_file import opened
    from breakeven.ledger.totals import TotalsQuery
    from breakeven.ledger.totals import totals as added_up
    from breakeven.render.ledger import render_totals

    query = TotalsQuery(
        by=by,
        since_ns=moment_ns(since, timezone),
        until_ns=moment_ns(until, timezone),
        only=_only(only, tenant),
        timezone=timezone,
    )
    with opened(ledger_path) as connection:
        rows = added_up(connection, query)
    write_output(render_totals(rows, query, output_format, text_style(out)), out)


def _only(pairs: tuple[str, ...], tenant: str | None) -> dict[str, str]:
    from breakeven.errors import InputError

    found = {} if tenant is None else {"tenant": tenant}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise InputError(f"--only cannot use {pair!r}", hint="--only model=gpt-4o")
        found[name] = value
    return found


@ledger.command(short_help="Every attempt at one request.")
@click.argument("request_id")
@ledger_option
@output_options("text", "json", "csv")
def show(request_id: str, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Every attempt at the request REQUEST_ID: what it used, what it cost, and how that is known."""
    from breakeven.ledger.ledger_file import opened
    from breakeven.ledger.lookup import entries
    from breakeven.render.ledger import render_entries

    with opened(ledger_path) as connection:
        found = entries(connection, request_id)
    write_output(render_entries(found, output_format, text_style(out)), out)


@ledger.command(short_help="Copy the ledger while requests are served.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@ledger_option
@output_options("text", "json", "csv")
def backup(file: Path, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Copy the ledger to FILE as it is at one moment; requests are served meanwhile."""
    from breakeven.ledger.backup import backup as copied
    from breakeven.ledger.ledger_file import opened
    from breakeven.render.ledger import render_backup

    with opened(ledger_path) as connection:
        made = copied(connection, file)
    write_output(render_backup(made, output_format, text_style(out)), out)


@ledger.command(short_help="Delete old entries; their sums stay.")
@click.option("--older-than", type=LENGTH, required=True, help="Delete entries older than this.")
@ledger_option
@output_options("text", "json", "csv")
def prune(older_than: timedelta, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Delete old entries, a few at a time, while requests are served. Totals still count them, by 15 minutes."""
    from breakeven.ledger.ledger_file import opened
    from breakeven.ledger.retention import prune as pruned
    from breakeven.policy.window import NS_PER_S
    from breakeven.render.ledger import render_pruned

    before_ns = max(0, time.time_ns() - int(older_than.total_seconds()) * NS_PER_S)
    with opened(ledger_path) as connection:
        done = pruned(connection, before_ns)
    write_output(render_pruned(done, output_format, text_style(out)), out)
