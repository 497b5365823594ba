"""Fit the constants of serving to measured rows and write them to ``serving/data/``.

Run from the repository root: ``python scripts/fit_serving_constants.py [--leave-one-model-out] [--data FOLDER]``.
Without the flag the files are written; with it nothing is written and the errors on unseen models and GPUs are printed.
"""

from __future__ import annotations

import argparse
import datetime
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from breakeven.serving import edge_fitting, fitting
from breakeven.serving.answers import place, refusals
from breakeven.serving.batching import Waiting
from breakeven.serving.constants import Band, Spread
from breakeven.serving.corrections import engine_family
from breakeven.serving.edge_constants import EdgeClass
from breakeven.serving.edge_points import PlacedEdge, read_edge_points
from breakeven.serving.fitting import LogErrors, MeasuredRows
from breakeven.serving.points import read_points

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "breakeven" / "serving" / "data"
HEADER = "# Written by scripts/fit_serving_constants.py; do not edit. Units are in the names.\n"
EDGE_SOURCE = "llama.cpp and ollama at batch 1: XiongjieDai, geerlingguy, holohub, normiebench tables"
OFFLINE_SOURCE = "TensorRT-LLM 0.14 and 1.0 performance overviews (NVIDIA, Apache-2.0), all requests at once"
ONLINE_SOURCE = "aiconfigurator-core 0.12.0 silicon samples (NVIDIA, Apache-2.0), fixed concurrency"


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedClass:
    """One class of rows: its constants on all rows, and its errors on rows of models and GPUs left out of the fit."""

    name: str
    engines: str
    source: str
    rows: MeasuredRows
    constants: dict[str, float]
    in_sample: LogErrors
    by_model: LogErrors
    by_gpu: LogErrors
    by_engine: LogErrors

    def band(self, quantity: str) -> Band:
        """The band of a quantity, from models and from GPUs left out; offline has one for its throughput only."""
        ways = ((self.by_model, self.rows.model_names), (self.by_gpu, self.rows.gpu_names))
        return fitting.band(
            *(
                fitting.LeftOut(log_errors=errors.throughput if values is None else values, groups=groups)
                for errors, groups in ways
                for values in (getattr(errors, quantity),)
            )
        )


def measured(path: Path) -> MeasuredRows:
    """Measured rows of a points file."""
    placed, refused = place(read_points(path))
    for answer in refused:
        print(f"{path.name}, line {answer.line}: left out, {answer.refused}")
    if placed is None:
        raise SystemExit(f"{path}: no row can be used")
    why = refusals(placed)
    for reason in dict.fromkeys(why[why != ""]):
        print(
            f"{path.name}: {(why == reason).sum()} rows left out, {reason}: no such deployment can have been measured"
        )
    return MeasuredRows.of(placed).rows(why == "")


def fitted_classes(folder: Path) -> Iterator[FittedClass]:
    """The three classes, offline first because online takes two constants from it."""
    bench = measured(folder / "offline_max_throughput_dev.csv")
    offline = _fitted("offline", "trtllm-bench", OFFLINE_SOURCE, bench, fitting.START)
    yield offline
    served = measured(folder / "closed_loop_dev.csv")
    start = dict(fitting.START) | {name: offline.constants[name] for name in fitting.SHARED} | {"sync_us": 0.0}
    engines = "vLLM, SGLang, TensorRT-LLM"
    yield _fitted("online-dense", engines, ONLINE_SOURCE, served.rows(~served.deployed.is_moe), start)
    yield _fitted("online-moe", engines, ONLINE_SOURCE, served.rows(served.deployed.is_moe), start)


def _fitted(name: str, engines: str, source: str, rows: MeasuredRows, start: dict[str, float]) -> FittedClass:
    offline = name == "offline"
    errors = fitting.offline_errors if offline else fitting.online_errors
    names = fitting.FITTED[name]
    constants = fitting.fit(rows, errors, names, start)
    return FittedClass(
        name=name,
        engines=engines,
        source=source,
        rows=rows,
        constants=constants,
        in_sample=errors(rows, constants),
        by_model=fitting.leave_one_out(rows, rows.model_names, errors, names, start),
        by_gpu=fitting.leave_one_out(rows, rows.gpu_names, errors, names, start),
        by_engine=fitting.leave_one_out(rows, engines_of(rows), errors, names, start),
    )


def engines_of(rows: MeasuredRows) -> np.ndarray:
    """Engines as far as they differ: families, and TensorRT-LLM's two backends."""
    return np.array([f"{engine_family(name)}{' pytorch' if 'pytorch' in name else ''}" for name in rows.engine_names])


