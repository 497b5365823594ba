"""``breakeven key``: give out, list and revoke the keys that the gateway takes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from breakeven.cli.ledger_options import LENGTH, budget_of, ledger_option, window_options
from breakeven.cli.options import COMMA_LIST, NUMBER, output_options, text_style, write_output
from breakeven.errors import InputError

if TYPE_CHECKING:
    from breakeven.policy.budget import OnExceed

POSITIVE = click.IntRange(min=1)


@click.group(short_help="Give out, list and revoke the gateway's keys.")
def key() -> None:
    """Give out, list and revoke the keys that the gateway takes."""


@key.command(short_help="Make a key; it is shown once.")
@click.option("--tenant", required=True, metavar="T", help="Whose money it spends.")
@click.option("--user", required=True, metavar="U", help="Who uses it.")
@click.option("--team", default="", metavar="NAME", help="The user's team.")
@click.option("--name", default="", metavar="NAME", help="A name for the key.")
@click.option("--models", type=COMMA_LIST, default=None, help="Only these models.  [default: all]")
@click.option("--max-usd-per-request", type=NUMBER, metavar="USD", help="The most that one request may cost.")
@click.option("--rpm", type=POSITIVE, metavar="N", help="Requests a minute.")
@click.option("--tpm", type=POSITIVE, metavar="N", help="Tokens a minute, input and output.")
@click.option("--parallel", type=POSITIVE, metavar="N", help="Requests at once.")
@click.option("--expires-in", type=LENGTH, help="How long the key is good for.  [default: for ever]")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Counted with each request; may be repeated.")
@click.option("--budget-usd", type=NUMBER, metavar="USD", help="A budget of the key's own.")
@window_options
@ledger_option
@output_options("text", "json", "csv")
def create(
    *,
    tenant: str,
    models: tuple[str, ...] | None,
    max_usd_per_request: Decimal | None,
    rpm: int | None,
    tpm: int | None,
    parallel: int | None,
    expires_in: timedelta | None,
    tags: tuple[str, ...],
    budget_usd: Decimal | None,
    window: str,
    timezone: str,
    on_exceed: OnExceed,
    alert_frac: Decimal,
    ledger_path: Path,
    output_format: str,
    out: Path | None,
    **names: Any,
) -> None:
    """Make a key for a user of a tenant, with a budget of its own where one is given. It is shown once."""
    from breakeven import units
    from breakeven.ledger import budgets, keys
    from breakeven.ledger.ledger_file import opened
    from breakeven.policy.scope import Scope
    from breakeven.policy.virtual_key import RateLimits
    from breakeven.render.keys import render_new_key
    from breakeven.stores.sqlite import transaction

    _check_tags(tags)
    if max_usd_per_request is not None and max_usd_per_request < 0:
        raise InputError("a request cannot cost less than nothing", hint="--max-usd-per-request 0.50")
    new = keys.new_key(
        tenant,
        lifetime=expires_in,
        limits=RateLimits(requests_per_minute=rpm, tokens_per_minute=tpm, parallel_requests=parallel),
        allowed_models=frozenset(models or ()),
        max_nano_usd_per_request=None if max_usd_per_request is None else units.nano_usd(max_usd_per_request),
        tags=tags,
        **names,
    )
    budget = None
    if budget_usd is not None:
        scope = Scope(tenant, "key", new.key.key_id)
        budget = budget_of(
            scope, budget_usd, window=window, timezone=timezone, on_exceed=on_exceed, alert_frac=alert_frac
        )
    with opened(ledger_path, create=True) as connection, transaction(connection):
        keys.insert(connection, new)
        if budget is not None:
            budgets.put(connection, budget)
    write_output(render_new_key(new, budget, output_format, text_style(out)), out)


def _check_tags(tags: tuple[str, ...]) -> None:
    for tag in tags:
        name, equals, value = tag.partition("=")
        if not (name and equals and value):
            raise InputError(f"{tag!r} is no tag", cause="a tag is KEY=VALUE", hint="--tag project=atlas")


@key.command("list", short_help="The keys, without their secrets.")
@click.option("--tenant", metavar="T", help="Only this tenant's.")
@ledger_option
@output_options("text", "json", "csv")
def list_keys(tenant: str | None, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """The keys, oldest first, those that expired or were revoked included."""
    from breakeven.ledger import keys
    from breakeven.ledger.ledger_file import opened
    from breakeven.render.keys import render_keys

    with opened(ledger_path) as connection:
        found = keys.listed(connection, tenant)
    write_output(render_keys(found, output_format, text_style(out)), out)


@key.command(short_help="Take a key out of use.")
@click.argument("key_id")
@ledger_option
@output_options("text", "json", "csv")
def revoke(key_id: str, ledger_path: Path, output_format: str, out: Path | None) -> None:
    """Take the key KEY_ID out of use; a serving gateway refuses it within a tenth of a second."""
    from breakeven.ledger import keys
    from breakeven.ledger.ledger_file import opened
    from breakeven.render.keys import render_keys

    with opened(ledger_path) as connection:
        revoked = keys.revoke(connection, key_id)
    write_output(render_keys([revoked], output_format, text_style(out)), out)
