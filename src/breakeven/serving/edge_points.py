"""Points of an edge table: which device runs which model, and the modelled decode speed of each row."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.edge_devices import device_class, edge_device
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.precisions import Precision, precision
from breakeven.errors import UnknownName
from breakeven.serving import edge
from breakeven.serving.corrections import Corrections
from breakeven.serving.deployment import Floats
from breakeven.serving.edge_constants import EdgeClass, edge_fit
from breakeven.serving.points import measured_number, number, read_rows, required_text
from breakeven.units import BYTES_PER_GB, BYTES_PER_GIB

REQUIRED: Final = ("device", "mem_bw_gbs", "model", "quant", "ctx_tokens")
DEFAULT_CONTEXT_TOKENS: Final = 128.0
"""Context where a row states none: llama-bench's own (128 generated tokens)."""
UNKNOWN_KIND: Final = "device of this kind"
"""Class of devices whose name tells none; they have the constants of all devices together."""
_MEMORY_IN_NAME: Final = re.compile(r"\b(\d{1,4}) ?GB\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePoint:
    """One row; ``bandwidth_bytes_per_s`` is None where the file leaves it to the catalogue."""

    line: int
    device: str
    bandwidth_bytes_per_s: float | None
    model: str
    quant: str
    context_tokens: float
    decode_tokens_per_s: float
    prefill_tokens_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePointAnswer:
    """One row's answer, or ``refused`` with the reason and no figures; ``low`` and ``high`` are factors on it."""

    line: int
    decode_tokens_per_s: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str = ""
    notes: tuple[str, ...] = ()
    basis: Basis = "modelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEdge:
    """Edge points whose names are known, with the figures they stand for."""

    points: tuple[EdgePoint, ...]
    models: tuple[OpenModel, ...]
    precisions: tuple[Precision, ...]
    device_classes: tuple[str, ...]
    bandwidth_bytes_per_s: Floats
    bytes_read: Floats
    layers: Floats
    is_16bit: NDArray[np.bool_]


def read_edge_points(path: Path) -> list[EdgePoint]:
    """The rows of an edge points file, in order.

    Raises:
        InputError: the file cannot be read, lacks a column or has a malformed row; the message names the line.
    """
    return list(_edge_points(path))


def answer_edge_points(points: Sequence[EdgePoint], corrections: Corrections | None = None) -> list[EdgePointAnswer]:
    """One answer per point, in order; an unknown name refuses its row and leaves the others alone.

    Devices that ``corrections`` knows are answered with them, on the basis "measured".
    """
    placed, refused = place_edge(points)
    answered = {answer.line: answer for answer in refused}
    if placed is not None:
        classes = [edge_fit().of(name) for name in placed.device_classes]
        factors = (corrections or Corrections()).of_devices([point.device for point in placed.points])
        speed = 1 / (seconds_per_token(placed, classes) * factors.tpot)
        for index, point in enumerate(placed.points):
            answer = _answer(placed, index, classes[index], float(speed[index]))
            if factors.is_measured[index] and not answer.refused:
                low, high = float(factors.low[index]), float(factors.high[index])
                answer = replace(answer, low=low, high=high, basis="measured")
            answered[point.line] = answer
    return [answered[point.line] for point in points]


def place_edge(points: Sequence[EdgePoint]) -> tuple[PlacedEdge | None, list[EdgePointAnswer]]:
    """The points whose device, model and format are known, and refusals for the others."""
    known: list[tuple[EdgePoint, OpenModel, Precision, str, float]] = []
    refused: list[EdgePointAnswer] = []
    for point in points:
        try:
            found = open_model(point.model), _format(point.quant), _class(point)
            known.append((point, *found, _bandwidth(point)))
        except UnknownName as error:
            refused.append(EdgePointAnswer(line=point.line, refused=f"{error.message}; {error.hint}"))
    return (_placed(known) if known else None), refused


def seconds_per_token(placed: PlacedEdge, classes: Sequence[EdgeClass]) -> Floats:
    """Seconds that one token of each row takes with the constants of the rows' classes."""
    dense = np.array([each.mbu_16bit_frac for each in classes])
    quantized = np.array([each.mbu_quantized_frac for each in classes])
    return edge.seconds_per_token(
        placed.bandwidth_bytes_per_s,
        placed.bytes_read,
        layers=placed.layers,
        mbu=np.where(placed.is_16bit, dense, quantized),
        layer_us=np.array([each.layer_us for each in classes]),
    )


def _placed(known: Sequence[tuple[EdgePoint, OpenModel, Precision, str, float]]) -> PlacedEdge:
    models = tuple(model for _, model, *_ in known)
    context = np.array([point.context_tokens for point, *_ in known])
    read = np.array([edge.read_bytes(model, chosen) for _, model, chosen, *_ in known])
    return PlacedEdge(
        points=tuple(point for point, *_ in known),
        models=models,
        precisions=tuple(chosen for _, _, chosen, *_ in known),
        device_classes=tuple(name for *_, name, _ in known),
        bandwidth_bytes_per_s=np.array([bandwidth for *_, bandwidth in known]),
        bytes_read=read + edge.cache_bytes(models, np.arange(len(models)), context),
        layers=np.array([float(model.layers) for model in models]),
        is_16bit=np.array([edge.is_16bit(chosen) for _, _, chosen, *_ in known]),
    )


def _answer(placed: PlacedEdge, index: int, chosen: EdgeClass, speed: float) -> EdgePointAnswer:
    point = placed.points[index]
    size, memory = edge.file_bytes(placed.models[index], placed.precisions[index]), _memory_bytes(point.device)
    if memory is not None and size > memory:
        text = f"weights of {size / BYTES_PER_GB:.1f} GB do not fit in memory"
        return EdgePointAnswer(line=point.line, refused=text)
    seen = chosen.name == placed.device_classes[index]
    return EdgePointAnswer(
        line=point.line,
        decode_tokens_per_s=speed,
        low=chosen.low_factor,
        high=chosen.high_factor,
        notes=() if seen else (f"no {placed.device_classes[index]} was measured: constants of all devices",),
    )


def _format(name: str) -> Precision:
    """A format of files for devices, or of checkpoints for servers, which some devices run too (FP8 on a Jetson).

    Raises:
        UnknownName: neither; the message is that about files.
    """
    try:
        return precision(name, "edge")
    except UnknownName:
        with contextlib.suppress(UnknownName):
            return precision(name, "server")
        raise


def _class(point: EdgePoint) -> str:
    """The device's class; `UNKNOWN_KIND` where its name tells none but its bandwidth, which decides, is stated.

    Raises:
        UnknownName: neither is known.
    """
    try:
        return device_class(point.device)
    except UnknownName:
        if point.bandwidth_bytes_per_s is None:
            raise
        return UNKNOWN_KIND


def _bandwidth(point: EdgePoint) -> float:
    """The row's bandwidth, or the catalogue's.

    Raises:
        UnknownName: the row states none and the catalogue has no such device.
    """
    if point.bandwidth_bytes_per_s is not None:
        return point.bandwidth_bytes_per_s
    try:
        return edge_device(point.device).memory_bandwidth_bytes_per_s
    except UnknownName as error:
        text = f"memory bandwidth not stated, and {error.message}"
        raise UnknownName(text, hint="state mem_bw_gbs, which decides decode speed") from error


def _memory_bytes(device: str) -> float | None:
    try:
        return edge_device(device).memory_bytes
    except UnknownName:
        found = _MEMORY_IN_NAME.search(device)
        return float(found.group(1)) * BYTES_PER_GIB if found else None


def _edge_points(path: Path) -> Iterator[EdgePoint]:
    for line, row in read_rows(path, REQUIRED):
        yield EdgePoint(
            line=line,
            device=required_text(path, line, row, "device"),
            bandwidth_bytes_per_s=_optional(path, line, row, "mem_bw_gbs", BYTES_PER_GB),
            model=required_text(path, line, row, "model"),
            quant=required_text(path, line, row, "quant"),
            context_tokens=_optional(path, line, row, "ctx_tokens", 1) or DEFAULT_CONTEXT_TOKENS,
            decode_tokens_per_s=measured_number(row.get("tg_tok_s")),
            prefill_tokens_per_s=measured_number(row.get("pp_tok_s")),
        )


def _optional(path: Path, line: int, row: Mapping[str, str | None], column: str, scale: float) -> float | None:
    text = (row.get(column) or "").strip()
    return number(path, line, row, column, least=0.1) * scale if text else None
