"""``breakeven cache``: what is remembered, and forgetting it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from breakeven.cli.cache_semantic import semantic_check
from breakeven.cli.options import output_options, text_style, write_output

DEFAULT = "breakeven-cache.db"

Command = TypeVar("Command", bound=Callable[..., Any])


def cache_option(command: Command) -> Command:
    """``--cache FILE|URL``."""
    return click.option(
        "--cache",
        "cache_name",
        metavar="FILE|URL",
        envvar="BREAKEVEN_CACHE",
        help="The cache's file, or the URL of its server.  [default: of the table [cache], or breakeven-cache.db]",
    )(command)


def _named(context: click.Context, stated: str | None) -> str:
    """The cache that is stated here, or in the configuration file; else the one that is made by default."""
    from breakeven.gateway.config import read_config

    if stated is not None:
        return stated
    settings = read_config(context.obj.tables if context.obj else {}).cache
    return settings.server or settings.file or DEFAULT


@click.group(short_help="What is remembered of answers, and forgetting it.")
def cache() -> None:
    """What is remembered of answers, and forgetting it."""


@cache.command(short_help="How many answers are remembered, and how much room they take.")
@cache_option
@output_options("text", "json", "csv")
@click.pass_context
def stats(context: click.Context, cache_name: str | None, output_format: str, out: Path | None) -> None:
    """How many answers are remembered, how much room they take, what was flushed, and how other wordings came out.

    How often they were served is in the gateway's metrics and in its ledger.
    """
    from breakeven.cache import cache_file, stores
    from breakeven.cache.semantic_evidence import evidence_of
    from breakeven.errors import InputError
    from breakeven.render.cache import CacheReport, render_stats

    name = _named(context, cache_name)
    if stores.is_server(name):
        raise InputError("what is on a server is not counted here", hint="valkey-cli INFO, or redis-cli INFO")
    path = Path(name)
    with cache_file.opened(path) as connection:
        found = cache_file.stats(connection, path, int(time.time()))
    report = CacheReport(path=path, stats=found, evidence=tuple(evidence_of(path)))
    write_output(render_stats(report, output_format, text_style(out)), out)


@cache.command(short_help="Forget a tenant's answers, or everyone's.")
@click.option("--tenant", metavar="T", help="Only this tenant's.")
@cache_option
@output_options("text", "json", "csv")
@click.pass_context
def flush(
    context: click.Context, tenant: str | None, cache_name: str | None, output_format: str, out: Path | None
) -> None:
    """Forget a tenant's answers, or everyone's. Gateways that share the cache heed it within a second."""
    from breakeven.cache import cache_file, stores
    from breakeven.render.cache import render_flushed

    name = _named(context, cache_name)
    if stores.is_server(name):
        epoch = asyncio.run(stores.flush_server(name, tenant))
        flushed = cache_file.Flushed(tenant=tenant, epoch=epoch, answers=None)
    else:
        with cache_file.opened(Path(name)) as connection:
            flushed = cache_file.flush(connection, tenant)
    write_output(render_flushed(flushed, output_format, text_style(out)), out)


cache.add_command(semantic_check)
