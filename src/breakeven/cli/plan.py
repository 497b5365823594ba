"""``breakeven plan``: read a workload, price every way of serving it, print the plan."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from breakeven.cli.options import (
    COMMA_LIST,
    output_options,
    overrides,
    text_style,
    workload_options,
    write_output,
)

if TYPE_CHECKING:
    from breakeven.workload.workload import Workload


@click.command(short_help="Price a workload on hosted APIs, own GPUs and edge devices.")
@click.argument("workload", type=click.Path(path_type=Path))
@click.option("--candidates", type=COMMA_LIST, metavar="A,B", help="Only options of these models (names with commas).")
@click.option("--reference", metavar="MODEL", help="Hosted model that thresholds and savings are held against.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Candidates to show.")
@click.option("--explain", metavar="LABEL", help="Print the arithmetic of this option, or of this line.")
@click.option(
    "--at", "priced_on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Price on this date.  [default: today]"
)
@workload_options
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def plan(context: click.Context, /, workload: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """Price WORKLOAD on hosted APIs, own GPUs and edge devices; say which to take and why.

    WORKLOAD is a TOML file, or a request trace (Azure LLM inference, Mooncake, BurstGPT, or CSV, JSONL, Parquet with
    named columns).
    """
    from breakeven import api
    from breakeven.render.explain import render_explanation
    from breakeven.render.plan_formats import render_plan

    answer = api.plan(
        read_workload(workload, flags),
        candidates=flags["candidates"] or (),
        reference=flags["reference"],
        top=flags["top"],
        at=day(flags["priced_on"]),
        config=context.obj.tables,
    )
    style = text_style(out)
    if flags["explain"] is None:
        write_output(render_plan(answer, output_format, style), out)
    else:
        write_output(render_explanation(answer, flags["explain"], output_format, style), out)


def read_workload(path: Path, flags: dict[str, Any]) -> Workload:
    """The workload of a file or trace, with the stated flags over it."""
    from breakeven.workload.loading import load_workload

    return load_workload(path, overrides(flags))


def day(moment: datetime | None) -> Any:
    """The date of ``--at``; None is today."""
    return None if moment is None else moment.date()
