"""``breakeven calibrate``: correct the serving model for a deployment by measurements of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from breakeven.cli.options import output_options, text_style, write_output
from breakeven.errors import InputError

if TYPE_CHECKING:
    from breakeven.serving.benchmark_reports import StatedDeployment


@click.command(short_help="Correct the serving model by your own measurements.")
@click.argument("measured", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", metavar="NAME", help="The measured model, where a report does not name it.")
@click.option("--gpu", metavar="NAME", help="The GPU or device that it ran on, where a report does not name it.")
@click.option("--gpus", type=click.IntRange(min=1), metavar="N", help="GPUs of the deployment.  [default: tp]")
@click.option("--tp", type=click.IntRange(min=1), metavar="N", help="Tensor-parallel width.  [default: gpus, or 1]")
@click.option("--precision", metavar="NAME", help="Precision of the weights.  [default: as the model is published]")
@click.option("--engine", metavar="NAME", help="Engine and version, such as vllm 0.19.")
@click.option("--mem-bw-gbs", type=click.FloatRange(min=0.1), metavar="GB/S", help="Memory bandwidth of a device.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the corrections.  [default: calibration.toml in your configuration folder]",
)
@output_options("text", "json")
def calibrate(measured: tuple[Path, ...], output_format: str, out: Path | None, **flags: Any) -> None:
    """Correct the serving model for a deployment by measurements of it, and keep the correction.

    MEASURED are reports of GuideLLM, vllm bench serve, SGLang bench_serving, AIPerf, genai-perf or llama-bench (JSON),
    or CSV tables with the columns of `capacity` and ttft_ms, tpot_ms or output_tokens_per_s_total (devices: tg_tok_s).
    Use it by `breakeven plan WORKLOAD --calibration FILE`.
    """
    from breakeven.render.calibrate import CalibrateReport, render_calibrate
    from breakeven.serving.calibration import calibrate_files
    from breakeven.serving.correction_store import default_path, read_corrections, write_corrections
    from breakeven.serving.corrections import Corrections

    store: Path = flags["store"] or default_path()
    found = calibrate_files(measured, _stated(flags))
    if not found.corrections.servers and not found.corrections.devices:
        line, reason = found.unused[0] if found.unused else (0, "no rows")
        raise InputError(
            "no measurement can be used",
            cause=f"line {line}: {reason}",
            hint="breakeven capacity --points FILE says of every row whether the model can answer it",
        )
    kept = read_corrections(store) if store.exists() else Corrections()
    write_corrections(store, kept.with_new(found.corrections))
    report = CalibrateReport(store=str(store), calibration=found)
    write_output(render_calibrate(report, output_format, text_style(out)), out)


def _stated(flags: dict[str, Any]) -> StatedDeployment:
    from breakeven.serving.benchmark_reports import StatedDeployment
    from breakeven.units import BYTES_PER_GB

    bandwidth = flags["mem_bw_gbs"]
    return StatedDeployment(
        model=flags["model"],
        gpu=flags["gpu"],
        gpus=flags["gpus"],
        tensor_parallel=flags["tp"],
        precision=flags["precision"],
        engine=flags["engine"],
        quant=flags["precision"],
        bandwidth_bytes_per_s=None if bandwidth is None else bandwidth * BYTES_PER_GB,
    )
