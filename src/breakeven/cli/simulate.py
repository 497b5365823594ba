"""``breakeven simulate``: replay a trace through a fleet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import COMMA_LIST, output_options, text_style, trace_columns, write_output
from breakeven.cli.plan import configured
from breakeven.cli.progress import counting, say_if_compiling


@click.command(short_help="Replay a trace through a fleet: latency, use, dollars.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--fleet",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="TOML file: [fleet] and, where wanted, [requirements], [autoscaling], [cold_start], [cost], [spill], [spot].",
)
@click.option("--replicas", type=click.IntRange(1, 1_000), metavar="N", help="A fixed fleet of N in its place.")
@click.option(
    "--arrivals",
    type=click.Choice(("trace", "poisson", "gamma")),
    default="trace",
    show_default=True,
    help="Times of the requests: the trace's, or made-up ones where these are not known.",
)
@click.option(
    "--columns",
    type=COMMA_LIST,
    metavar="NAME=COLUMN,...",
    help="Columns of the trace: timestamp=, input_tokens=, output_tokens=.",
)
@click.option(
    "--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Date of the API price.  [default: today]"
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@output_options("text", "json", "csv", "markdown", "html")
@click.pass_context
def simulate(
    context: click.Context, /, trace: Path, fleet: Path, output_format: str, out: Path | None, **flags: Any
) -> None:
    """Serve the requests of TRACE on the fleet of a file, iteration by iteration, as a continuously batching engine.

    TRACE is a request trace, or a workload file: its trace, or one day made up from it, with a note that says so.
    Prints percentiles of TTFT, TPOT and of whole answers, how busy the replicas were, what waited, what went to an
    API, and the dollars. A fleet that scales is also replayed with a floor of one replica, to zero, and fixed at its
    most; one that spills or is interrupted, also without.
    """
    from breakeven import api
    from breakeven.render.simulation import render_simulation
    from breakeven.render.text import printable
    from breakeven.serving.fleet_file import read_fleet
    from breakeven.workload.request_loading import load_requests

    file = read_fleet(fleet)
    columns = None if flags["columns"] is None else trace_columns(flags["columns"])
    with counting(f"reading {printable(trace.name)}", "rows") as progress:
        requests = load_requests(trace, columns, progress)
    say_if_compiling()
    moment: datetime | None = flags["at"]
    report = api.simulate(
        requests,
        file,
        arrivals=flags["arrivals"],
        replicas=flags["replicas"],
        at=None if moment is None else moment.date(),
        config=configured(context, flags),
    )
    write_output(render_simulation(report, output_format, text_style(out)), out)
