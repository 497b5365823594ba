"""``breakeven cache``: what is remembered, and forgetting it."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from breakeven.cli.options import output_options, text_style, write_output

Command = TypeVar("Command", bound=Callable[..., Any])


def cache_option(command: Command) -> Command:
    """``--cache FILE``."""
    return click.option(
        "--cache",
        "cache_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("breakeven-cache.db"),
        show_default=True,
        envvar="BREAKEVEN_CACHE",
        help="The cache's file.",
    )(command)


@click.group(short_help="What is remembered of answers, and forgetting it.")
def cache() -> None:
    """What is remembered of answers, and forgetting it."""


@cache.command(short_help="How many answers are remembered, and how much room they take.")
@cache_option
@output_options("text", "json", "csv")
def stats(cache_path: Path, output_format: str, out: Path | None) -> None:
    """How many answers are remembered, how much room they take, and what was flushed.

    How often they were served is in the gateway's metrics and in its ledger.
    """
    from breakeven.cache import cache_file
    from breakeven.render.cache import render_stats

    with cache_file.opened(cache_path) as connection:
        found = cache_file.stats(connection, cache_path, int(time.time()))
    write_output(render_stats(found, cache_path, output_format, text_style(out)), out)


@cache.command(short_help="Forget a tenant's answers, or everyone's.")
@click.option("--tenant", metavar="T", help="Only this tenant's.")
@cache_option
@output_options("text", "json", "csv")
def flush(tenant: str | None, cache_path: Path, output_format: str, out: Path | None) -> None:
    """Forget a tenant's answers, or everyone's. Gateways that serve from the file heed it within a second."""
    from breakeven.cache import cache_file
    from breakeven.render.cache import render_flushed

    with cache_file.opened(cache_path) as connection:
        flushed = cache_file.flush(connection, tenant)
    write_output(render_flushed(flushed, output_format, text_style(out)), out)


_SEMANTIC = "breakeven.cli.cache_semantic"
if find_spec(_SEMANTIC) is not None:
    cache.add_command(import_module(_SEMANTIC).semantic_check)
