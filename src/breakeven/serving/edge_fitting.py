"""Fitting the constants of devices to measured decode and prefill speeds, and their error on unseen devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Basis
from breakeven.errors import InputError
from breakeven.serving import edge
from breakeven.serving.deployment import Floats
from breakeven.serving.edge_constants import ASSUMED_PREFILL_OPS_PER_BYTE, POOLED, EdgeClass
from breakeven.serving.edge_points import EdgePoint, PlacedEdge, place_edge, seconds_per_token
from breakeven.serving.fitting import simplex_minimum

_START: Final = (0.8, 0.75, 60.0)
_PRIOR_ROWS: Final = 0.5
"""Weight of the pooled constants against a class's own rows: few rows move a class little."""
_PRIOR_WIDTHS: Final = (0.3, 0.3, 1.0)
"""How far classes differ in the logarithms of the two efficiencies and of the launch overhead."""
_HIGHEST_MBU: Final = 0.95
_CUT: Final = 1.5


def fit_edge(placed: PlacedEdge) -> dict[str, EdgeClass]:
    """Constants of each class and of all devices together."""
    everything = np.ones(len(placed.points), dtype=bool)
    pooled = _class(POOLED, placed, everything, _START)
    start = pooled.mbu_16bit_frac, pooled.mbu_quantized_frac, pooled.layer_us
    names = np.array(placed.device_classes)
    classes = {str(name): _class(str(name), placed, names == name, start) for name in np.unique(names)}
    return classes | {POOLED: pooled}


def leave_one_device_out(placed: PlacedEdge) -> Floats:
    """log(modelled / measured) decode speed of each row, with constants fitted without its device."""
    devices = np.array([point.device for point in placed.points])
    errors = np.empty(len(devices))
    for device in np.unique(devices):
        held_out = devices == device
        classes = fit_edge(_rows(placed, ~held_out))
        errors[held_out] = log_errors(_rows(placed, held_out), classes)
    return errors


def log_errors(placed: PlacedEdge, classes: Mapping[str, EdgeClass]) -> Floats:
    """log(modelled / measured) decode speed of each row."""
    chosen = [classes.get(name, classes[POOLED]) for name in placed.device_classes]
    measured = np.array([point.decode_tokens_per_s for point in placed.points])
    logs: Floats = -np.log(seconds_per_token(placed, chosen) * measured)
    return logs


def measured_edge(points: Sequence[EdgePoint]) -> PlacedEdge:
    """Placed rows that have a measured decode speed and a known bandwidth.

    Raises:
        InputError: there is none.
    """
    placed, _ = place_edge([point for point in points if point.decode_tokens_per_s > 0])
    if placed is None:
        raise InputError("no row of the file can be used", hint="give rows with device, model, quant and tg_tok_s")
    return placed


def _class(name: str, placed: PlacedEdge, chosen: NDArray[np.bool_], start: tuple[float, ...]) -> EdgeClass:
    rows = _rows(placed, chosen)
    prior = np.log(start)

    def loss(logs: Floats) -> float:
        if np.exp(logs[:2]).max() > _HIGHEST_MBU:
            return float("inf")
        errors = np.minimum(np.abs(log_errors(rows, {POOLED: _made(name, logs, rows)})), _CUT)
        away = 0.0 if name == POOLED else _PRIOR_ROWS * float(np.square((logs - prior) / _PRIOR_WIDTHS).sum())
        return (float(errors.sum()) + away) / len(errors)

    best = simplex_minimum(loss, prior, steps=300)
    return _made(name, best, rows)


def _made(name: str, logs: Floats, rows: PlacedEdge) -> EdgeClass:
    ops, basis = _prefill(name, rows)
    return EdgeClass(
        name=name,
        mbu_16bit_frac=float(np.exp(logs[0])),
        mbu_quantized_frac=float(np.exp(logs[1])),
        layer_us=float(np.exp(logs[2])),
        prefill_ops_per_byte=ops,
        prefill_basis=basis,
        measured_rows=len(rows.points),
        low_factor=1.0,
        high_factor=1.0,
    )


def _prefill(name: str, rows: PlacedEdge) -> tuple[float, Basis]:
    ops = [
        2 * edge.active_params(model) * point.prefill_tokens_per_s / bandwidth
        for point, model, bandwidth in zip(rows.points, rows.models, rows.bandwidth_bytes_per_s, strict=True)
        if point.prefill_tokens_per_s > 0
    ]
    if ops:
        return float(np.median(ops)), "modelled"
    return ASSUMED_PREFILL_OPS_PER_BYTE.get(name, min(ASSUMED_PREFILL_OPS_PER_BYTE.values())), "assumed"


def _rows(placed: PlacedEdge, chosen: NDArray[np.bool_]) -> PlacedEdge:
    at = np.flatnonzero(chosen)
    return PlacedEdge(
        points=tuple(placed.points[i] for i in at),
        models=tuple(placed.models[i] for i in at),
        precisions=tuple(placed.precisions[i] for i in at),
        device_classes=tuple(placed.device_classes[i] for i in at),
        bandwidth_bytes_per_s=placed.bandwidth_bytes_per_s[at],
        bytes_read=placed.bytes_read[at],
        layers=placed.layers[at],
        is_16bit=placed.is_16bit[at],
    )
