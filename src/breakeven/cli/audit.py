"""``breakeven audit``: what in the prompts of a log costs money and need not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from breakeven.cli.options import output_options, text_style, write_output


@click.command(short_help="What in your prompts costs money and need not.")
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Price every request as this model.  [default: the one it names]")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="What the log covers.  [default: from its first timestamp to its last]",
)
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Price on this date.  [default: today]")
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def audit(
    context: click.Context,
    /,
    log: Path,
    model: str | None,
    days: float | None,
    at: datetime | None,
    output_format: str,
    out: Path | None,
) -> None:
    """Findings in dollars a month from the requests in LOG, a JSON object a line.

    A line is the request's body, a line of a batch file, or an object with `request`, and `response`, `usage` and
    `timestamp` where they are known. Nothing of it is stored or sent.
    """
    from breakeven import api
    from breakeven.render.audit import render_audit

    found = api.audit(
        log,
        model=model,
        days=days,
        at=(at or datetime.now(UTC)).date(),
        config=context.obj.tables if context.obj else {},
    )
    write_output(render_audit(found, output_format, text_style(out)), out)
