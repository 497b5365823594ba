"""A second opinion on points: NVIDIA's aiconfigurator, where it is installed, asked for the same deployments.

aiconfigurator (Apache-2.0) interpolates kernel timings that NVIDIA measured for its GPUs and three engines. It answers
for the engine version that it has data of. Only models and systems that come with the package are asked for, so nothing
is downloaded. An answer takes about a second.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.precisions import precision
from breakeven.errors import Unavailable, UnknownName
from breakeven.serving.answers import SERVER, native_precision
from breakeven.serving.corrections import engine_family
from breakeven.serving.points import Point

NAME: Final = "aiconfigurator"
_MODES: Final[Mapping[str, str]] = MappingProxyType(
    {"fp16": "bfloat16", "fp8": "fp8", "int4": "int4_wo", "fp4": "nvfp4"}
)
"""Its names of weight formats. A model at its published precision is left to its own reading of the checkpoint."""
_ENGINES: Final = ("vllm", "sglang", "trtllm")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinion:
    """What the other program says of a point, or ``refused`` with its reason."""

    line: int
    output_tokens_per_s_total: float | None = None
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """One opinion per point, in order, and the program with its version."""

    source: str
    opinions: tuple[SecondOpinion, ...]


def second_opinions(points: Sequence[Point], progress: Callable[[int], None] = lambda _: None) -> Opinions:
    """Ask for every point that has a fixed number of clients.

    Raises:
        Unavailable: aiconfigurator is not installed.
    """
    try:
        estimate = import_module("aiconfigurator.cli.api").cli_estimate
    except ImportError as error:
        raise Unavailable(
            "aiconfigurator is not installed", cause=str(error), hint="pip install 'breakeven[aiconfigurator]'"
        ) from error
    found = []
    with _quiet():
        for point in points:
            found.append(_opinion(point, estimate))
            progress(1)
    return Opinions(source=f"{NAME} {metadata.version(NAME)}", opinions=tuple(found))


def _opinion(point: Point, estimate: Callable[..., Any]) -> SecondOpinion:
    if point.concurrency is None:
        return SecondOpinion(line=point.line, refused="it has no answer to all requests at once")
    try:
        question = _question(point)
    except UnknownName as error:
        return SecondOpinion(line=point.line, refused=error.message)
    try:
        answer = estimate(**question)
    except Exception as error:
        # Whatever another program raises is its reason, and no fault of this one.
        return SecondOpinion(line=point.line, refused=f"{type(error).__name__}: {error}".splitlines()[0][:200])
    ttft, tpot = float(answer.ttft), float(answer.tpot)
    spent_s = (ttft + tpot * max(point.output_tokens - 1, 0)) / 1e3
    return SecondOpinion(
        line=point.line,
        output_tokens_per_s_total=point.concurrency * point.output_tokens / spent_s,
        ttft_ms=ttft,
        tpot_ms=tpot,
    )


def _question(point: Point) -> dict[str, Any]:
    """The point in aiconfigurator's terms.

    Raises:
        UnknownName: it has no such model, system or format.
    """
    model, gpu = open_model(point.model), accelerator(point.gpu)
    path, system = _model_paths().get(model.name), _systems().get(gpu.name)
    if path is None or system is None:
        raise UnknownName(f"{NAME} has no data of {model.name if path is None else gpu.name}")
    width, replicas = point.replica_tensor_parallel, point.data_parallel
    engine = engine_family(point.engine)
    experts = {"moe_tp_size": width, "moe_ep_size": replicas} if model.is_moe else {}
    return {
        "model_path": point.model if point.model in _bundled() else path,
        "system_name": system,
        "backend_name": engine if engine in _ENGINES else "vllm",
        "isl": round(point.input_tokens),
        "osl": round(point.output_tokens),
        "batch_size": max(round((point.concurrency or 1.0) / replicas), 1),
        "tp_size": width,
        "pp_size": max(point.pipeline_stages, 1),
        "attention_dp_size": replicas,
        **experts,
        **_formats(point, model),
    }


def _formats(point: Point, model: OpenModel) -> dict[str, str]:
    """The format of the weights, unless it is the published one.

    Raises:
        UnknownName: no such precision, or aiconfigurator has none like it.
    """
    native = native_precision(model)
    chosen = precision(point.precision, SERVER) if point.precision else native
    if chosen.name == native.name or max(chosen.weight_bits, model.native_weight_bits) < 8:
        return {}
    if chosen.name not in _MODES:
        raise UnknownName(f"{NAME} has no format like {chosen.name}")
    mode = _MODES[chosen.name]
    return {"gemm_quant_mode": mode} | ({"moe_quant_mode": mode} if model.is_moe else {})


@cache
def _bundled() -> tuple[str, ...]:
    """Models whose architecture comes with the package, as owner/name."""
    names = [each.name for each in files("aiconfigurator_core").joinpath("model_configs").iterdir()]
    ending = "_config.json"
    return tuple(sorted(name.removesuffix(ending).replace("--", "/", 1) for name in names if name.endswith(ending)))


@cache
def _model_paths() -> Mapping[str, str]:
    """The catalogue's models that the package knows; of several names the shortest, which has no format in it."""
    found: dict[str, str] = {}
    for path in sorted(_bundled(), key=len, reverse=True):
        with contextlib.suppress(UnknownName):
            found[open_model(path).name] = path
    return MappingProxyType(found)


@cache
def _systems() -> Mapping[str, str]:
    """The catalogue's accelerators that the package knows."""
    found: dict[str, str] = {}
    for each in files("aiconfigurator_core").joinpath("systems").iterdir():
        if each.name.endswith(".yaml"):
            system = each.name.removesuffix(".yaml")
            with contextlib.suppress(UnknownName):
                found[accelerator(system).name] = system
    return MappingProxyType(found)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the other program's log and prints off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
