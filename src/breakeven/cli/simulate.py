"""``breakeven simulate``: replay a trace through a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import COMMA_LIST, output_options, text_style, write_output
from breakeven.cli.progress import counting


@click.command(short_help="Replay a trace through a fleet: latency, use, dollars.")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--fleet",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="TOML file: [fleet] and, where wanted, [requirements], [autoscaling], [cold_start], [cost].",
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
@output_options("text", "json", "csv", "markdown", "html")
def simulate(trace: Path, fleet: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """Serve the requests of TRACE on the fleet of a file, iteration by iteration, as a continuously batching engine.

    Prints percentiles of TTFT, TPOT and of whole answers, how busy the replicas were, what waited, and the dollars. A
    fleet that scales is also replayed with a floor of one replica, to zero, and fixed at its most.
    """
    from breakeven.cli.options import trace_columns
    from breakeven.plan.fleet_report import fleet_report
    from breakeven.render.simulation import render_simulation
    from breakeven.render.text import printable
    from breakeven.serving.fleet_file import read_fleet
    from breakeven.workload.trace_reading import read_trace

    file = read_fleet(fleet)
    if flags["replicas"] is not None:
        file = file.with_replicas(flags["replicas"])
    columns = None if flags["columns"] is None else trace_columns(flags["columns"])
    with counting(f"reading {printable(trace.name)}", "rows") as progress:
        requests = read_trace(trace, columns, progress)
    report = fleet_report(requests, file, flags["arrivals"])
    write_output(render_simulation(report, output_format, text_style(out)), out)
