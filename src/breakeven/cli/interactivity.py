"""``breakeven interactivity``: what a token costs at each speed that a replica can give its users."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from breakeven.cli.options import NUMBER, output_options, text_style, write_output


@click.command(short_help="Cost of a token against the speed that each user gets.")
@click.argument("model")
@click.option("--gpu", required=True, metavar="NAME", help="Accelerator to serve on.")
@click.option("--tp", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="Over how many.")
@click.option("--precision", metavar="NAME", help="Precision of the weights.  [default: as the model is published]")
@click.option(
    "--input", "input_tokens", type=click.IntRange(min=1), default=1_000, show_default=True, help="Input tokens."
)
@click.option(
    "--output", "output_tokens", type=click.IntRange(min=1), default=300, show_default=True, help="Output tokens."
)
@click.option("--usd-per-gpu-h", type=NUMBER, metavar="USD", help="Price of a GPU hour.  [default: least on demand]")
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@output_options("text", "json", "csv", "html")
def interactivity(model: str, output_format: str, out: Path | None, **flags: Any) -> None:
    """Cost of a million output tokens of MODEL against the tokens per second that each user gets.

    More requests at once make each slower and all cheaper. The replica is taken to be always that busy.
    """
    from breakeven.catalog.accelerators import accelerator
    from breakeven.catalog.open_models import open_model
    from breakeven.catalog.precisions import precision
    from breakeven.options.interactivity import interactivity_report
    from breakeven.render.interactivity import render_interactivity
    from breakeven.serving.answers import SERVER, native_precision
    from breakeven.serving.correction_store import read_corrections
    from breakeven.serving.interactivity import interactivity_curve

    price: Decimal | None = flags["usd_per_gpu_h"]
    if price is not None and price <= 0:
        raise click.BadParameter("must be above 0", param_hint="--usd-per-gpu-h")
    served, name, store = open_model(model), flags["precision"], flags["calibration"]
    curve = interactivity_curve(
        served,
        accelerator(flags["gpu"]),
        precision(name, SERVER) if name else native_precision(served),
        tensor_parallel=flags["tp"],
        tokens=(flags["input_tokens"], flags["output_tokens"]),
        corrections=None if store is None else read_corrections(store),
    )
    write_output(render_interactivity(interactivity_report(curve, price), output_format, text_style(out)), out)