def toml_lines(fitted: FittedClass, today: datetime.date) -> Iterator[str]:
    """The class as TOML: constants and bands, rounded to what the fit can tell."""
    yield f"[{fitted.name}]"
    yield f"fitted_on = {today.isoformat()}"
    yield f"measured_rows = {len(fitted.rows.input_tokens)}"
    yield f'engines = "{fitted.engines}"'
    yield f'source = "{fitted.source}"'
    shared = Waiting(base_ms=fitted.constants["base_ms"], queue_frac=fitted.constants["queue_frac"])
    for part in (fitting.efficiencies(fitted.constants), shared):
        yield f"\n[{fitted.name}.{type(part).__name__.lower()}]"
        yield from (f"{each.name} = {getattr(part, each.name):.4g}" for each in fields(part))
    own = {
        name.removeprefix(fitting.ENGINE_BASE): value
        for name, value in fitted.constants.items()
        if name.startswith(fitting.ENGINE_BASE)
    }
    if own:
        yield f"\n[{fitted.name}.engine_base_ms]"
        yield from (f"{engine} = {value:.4g}" for engine, value in own.items())
    for name in ("throughput", "tpot", "ttft"):
        quantity = fitted.band(name)
        yield f"\n[{fitted.name}.{name}]"
        yield from (f"{each.name} = {getattr(quantity, each.name):.3g}" for each in fields(Band))
    for name in ("tpot", "ttft"):
        errors = getattr(fitted.by_model, name)
        yield f"\n[{fitted.name}.{name}_spread]"
        yield from spread_lines(
            fitting.spread(fitted.by_model.throughput if errors is None else errors, fitted.rows.deployment_names)
        )
    yield ""


def spread_lines(found: Spread) -> Iterator[str]:
    """A spread as TOML."""
    yield from (f"{each.name} = {getattr(found, each.name):.3g}" for each in fields(Spread))


def report(fitted: FittedClass) -> Iterator[str]:
    """Median and 90th percentile of the error, seen and unseen, by quantity and by group."""
    yield f"{fitted.name}: {len(fitted.rows.input_tokens)} rows"
    for label, errors in (
        ("all rows seen", fitted.in_sample),
        ("leave one model out", fitted.by_model),
        ("leave one GPU out", fitted.by_gpu),
        ("leave one engine out", fitted.by_engine),
    ):
        parts = [(each.name, getattr(errors, each.name)) for each in fields(errors)]
        yield f"  {label:20}" + "  ".join(f"{name} {shown(values)}" for name, values in parts if values is not None)
    for names, errors in ((fitted.rows.model_names, fitted.by_model), (fitted.rows.gpu_names, fitted.by_gpu)):
        for name in np.unique(names):
            chosen = names == name
            yield f"    without {name:18} {chosen.sum():5d} rows  throughput {shown(errors.throughput[chosen])}"


def shown(log_errors: fitting.Floats) -> str:
    """Median and 90th percentile as text."""
    share = fitting.relative(log_errors) * 100
    return f"{np.median(share):5.1f}% / {np.quantile(share, 0.9):5.1f}%"


def edge_toml_lines(rows: PlacedEdge, unseen: fitting.Floats, today: datetime.date) -> Iterator[str]:
    """The constants of devices as TOML. One band for all classes: each alone has too few devices."""
    devices = np.array([point.device for point in rows.points])
    bounds = fitting.band(fitting.LeftOut(log_errors=unseen, groups=devices))
    yield f"fitted_on = {today.isoformat()}"
    yield f'source = "{EDGE_SOURCE}"'
    yield f"measured_rows = {len(rows.points)}"
    yield f"median_error_frac = {bounds.median_error_frac:.3g}"
    yield f"p90_error_frac = {bounds.p90_error_frac:.3g}"
    yield f"coverage_frac = {bounds.coverage_frac:.3g}"
    yield "\n[spread]"
    yield from spread_lines(fitting.spread(unseen, devices, least_rows=2))
    for name, found in edge_fitting.fit_edge(rows).items():
        banded = replace(found, low_factor=bounds.low_factor, high_factor=bounds.high_factor)
        yield f"\n[classes.{name}]"
        for each in fields(EdgeClass):
            value = getattr(banded, each.name)
            if each.name != "name":
                yield f"{each.name} = " + (f'"{value}"' if isinstance(value, str) else f"{value:.4g}")
    yield ""


def edge_report(rows: PlacedEdge, unseen: fitting.Floats) -> Iterator[str]:
    """Error of decode speed, seen and on devices left out of the fit."""
    yield f"edge: {len(rows.points)} rows"
    yield f"  all rows seen       {shown(edge_fitting.log_errors(rows, edge_fitting.fit_edge(rows)))}"
    yield f"  leave one device out{shown(unseen)}"


def main(arguments: Iterable[str] | None = None) -> None:
    """Fit, then print or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--leave-one-model-out", action="store_true", help="print errors on unseen models, write nothing"
    )
    shared = Path(os.environ.get("BREAKEVEN_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "perf", help="folder of the measured rows")
    options = parser.parse_args(None if arguments is None else list(arguments))
    classes = list(fitted_classes(options.data))
    edge_rows = edge_fitting.measured_edge(read_edge_points(options.data / "edge_tokens_per_s_dev.csv"))
    edge_unseen = edge_fitting.leave_one_device_out(edge_rows)
    print("\n".join(line for each in classes for line in report(each)))
    print("\n".join(edge_report(edge_rows, edge_unseen)))
    if not options.leave_one_model_out:
        today = datetime.datetime.now(tz=datetime.UTC).date()
        write("constants.toml", (line for each in classes for line in toml_lines(each, today)))
        write("edge_constants.toml", edge_toml_lines(edge_rows, edge_unseen, today))


def write(name: str, lines: Iterable[str]) -> None:
    """Write one file of constants."""
    (DATA / name).write_text(HEADER + "\n".join(lines), encoding="utf-8")
    print(f"wrote {(DATA / name).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
