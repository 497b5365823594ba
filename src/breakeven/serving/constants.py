"""The fitted constants of serving, with where they come from: ``data/constants.toml``, read once."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.batching import Waiting
from breakeven.serving.roofline import Efficiencies

HOST_US_PER_SEQ = 46.0
"""Host microseconds per sequence and step that the planner allows for detokenizing and streaming.

The closed-loop rows are benchmarks of tuned servers and fit about 20 us. The inference-sim fit (BLIS, 2026) charges
46 us per output token on a served vLLM. With 46 us the model saturates at 6,400 (16 bits) and 8,600 (FP8) output
tokens/s for Llama-3.1-8B, 512 in and 256 out, on one H100, where vLLM 0.19 with open arrivals reached 6,100 and
7,600; with 20 us it would promise 7,600 and 10,800, with the 90 us of a single API process 5,000 and 6,200.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Factors on a modelled figure between which 80% of the measured ones lay, models and GPUs left out of the fit.

    ``coverage_frac`` is the share that the band held when its quantiles came from the other models.
    """

    low_factor: float
    high_factor: float
    median_error_frac: float
    p90_error_frac: float
    coverage_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Standard deviations of log(measured / modelled) time on models left out of the fit.

    ``between`` deployments (model, accelerators, split, precision, engine), and ``within`` one of them over loads.
    """

    between: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingClass:
    """One class of deployments that shares its constants: offline, online dense or online mixture of experts."""

    name: str
    fitted_on: datetime.date
    measured_rows: int
    engines: str
    source: str
    efficiencies: Efficiencies
    waiting: Waiting
    engine_base_ms: Mapping[str, float]
    """Fixed part of the time to first token by engine; other engines have that of ``waiting``."""
    throughput: Band
    tpot: Band
    ttft: Band
    tpot_spread: Spread
    ttft_spread: Spread


@cache
def serving_classes() -> Mapping[str, ServingClass]:
    """All classes by name: ``offline``, ``online-dense``, ``online-moe``."""
    text = (files(__package__) / "data" / "constants.toml").read_text(encoding="utf-8")
    return {name: _serving_class(name, table) for name, table in tomllib.loads(text).items()}


def online_efficiencies(is_moe: NDArray[np.bool_], host_us_per_seq: float | None = None) -> Efficiencies:
    """Online constants as columns, dense or MoE by row; ``host_us_per_seq`` raises the fitted host work."""
    mixed = _mixed("efficiencies", is_moe)
    if host_us_per_seq is not None:
        mixed["host_us_per_seq"] = np.maximum(mixed["host_us_per_seq"], host_us_per_seq)
    return Efficiencies(**mixed)


def online_waiting(is_moe: NDArray[np.bool_], engines: Sequence[str] | None = None) -> Waiting:
    """Online constants of the time to first token as columns; ``engines`` are families, empty where unstated."""
    mixed = Waiting(**_mixed("waiting", is_moe))
    if engines is None:
        return mixed
    dense, moe = (serving_classes()[name].engine_base_ms for name in ("online-dense", "online-moe"))
    own = [(moe if routed else dense).get(engine, np.nan) for routed, engine in zip(is_moe, engines, strict=True)]
    return replace(mixed, base_ms=np.where(np.isnan(own), mixed.base_ms, own))


def _mixed(part: str, is_moe: NDArray[np.bool_]) -> dict[str, Any]:
    dense = getattr(serving_classes()["online-dense"], part)
    moe = getattr(serving_classes()["online-moe"], part)
    return {each.name: np.where(is_moe, getattr(moe, each.name), getattr(dense, each.name)) for each in fields(dense)}


def _serving_class(name: str, table: Mapping[str, Any]) -> ServingClass:
    return ServingClass(
        name=name,
        fitted_on=table["fitted_on"],
        measured_rows=table["measured_rows"],
        engines=table["engines"],
        source=table["source"],
        efficiencies=Efficiencies(**table["efficiencies"]),
        waiting=Waiting(**table["waiting"]),
        engine_base_ms=MappingProxyType(table.get("engine_base_ms", {})),
        throughput=Band(**table["throughput"]),
        tpot=Band(**table["tpot"]),
        ttft=Band(**table["ttft"]),
        tpot_spread=Spread(**table["tpot_spread"]),
        ttft_spread=Spread(**table["ttft_spread"]),
    )
