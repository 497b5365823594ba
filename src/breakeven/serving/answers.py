"""Answers to points: the modelled throughput and latency of each row of a throughput table, or why it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.accelerators import Accelerator, accelerator
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.precisions import Precision, precision
from breakeven.errors import UnknownName
from breakeven.serving import batching
from breakeven.serving.constants import (
    Band,
    online_efficiencies,
    online_waiting,
    serving_classes,
)
from breakeven.serving.corrections import Corrections, Deployment, FactorColumns, engine_family
from breakeven.serving.deployment import Deployments, Floats, Split, deployments
from breakeven.serving.points import Point

SERVER: Final = "server"
NO_PRECISION: Final = "precision not stated: {name} assumed, the published weights' own"
OVER_CONTEXT: Final = "longer than the model's context window of {tokens} tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAnswer:
    """One row's answer, or ``refused`` with the reason and no figures.

    ``low`` and ``high`` are factors on the throughput between which 80% of measurements lay. ``ttft_ms`` is None
    where all requests come at once: there it is the length of the queue.
    """

    line: int
    output_tokens_per_s_total: float | None = None
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str = ""
    notes: tuple[str, ...] = ()
    basis: Basis = "modelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Points whose names are known, with the columns they stand for."""

    points: tuple[Point, ...]
    model_names: NDArray[np.str_]
    gpu_names: NDArray[np.str_]
    precision_names: NDArray[np.str_]
    notes: tuple[tuple[str, ...], ...]
    deployed: Deployments
    input_tokens: Floats
    output_tokens: Floats
    concurrency: Floats
    """NaN where all requests come at once."""

    @property
    def is_offline(self) -> NDArray[np.bool_]:
        """Rows whose requests all come at once."""
        return np.isnan(self.concurrency)


def answer_points(points: Sequence[Point], corrections: Corrections | None = None) -> list[PointAnswer]:
    """One answer per point, in order; an unknown name refuses its row and leaves the others alone.

    Deployments that ``corrections`` knows are answered with them, on the basis "measured".
    """
    placed, refused = place(points)
    answered = {answer.line: answer for answer in refused}
    if placed is not None:
        answered |= {answer.line: answer for answer in _answers(placed, corrections or Corrections())}
    return [answered[point.line] for point in points]


def place(points: Sequence[Point]) -> tuple[Placed | None, list[PointAnswer]]:
    """Columns for the points whose names are known, and refusals for the others."""
    known: list[tuple[Point, OpenModel, Accelerator, Precision]] = []
    refused: list[PointAnswer] = []
    for point in points:
        try:
            model = _model(point.model)
            known.append((point, model, _accelerator(point.gpu), _precision(point.precision, model)))
        except UnknownName as error:
            refused.append(PointAnswer(line=point.line, refused=f"{error.message}; {error.hint}"))
    return (_placed(known) if known else None), refused


def native_precision(model: OpenModel) -> Precision:
    """The precision of the published weights: 16 bits, FP8, or four bits with 16-bit arithmetic."""
    if model.native_weight_bits >= 16:
        return precision("fp16", SERVER)
    return precision("fp8" if model.native_weight_bits >= 8 else "int4", SERVER)


def _placed(known: Sequence[tuple[Point, OpenModel, Accelerator, Precision]]) -> Placed:
    points = tuple(point for point, _, _, _ in known)
    models = {model.name: model for _, model, _, _ in known}
    accelerators = {gpu.name: gpu for _, _, gpu, _ in known}
    precisions = {chosen.name: chosen for _, _, _, chosen in known}
    model_at, gpu_at, precision_at = _positions(models), _positions(accelerators), _positions(precisions)
    split = Split(
        model=np.array([model_at[m.name] for _, m, _, _ in known]),
        accelerator=np.array([gpu_at[a.name] for _, _, a, _ in known]),
        precision=np.array([precision_at[p.name] for _, _, _, p in known]),
        tensor_parallel=_floats([p.replica_tensor_parallel / _hidden_replicas(p, m) for p, m, _, _ in known]),
        pipeline_stages=np.maximum(_floats([p.pipeline_stages for p in points]), 1.0),
        data_parallel=_floats([_attention_replicas(p, m) for p, m, _, _ in known]),
    )
    kv_bytes = _floats([_kv_bytes_per_value(point, p) for point, _, _, p in known])
    return Placed(
        points=points,
        model_names=np.array([m.name for _, m, _, _ in known]),
        gpu_names=np.array([a.name for _, _, a, _ in known]),
        precision_names=np.array([p.name for _, _, _, p in known]),
        notes=tuple(_notes(point, model, p) for point, model, _, p in known),
        deployed=deployments(
            list(models.values()),
            list(accelerators.values()),
            list(precisions.values()),
            split,
            kv_bytes_per_value=kv_bytes,
        ),
        input_tokens=_floats([p.input_tokens for p in points]),
        output_tokens=_floats([p.output_tokens for p in points]),
        concurrency=_floats([np.nan if p.concurrency is None else p.concurrency for p in points]),
    )


def refusals(placed: Placed) -> NDArray[np.object_]:
    """Why each row cannot run, empty where it can. Memory is counted as tightly as an engine can be squeezed."""
    deployed = placed.deployed
    stages = np.array([point.pipeline_stages for point in placed.points])
    room = batching.squeezed_room_bytes(deployed)
    request = deployed.kv_bytes(placed.input_tokens + placed.output_tokens) / deployed.pipeline_stages
    conditions = [
        stages < 1,
        deployed.peak_flops_per_s <= 0,
        deployed.attention_heads % deployed.tensor_parallel != 0,
        room <= 0,
        room < request,
    ]
    texts = [
        "n_gpus is not a multiple of tp x dp",
        "precision not supported by this GPU",
        "tensor parallel does not divide the attention heads",
        "weights do not fit in memory",
        "no room for one request's KV cache",
    ]
    return np.select(conditions, texts, default="").astype(object)


