"""``breakeven capacity``: modelled throughput and latency for each row of a table of deployments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from breakeven.cli.options import output_options, text_style, write_output
from breakeven.cli.progress import counting


@click.command(short_help="What a GPU or an edge device can serve, computed.")
@click.option(
    "--points",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV: gpu, n_gpus, tp, model, precision, engine, isl, osl[, concurrency][, notes].",
)
@click.option(
    "--edge-points",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV: device, mem_bw_gbs, model, quant, ctx_tokens.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Corrections that `calibrate` stored.",
)
@click.option("--beside", type=click.Choice(["aiconfigurator"]), help="Show another program's answers beside these.")
@output_options("text", "json", "csv")
def capacity(
    points: Path | None,
    edge_points: Path | None,
    calibration: Path | None,
    beside: str | None,
    output_format: str,
    out: Path | None,
) -> None:
    """Throughput and latency of each row of a table of deployments, computed from architecture and data sheets.

    A row without concurrency has all its requests there at once. GPUs beyond tp are pipeline stages; notes may carry
    dp=N for attention replicas. A row that cannot run, or names something unknown, is refused with the reason.
    """
    if (points is None) == (edge_points is None):
        raise click.UsageError("give either --points FILE or --edge-points FILE")
    if beside and points is None:
        raise click.UsageError(f"--beside {beside} goes with --points FILE")
    from breakeven.render.capacity import edge_report, gpu_report, render_capacity
    from breakeven.serving.answers import answer_points
    from breakeven.serving.correction_store import read_corrections
    from breakeven.serving.edge_points import answer_edge_points, read_edge_points
    from breakeven.serving.points import read_points
    from breakeven.serving.second_opinion import second_opinions

    corrections = None if calibration is None else read_corrections(calibration)
    if points is not None:
        rows = read_points(points)
        report = gpu_report(rows, answer_points(rows, corrections))
        if beside:
            with counting(f"asking {beside}", "points") as progress:
                report = replace(report, beside=second_opinions(rows, progress))
    elif edge_points is not None:
        devices = read_edge_points(edge_points)
        report = edge_report(devices, answer_edge_points(devices, corrections))
    write_output(render_capacity(report, output_format, text_style(out)), out)
