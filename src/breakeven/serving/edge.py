"""What one device serves on its own: one request at a time, decode bound by memory bandwidth.

    seconds per token = bytes read / (bandwidth x efficiency) + layers x launch overhead

Bytes read are the weights a token uses and the cache at the mean context; a mixture of experts reads only the active
ones. All columns are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypedDict, Unpack

import numpy as np

from breakeven.catalog.edge_devices import EdgeDevice
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision
from breakeven.serving import kv_cache, weights
from breakeven.serving.capacity import RequestShape
from breakeven.serving.corrections import Corrections, FactorColumns
from breakeven.serving.deployment import Floats, Ints
from breakeven.serving.edge_constants import EdgeClass, edge_fit
from breakeven.workload.workload import Slo

EDGE_REFUSALS: Final[tuple[str, ...]] = (
    "",
    "longest request exceeds the model's context window",
    "weights do not fit in memory",
    "no room for the KV cache of the longest request",
    "TTFT requirement cannot be met",
    "TPOT requirement cannot be met",
)
"""Why a row has no capacity, by refusal code; code 0 is an answer."""

EXPERT_FILE_DENSE_BITS: Final = 8.5
"""Bits of attention and tables in GGUF files of models whose experts are published at four bits (Q8_0)."""
_SIXTEEN_BITS: Final = 15.9
_CACHE_BYTES_PER_VALUE: Final = 2.0


class EdgeIndex(TypedDict):
    """Which device runs which model at which precision: integer columns of shape (n,)."""

    device: Ints
    model: Ints
    precision: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeColumns:
    """Capacity of n devices, arrays of shape (n,); rates are 0 and latencies NaN where ``refusal_code`` is not 0.

    ``requests_per_s`` is the rate of back-to-back requests. TTFT is that of a request of the percentile's length.
    """

    decode_tokens_per_s: Floats
    prefill_tokens_per_s: Floats
    requests_per_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    weight_bytes: Floats
    low_factor: Floats
    high_factor: Floats
    refusal_code: Ints
    measured_points: Ints
    """Measurements that correct the row; 0 where it is modelled alone."""

    def row(self, index: int) -> EdgeCapacity:
        """One row as plain numbers."""
        return EdgeCapacity(
            decode_tokens_per_s=float(self.decode_tokens_per_s[index]),
            prefill_tokens_per_s=float(self.prefill_tokens_per_s[index]),
            requests_per_s=float(self.requests_per_s[index]),
            ttft_s=float(self.ttft_s[index]),
            tpot_s=float(self.tpot_s[index]),
            weight_bytes=float(self.weight_bytes[index]),
            low_factor=float(self.low_factor[index]),
            high_factor=float(self.high_factor[index]),
            refusal=EDGE_REFUSALS[int(self.refusal_code[index])],
            basis="measured" if self.measured_points[index] else "modelled",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCapacity:
    """Capacity of one device; fields as in ``EdgeColumns``. ``refusal`` is empty where there is an answer."""

    decode_tokens_per_s: float
    prefill_tokens_per_s: float
    requests_per_s: float
    ttft_s: float
    tpot_s: float
    weight_bytes: float
    low_factor: float
    high_factor: float
    refusal: str
    basis: Basis = "modelled"


def edge_capacity(
    devices: Sequence[EdgeDevice],
    models: Sequence[OpenModel],
    precisions: Sequence[Precision],
    *,
    request: RequestShape,
    slo: Slo,
    corrections: Corrections | None = None,
    **where: Unpack[EdgeIndex],
) -> EdgeColumns:
    """Capacity of n devices, one request at a time.

    Args:
        devices: the devices that ``where["device"]`` points into.
        models: the models that ``where["model"]`` points into.
        precisions: GGUF formats that ``where["precision"]`` points into.
        request: the lengths of the requests.
        slo: TTFT and TPOT that must be met.
        corrections: what measurements of some of the devices say; their rows have the basis "measured".
        where: the columns of `EdgeIndex`, by keyword.
    """
    factors = (corrections or Corrections()).of_devices([devices[index] for index in where["device"]])
    served = _Served.of(devices, models, precisions, where, request).corrected(factors)
    tpot = served.tpot_s
    ttft = request.percentile_input_tokens * (1 - request.prefix_reuse_frac) / served.prefill_tokens_per_s + tpot
    code = _refusals(served, ttft, request, slo)
    answered = code == 0
    return EdgeColumns(
        decode_tokens_per_s=np.where(answered, 1 / tpot, 0.0),
        prefill_tokens_per_s=np.where(answered, served.prefill_tokens_per_s, 0.0),
        requests_per_s=np.where(answered, 1 / served.request_s(request), 0.0),
        ttft_s=np.where(answered, ttft, np.nan),
        tpot_s=np.where(answered, tpot, np.nan),
        weight_bytes=served.weight_bytes,
        low_factor=served.low_factor,
        high_factor=served.high_factor,
        refusal_code=code,
        measured_points=factors.points,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """Columns of what each device does with the request, before asking whether that is good enough."""

    tpot_s: Floats
    prefill_tokens_per_s: Floats
    weight_bytes: Floats
    longest_cache_bytes: Floats
    usable_bytes: Floats
    context_window_tokens: Floats
    low_factor: Floats
    high_factor: Floats

    @classmethod
    def of(
        cls,
        devices: Sequence[EdgeDevice],
        models: Sequence[OpenModel],
        precisions: Sequence[Precision],
        where: EdgeIndex,
        request: RequestShape,
    ) -> _Served:
        classes = [edge_fit().of(device.device_class) for device in devices]
        bandwidth = np.array([device.memory_bandwidth_bytes_per_s for device in devices])[where["device"]]
        context = np.full_like(bandwidth, request.mean_input_tokens + request.mean_output_tokens / 2)
        longest = np.full_like(bandwidth, request.longest_request_tokens)
        read = _table(models, precisions, read_bytes)[where["model"], where["precision"]]
        tpot = seconds_per_token(
            bandwidth,
            read + cache_bytes(models, where["model"], context),
            layers=np.array([float(model.layers) for model in models])[where["model"]],
            mbu=np.array([[mbu(each, p) for p in precisions] for each in classes])[where["device"], where["precision"]],
            layer_us=np.array([each.layer_us for each in classes])[where["device"]],
        )
        ops_per_s = bandwidth * np.array([each.prefill_ops_per_byte for each in classes])[where["device"]]
        return cls(
            tpot_s=tpot,
            prefill_tokens_per_s=ops_per_s / np.array([2 * active_params(model) for model in models])[where["model"]],
            weight_bytes=_table(models, precisions, file_bytes)[where["model"], where["precision"]],
            longest_cache_bytes=cache_bytes(models, where["model"], longest),
            usable_bytes=np.array([each.memory_bytes * each.usable_memory_frac for each in devices])[where["device"]],
            context_window_tokens=np.array([float(each.context_window_tokens) for each in models])[where["model"]],
            low_factor=np.array([each.low_factor for each in classes])[where["device"]],
            high_factor=np.array([each.high_factor for each in classes])[where["device"]],
        )

    def corrected(self, factors: FactorColumns) -> _Served:
        """The same columns with the factors of measured devices."""
        return replace(
            self,
            tpot_s=self.tpot_s * factors.tpot,
            low_factor=np.where(factors.is_measured, factors.low, self.low_factor),
            high_factor=np.where(factors.is_measured, factors.high, self.high_factor),
        )

    def request_s(self, request: RequestShape) -> Floats:
        """Seconds that a mean request keeps the device busy."""
        fresh = request.mean_input_tokens * (1 - request.prefix_reuse_frac)
        spent: Floats = fresh / self.prefill_tokens_per_s + max(request.mean_output_tokens, 1.0) * self.tpot_s
        return spent


def _refusals(served: _Served, ttft_s: Floats, request: RequestShape, slo: Slo) -> Ints:
    """The first reason that applies, by its position in ``EDGE_REFUSALS``."""
    reasons = [
        request.longest_request_tokens > served.context_window_tokens,
        served.weight_bytes > served.usable_bytes,
        served.weight_bytes + served.longest_cache_bytes > served.usable_bytes,
        ttft_s > slo.ttft_s,
        served.tpot_s > slo.tpot_s,
    ]
    return np.select(reasons, list(range(1, len(EDGE_REFUSALS))), default=0).astype(np.int64)


def seconds_per_token(
    bandwidth_bytes_per_s: Floats, bytes_read: Floats, *, layers: Floats, mbu: Floats, layer_us: Floats
) -> Floats:
    """Seconds that one token takes: reading, and launching each layer's kernels."""
    return bytes_read / (bandwidth_bytes_per_s * mbu) + layers * layer_us * 1e-6


