"""``breakeven plan``: read a workload, price every way of serving it, print the plan."""

from __future__ import annotations

from collections.abc import Mapping
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
from breakeven.cli.progress import counting, say_if_compiling
from breakeven.errors import InputError, UnknownName

if TYPE_CHECKING:
    from breakeven.plan.plan import Plan
    from breakeven.workload.workload import Workload


@click.command(short_help="Price a workload on hosted APIs, own GPUs and edge devices.")
@click.argument("workload", type=click.Path(path_type=Path))
@click.option(
    "--candidates",
    type=COMMA_LIST,
    metavar="A,B",
    help="Only these models, hosted or open, or kinds (api, gpu, edge); with both, these models in these ways.",
)
@click.option("--reference", metavar="MODEL", help="Hosted model that thresholds and savings are held against.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Candidates to show.")
@click.option("--explain", metavar="LABEL", help="Print the arithmetic of this option, or of this line.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Price on this date.  [default: today]")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@click.option(
    "--replay",
    is_flag=True,
    help="Replay the requests through the leading fleet of GPUs, fixed and scaled to zero (takes seconds).",
)
@workload_options
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def plan(context: click.Context, /, workload: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """Price WORKLOAD on hosted APIs, own GPUs and edge devices; say which to take and why.

    WORKLOAD is a TOML file, or a request trace (Azure LLM inference, Mooncake, BurstGPT, or CSV, JSONL, Parquet with
    named columns).
    """
    from breakeven.render.explain import render_explanation
    from breakeven.render.plan_formats import render_plan

    asked = read_workload(workload, flags)
    question = {**question_of(flags), "reference": flags["reference"], "config": configured(context, flags)}
    label = flags["explain"]
    style = text_style(out)
    if label is not None:
        if flags["replay"]:
            raise InputError("--explain prints no replay", hint="leave --explain or --replay out")
        write_output(render_explanation(explained(asked, question, label), label, output_format, style), out)
        return
    found = answer(asked, question)
    if flags["replay"]:
        found = with_replay(found, workload, flags, question)
    write_output(render_plan(found, output_format, style), out)


def with_replay(found: Plan, path: Path, flags: Mapping[str, Any], question: Mapping[str, Any]) -> Plan:
    """The plan with its leading fleet replayed under the requests of the workload's path."""
    from breakeven import api
    from breakeven.render.text import printable
    from breakeven.workload.request_loading import load_requests

    stated = overrides(dict(flags))
    with counting(f"reading {printable(path.name)}", "rows") as progress:
        requests = load_requests(path, stated.columns, progress)
    return api.replayed(found, requests, candidates=question["candidates"], config=question["config"])


def configured(context: click.Context, flags: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration file says to the rooms, with the flags over it."""
    stated = flags["calibration"]
    return {**context.obj.tables, **({} if stated is None else {"calibration": stated})}


def question_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the api that flags state."""
    moment: datetime | None = flags["at"]
    return {
        "candidates": flags["candidates"] or (),
        "top": flags["top"],
        "at": None if moment is None else moment.date(),
    }


def answer(workload: Workload, question: Mapping[str, Any], show: tuple[str, ...] = ()) -> Plan:
    """The plan, with options named in ``show`` besides the leading ones."""
    from breakeven import api

    return api.plan(workload, show=show, **question)


def explained(workload: Workload, question: Mapping[str, Any], label: str) -> Plan:
    """The plan that shows what ``label`` names: a line or a leading option, else any option of the catalogue."""
    from breakeven.render.explain import find

    leading = answer(workload, question)
    try:
        find(leading, label)
    except UnknownName:
        return answer(workload, question, show=(label,))
    return leading


def read_workload(path: Path, flags: dict[str, Any]) -> Workload:
    """The workload of a file or trace, with the stated flags over it; a long trace shows its progress."""
    from breakeven.render.text import printable
    from breakeven.workload.loading import load_workload

    with counting(f"reading {printable(path.name)}", "rows") as progress:
        workload = load_workload(path, overrides(flags), progress)
    if workload.trace is not None:
        say_if_compiling()
    return workload