def placed_deployments(placed: Placed) -> list[Deployment]:
    """What each row runs, as corrections name it."""
    rows = zip(placed.points, placed.model_names, placed.gpu_names, placed.precision_names, strict=True)
    return [
        Deployment(
            model=str(model),
            accelerator=str(gpu),
            precision=str(chosen),
            accelerators=point.gpus,
            tensor_parallel=point.replica_tensor_parallel,
            data_parallel=point.data_parallel,
            engine=engine_family(point.engine),
        )
        for point, model, gpu, chosen in rows
    ]


def _answers(placed: Placed, corrections: Corrections) -> list[PointAnswer]:
    deployed, refused = placed.deployed, refusals(placed)
    offline = placed.is_offline
    factors = corrections.of_deployments(placed_deployments(placed))
    rate, ttft, tpot = modelled(placed, factors)
    bands = _bands(deployed, offline)
    low = np.where(factors.is_measured, factors.low, [each.low_factor for each in bands])
    high = np.where(factors.is_measured, factors.high, [each.high_factor for each in bands])
    return [
        PointAnswer(line=point.line, refused=str(refused[i]), notes=placed.notes[i])
        if refused[i]
        else PointAnswer(
            line=point.line,
            output_tokens_per_s_total=float(rate[i]),
            ttft_ms=None if offline[i] else float(ttft[i] * 1e3),
            tpot_ms=float(tpot[i] * 1e3),
            low=float(low[i]),
            high=float(high[i]),
            notes=placed.notes[i],
            basis="measured" if factors.is_measured[i] else "modelled",
        )
        for i, point in enumerate(placed.points)
    ]


def modelled(placed: Placed, factors: FactorColumns | None = None) -> tuple[Floats, Floats, Floats]:
    """Output tokens per second, TTFT and TPOT in seconds of every row, with the shipped constants and ``factors``."""
    deployed, offline = placed.deployed, placed.is_offline
    factors = factors or FactorColumns.none(len(placed.points))
    bench = serving_classes()["offline"].efficiencies
    tokens = placed.input_tokens, placed.output_tokens
    running = batching.offline_batch(deployed, *tokens)
    clients = np.where(offline, 1.0, placed.concurrency)
    online = batching.closed_loop(
        deployed,
        clients,
        *tokens,
        online_efficiencies(deployed.is_moe),
        online_waiting(deployed.is_moe, [engine_family(point.engine) for point in placed.points]),
    )
    online = replace(online, ttft_s=online.ttft_s * factors.ttft, tpot_s=online.tpot_s * factors.tpot)
    rate = np.where(
        offline,
        batching.offline_tokens_per_s(deployed, *tokens, bench) / factors.tpot,
        batching.closed_loop_tokens_per_s(online, clients, placed.output_tokens),
    )
    offline_tpot = batching.cycle_s(deployed, running, *tokens, bench) / placed.output_tokens * factors.tpot
    return rate, online.ttft_s, np.where(offline, offline_tpot, online.tpot_s)


def _bands(deployed: Deployments, offline: NDArray[np.bool_]) -> list[Band]:
    found = serving_classes()
    names = np.where(offline, "offline", np.where(deployed.is_moe, "online-moe", "online-dense"))
    return [found[str(name)].throughput for name in names]


def _kv_bytes_per_value(point: Point, chosen: Precision) -> float:
    """TensorRT-LLM's bench keeps an 8-bit cache for quantized models; other engines keep 16 bits unless told."""
    quantized = chosen.weight_bits < 16
    return 1.0 if quantized and point.engine.casefold().startswith(("trt", "tensorrt")) else 2.0


def _hidden_replicas(point: Point, model: OpenModel) -> int:
    """Attention replicas within the tensor-parallel group that a row does not state.

    TensorRT-LLM's benchmarks of mixtures of experts on its PyTorch backend spread the experts over the group and give
    every GPU its own sequences (``enable_attention_dp``), which published throughput beyond the all-reduces of tensor
    parallelism and the little room on small GPUs both show.
    """
    plain = point.data_parallel == 1 and point.concurrency is None and point.tensor_parallel > 1
    return point.tensor_parallel if plain and model.is_moe and "pytorch" in point.engine.casefold() else 1


def _attention_replicas(point: Point, model: OpenModel) -> int:
    return point.data_parallel * _hidden_replicas(point, model)


def _notes(point: Point, model: OpenModel, chosen: Precision) -> tuple[str, ...]:
    notes = [] if point.precision else [NO_PRECISION.format(name=chosen.name)]
    if point.input_tokens + point.output_tokens > model.context_window_tokens:
        notes.append(OVER_CONTEXT.format(tokens=model.context_window_tokens))
    return tuple(notes)


@cache
def _model(name: str) -> OpenModel:
    return open_model(name)


@cache
def _accelerator(name: str) -> Accelerator:
    return accelerator(name)


def _precision(name: str, model: OpenModel) -> Precision:
    return precision(name, SERVER) if name else native_precision(model)


def _positions(names: Iterable[str]) -> dict[str, int]:
    return {name: position for position, name in enumerate(names)}


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)