def mbu(edge_class: EdgeClass, precision: Precision) -> float:
    """Share of the bandwidth that a class of devices reaches with a format; unpacking quantized weights costs some."""
    return edge_class.mbu_16bit_frac if is_16bit(precision) else edge_class.mbu_quantized_frac


def is_16bit(precision: Precision) -> bool:
    """Whether a format keeps weights as they are, so that nothing has to be unpacked."""
    return precision.weight_bits > _SIXTEEN_BITS


def active_params(model: OpenModel) -> float:
    """Parameters that a token is multiplied with."""
    return weights.dense_params(model) + model.expert_params * model.experts_per_token


def file_bytes(model: OpenModel, precision: Precision) -> float:
    """Bytes of the model's file, all of which must be in memory."""
    tables_and_dense = (model.embedding_params + weights.dense_params(model)) * _dense_bits(model, precision) / 8
    return tables_and_dense + model.expert_params * model.experts * weights.expert_bits(model, precision) / 8


def read_bytes(model: OpenModel, precision: Precision) -> float:
    """Bytes of weights that one token reads: the dense part and the experts it is routed to."""
    dense = weights.dense_params(model) * _dense_bits(model, precision) / 8
    return dense + model.expert_params * model.experts_per_token * weights.expert_bits(model, precision) / 8


def cache_bytes(models: Sequence[OpenModel], model: Ints, context_tokens: Floats) -> Floats:
    """Bytes of the 16-bit cache at a context, for each row of the index column."""
    full, sliding, window, state = (
        np.array([float(getattr(each, name)) for each in models])[model]
        for name in (
            "kv_values_per_token",
            "sliding_kv_values_per_token",
            "sliding_window_tokens",
            "recurrent_state_bytes",
        )
    )
    values = kv_cache.kv_bytes(context_tokens, full_values=full, sliding_values=sliding, window_tokens=window)
    held: Floats = values * _CACHE_BYTES_PER_VALUE + state
    return held


def _table(
    models: Sequence[OpenModel],
    precisions: Sequence[Precision],
    quantity: Callable[[OpenModel, Precision], float],
) -> Floats:
    return np.array([[quantity(model, precision) for precision in precisions] for model in models])


def _dense_bits(model: OpenModel, precision: Precision) -> float:
    bits = weights.expert_bits(model, precision)
    return EXPERT_FILE_DENSE_BITS if model.is_moe and model.native_weight_bits < 8 and bits < 8 else bits
