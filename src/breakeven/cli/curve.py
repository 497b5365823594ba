"""``breakeven curve``: cost against volume, and every volume at which the cheapest option changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import COMMA_LIST, output_options, text_style, workload_options, write_output
from breakeven.cli.plan import configured, question_of, read_workload


@click.command(short_help="Cost against volume, and where the cheapest option changes.")
@click.argument("workload", type=click.Path(path_type=Path))
@click.option("--pair", nargs=2, type=str, metavar="A B", help="Only these two options, by label.")
@click.option("--candidates", type=COMMA_LIST, metavar="A,B", help="Only options of these models.")
@click.option("--top", type=click.IntRange(min=1), default=6, show_default=True, help="Options to draw.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Price on this date.")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@workload_options
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def curve(context: click.Context, /, workload: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """Cost of WORKLOAD against its volume, from 1 to 1,000,000,000 requests a day, and all of its crossings."""
    from breakeven import api
    from breakeven.render.curve_formats import render_curve

    report = api.curve(
        read_workload(workload, flags),
        labels=flags["pair"] or (),
        config=configured(context, flags),
        **question_of(flags),
    )
    write_output(render_curve(report, output_format, text_style(out)), out)
