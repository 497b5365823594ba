"""``breakeven calibrate``: correct the serving model for a deployment by measurements of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from breakeven.cli.ledger_options import moment_ns
from breakeven.cli.options import output_options, text_style, write_output
from breakeven.cli.price import Moment
from breakeven.errors import InputError

if TYPE_CHECKING:
    from breakeven.serving.benchmark_reports import StatedDeployment
    from breakeven.serving.calibration import Reader

_OF_LEDGERS = ("deployment", "served_model", "replicas", "since", "until")


@click.command(short_help="Correct the serving model by your own measurements.")
@click.argument("measured", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", metavar="NAME", help="The measured model, where a report does not name it.")
@click.option("--gpu", metavar="NAME", help="The GPU or device that it ran on, where a report does not name it.")
@click.option("--gpus", type=click.IntRange(min=1), metavar="N", help="GPUs of the deployment.  [default: tp]")
@click.option("--tp", type=click.IntRange(min=1), metavar="N", help="Tensor-parallel width.  [default: gpus, or 1]")
@click.option("--precision", metavar="NAME", help="Precision of the weights.  [default: as the model is published]")
@click.option("--engine", metavar="NAME", help="Engine and version, such as vllm 0.19.")
@click.option("--mem-bw-gbs", type=click.FloatRange(min=0.1), metavar="GB/S", help="Memory bandwidth of a device.")
@click.option("--deployment", metavar="NAME", help="Of a ledger: the deployment to read.  [default: the only one]")
@click.option("--served-model", metavar="NAME", help="Of a ledger: the model it served.  [default: the only one]")
@click.option(
    "--replicas", type=click.IntRange(min=1), metavar="N", help="Of a ledger: engines behind it.  [default: 1]"
)
@click.option("--since", type=Moment(), metavar="DATE", help="Of a ledger: from this day or moment on (UTC).")
@click.option("--until", type=Moment(), metavar="DATE", help="Of a ledger: up to this day or moment, itself left out.")
@click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the corrections.  [default: calibration.toml in your configuration folder]",
)
@output_options("text", "json")
def calibrate(measured: tuple[Path, ...], output_format: str, out: Path | None, **flags: Any) -> None:
    """Correct the serving model for a deployment by measurements of it, and keep the correction.

    MEASURED are reports of GuideLLM, vllm bench serve, SGLang bench_serving, AIPerf, genai-perf or llama-bench (JSON),
    CSV tables with the columns of `capacity` and ttft_ms, tpot_ms or output_tokens_per_s_total (devices: tg_tok_s),
    or the gateway's ledger: the streamed requests that a deployment answered, grouped by how many were in flight.
    Use it by `breakeven plan WORKLOAD --calibration FILE`.
    """
    from breakeven.render.calibrate import CalibrateReport, render_calibrate
    from breakeven.serving.calibration import calibrate_files
    from breakeven.serving.correction_store import default_path, read_corrections, write_corrections
    from breakeven.serving.corrections import Corrections

    store: Path = flags["store"] or default_path()
    found = calibrate_files(measured, _stated(flags), read_file=_reader(measured, flags))
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


def _reader(measured: tuple[Path, ...], flags: dict[str, Any]) -> Reader:
    """What reads a file: a ledger by the flags that are of ledgers, which need one."""
    from breakeven.ledger.measured_load import LedgerStretch, measured_load
    from breakeven.serving.measurements import read_measurements
    from breakeven.stores.sqlite import is_sqlite

    given = [f"--{name.replace('_', '-')}" for name in _OF_LEDGERS if flags[name] is not None]
    ledgers = {path for path in measured if is_sqlite(path)}
    if given and not ledgers:
        raise InputError(
            f"{given[0]} is of a ledger, and none was given",
            cause=f"{', '.join(map(str, measured))}: no SQLite file",
            hint=f"breakeven calibrate breakeven.db {given[0]} ..., or leave it out",
        )
    stretch = LedgerStretch(
        deployment=flags["deployment"],
        served_model=flags["served_model"],
        since_ns=moment_ns(flags["since"], "UTC"),
        until_ns=moment_ns(flags["until"], "UTC"),
        replicas=flags["replicas"] or 1,
    )
    return lambda path, stated: (
        measured_load(path, stretch, stated) if path in ledgers else read_measurements(path, stated)
    )


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
