"""``breakeven fleet``: what of a fleet to reserve, to hold on spot, to spill to an API, and which GPUs to mix."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import COMMA_LIST, output_options, text_style, workload_options, write_output
from breakeven.cli.plan import configured, read_workload


@click.command(short_help="What of a fleet to reserve, hold on spot or spill, and which GPUs to mix.")
@click.argument("workload", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="MODEL", help="Open model that the fleet serves.")
@click.option("--provider", metavar="NAME", help="Rent from this provider only.  [default: the cheapest]")
@click.option("--instance", metavar="NAME", help="Rent this instance type only.  [default: the cheapest]")
@click.option("--types", type=click.IntRange(1, 6), default=1, show_default=True, help="Instance types to buy from.")
@click.option("--spill-to", metavar="MODEL", help="Hosted model for the peak.  [default: the same model]")
@click.option("--replay", is_flag=True, help="Replay a day of own instances with that API, request by request.")
@click.option("--rates", type=click.Path(path_type=Path, dir_okay=False), help="CSV of the demand: t_s, rate_rps.")
@click.option("--pool", metavar="NAME", help="Pool of the rates, where they have several.")
@click.option("--scale-frac", type=click.FloatRange(min=0, min_open=True), default=1.0, help="Times the rates.")
@click.option("--spot-zones", type=COMMA_LIST, metavar="A,B", help="Observed zones.  [default: the region's]")
@click.option("--most-spot", type=click.IntRange(min=0), metavar="N", help="Most instances to hold on spot.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Price on this date.  [default: today]")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@workload_options
@output_options("text", "json", "markdown", "html")
@click.pass_context
def fleet(context: click.Context, /, workload: Path, output_format: str, out: Path | None, **flags: Any) -> None:
    """What to reserve, run on demand and hold on spot, so that a fleet carries WORKLOAD at the least cost.

    Beside it: what spot costs with its interruptions, own instances for the trough with an API for the peak, and a mix
    of GPU types by request size. The demand is the workload's day, or the rates of a file.
    """
    from breakeven import api
    from breakeven.plan.fleet_advice import FleetLimits
    from breakeven.render.fleet import render_fleet
    from breakeven.workload.rate_table import read_rates

    asked = read_workload(workload, flags)
    moment: datetime | None = flags["at"]
    rates = None if flags["rates"] is None else read_rates(flags["rates"], flags["pool"]) * flags["scale_frac"]
    advice = api.fleet(
        asked,
        flags["model"],
        spill_to=flags["spill_to"],
        replay=flags["replay"],
        limits=FleetLimits(
            rates_per_s=rates,
            provider=flags["provider"],
            instance=flags["instance"],
            zones=flags["spot_zones"] or (),
            most_spot_instances=flags["most_spot"],
            types=flags["types"],
        ),
        at=None if moment is None else moment.date(),
        config=configured(context, flags),
    )
    write_output(render_fleet(advice, output_format, text_style(out)), out)
