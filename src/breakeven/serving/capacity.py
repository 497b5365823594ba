"""What one replica can serve within a latency requirement: the public face of serving.

A replica is one engine on ``tensor_parallel`` accelerators. Its capacity is the request rate at which the stated share
of the requests still meets the required TTFT and TPOT. All columns are computed at once; nothing loops over rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypedDict, Unpack

import numpy as np

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision
from breakeven.serving import batching, roofline
from breakeven.serving.constants import HOST_US_PER_SEQ, online_efficiencies, online_waiting, serving_classes
from breakeven.serving.corrections import Corrections, FactorColumns
from breakeven.serving.deployment import Deployments, Floats, Ints, deployments, whole_replicas
from breakeven.workload.workload import Slo

REFUSALS: Final[tuple[str, ...]] = (
    "",
    "precision not supported by this GPU",
    "tensor parallel does not divide the attention heads",
    "longest request exceeds the model's context window",
    "weights do not fit in memory",
    "no room for the KV cache of the longest request",
    "TTFT requirement cannot be met",
    "TPOT requirement cannot be met",
)
"""Why a row has no capacity, by refusal code; code 0 is an answer."""

MAX_RUNNING: Final = 1_024.0
"""Sequences that an engine runs at once (vLLM's ``max_num_seqs`` on large GPUs)."""
_BISECTIONS: Final = 11
"""Halvings that tell ``MAX_RUNNING`` whole numbers apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestShape:
    """The requests a replica gets: mean lengths, the input length at the SLO's percentile, the longest request.

    ``prefix_reuse_frac`` of the input tokens are found in the cache and cost no prefill.
    """

    mean_input_tokens: float
    mean_output_tokens: float
    percentile_input_tokens: float
    longest_request_tokens: int
    prefix_reuse_frac: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityColumns:
    """Capacity of n replicas, arrays of shape (n,); rates are 0 and latencies NaN where ``refusal_code`` is not 0.

    ``requests_per_s`` is the rate that one replica sustains with Poisson arrivals, ``max_concurrent_requests`` how many
    requests may run at once; ``ttft_s`` and ``tpot_s`` hold at the SLO's percentile. ``prefill_tokens_per_s`` and
    ``decode_tokens_per_s`` are the speeds while doing only that, decode at ``max_concurrent_requests``.
    ``low_factor`` and ``high_factor`` bound 80% of measured over modelled throughput. Bytes are per replica.
    """

    requests_per_s: Floats
    output_tokens_per_s: Floats
    prefill_tokens_per_s: Floats
    decode_tokens_per_s: Floats
    max_concurrent_requests: Ints
    ttft_s: Floats
    tpot_s: Floats
    weight_bytes: Floats
    kv_bytes_per_request: Floats
    low_factor: Floats
    high_factor: Floats
    refusal_code: Ints
    measured_points: Ints
    """Measurements that correct the row; 0 where it is modelled alone."""

    def row(self, index: int) -> ReplicaCapacity:
        """One row as plain numbers."""
        return ReplicaCapacity(
            requests_per_s=float(self.requests_per_s[index]),
            output_tokens_per_s=float(self.output_tokens_per_s[index]),
            prefill_tokens_per_s=float(self.prefill_tokens_per_s[index]),
            decode_tokens_per_s=float(self.decode_tokens_per_s[index]),
            max_concurrent_requests=int(self.max_concurrent_requests[index]),
            ttft_s=float(self.ttft_s[index]),
            tpot_s=float(self.tpot_s[index]),
            weight_bytes=float(self.weight_bytes[index]),
            kv_bytes_per_request=float(self.kv_bytes_per_request[index]),
            low_factor=float(self.low_factor[index]),
            high_factor=float(self.high_factor[index]),
            refusal=REFUSALS[int(self.refusal_code[index])],
            basis="measured" if self.measured_points[index] else "modelled",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCapacity:
    """Capacity of one replica; fields as in ``CapacityColumns``. ``refusal`` is empty where there is an answer."""

    requests_per_s: float
    output_tokens_per_s: float
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    max_concurrent_requests: int
    ttft_s: float
    tpot_s: float
    weight_bytes: float
    kv_bytes_per_request: float
    low_factor: float
    high_factor: float
    refusal: str
    basis: Basis = "modelled"


class ReplicaIndex(TypedDict):
    """Which model runs on which accelerator at which precision, over how many: integer columns of shape (n,)."""

    model: Ints
    accelerator: Ints
    precision: Ints
    tensor_parallel: Ints


def replica_capacity(
    models: Sequence[OpenModel],
    accelerators: Sequence[Accelerator],
    precisions: Sequence[Precision],
    *,
    request: RequestShape,
    slo: Slo,
    corrections: Corrections | None = None,
    **where: Unpack[ReplicaIndex],
) -> CapacityColumns:
    """Capacity of n replicas.

    Args:
        models: the models that ``where["model"]`` points into.
        accelerators: the accelerators that ``where["accelerator"]`` points into.
        precisions: the precisions that ``where["precision"]`` points into.
        request: the lengths of the requests.
        slo: TTFT and TPOT that the stated percentile of the requests must meet.
        corrections: what measurements of some of the deployments say; their rows have the basis "measured".
        where: the columns of `ReplicaIndex`, by keyword.
    """
    deployed = deployments(models, accelerators, precisions, whole_replicas(**where))
    factors = (corrections or Corrections()).of_replicas(models, accelerators, precisions, **where)
    serving = _Serving.of(deployed, request, factors)
    whole = np.floor(np.minimum(serving.room(deployed, request), MAX_RUNNING))
    code = _refusals(deployed, serving, request, slo)
    running = _largest_batch(serving, whole, slo)
    return _columns(deployed, serving, running, code, request, slo)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Serving:
    """Deployments under one request shape, asked for latency at a batch."""

    deployed: Deployments
    fitted: roofline.Efficiencies
    waiting: batching.Waiting
    computed_tokens: Floats
    output_tokens: Floats
    percentile_prefill_s: Floats
    cached_tokens: float
    factors: FactorColumns

    @classmethod
    def of(cls, deployed: Deployments, request: RequestShape, factors: FactorColumns) -> _Serving:
        fitted = online_efficiencies(deployed.is_moe, HOST_US_PER_SEQ)
        fresh = 1 - request.prefix_reuse_frac
        ones = np.ones(len(deployed.layers))
        return cls(
            deployed=deployed,
            fitted=fitted,
            waiting=online_waiting(deployed.is_moe),
            computed_tokens=ones * max(request.mean_input_tokens * fresh, 1.0),
            output_tokens=ones * max(request.mean_output_tokens, 1.0),
            percentile_prefill_s=roofline.prefill_latency_s(
                deployed, ones * max(request.percentile_input_tokens * fresh, 1.0), fitted
            ),
            cached_tokens=request.mean_input_tokens * request.prefix_reuse_frac,
            factors=factors,
        )

    def room(self, deployed: Deployments, request: RequestShape) -> Floats:
        """Mean requests whose cache fits."""
        tokens = np.full_like(deployed.layers, request.mean_input_tokens + request.mean_output_tokens)
        return batching.kv_limited_batch(deployed, tokens)

    def prefill_s(self) -> Floats:
        """Seconds of prefill of a mean request, measurements aside."""
        return roofline.prefill_s(self.deployed, self.computed_tokens, self.fitted)

    def step_s(self, running: Floats) -> Floats:
        """Seconds of a decode step, measurements aside."""
        context = self.cached_tokens + self.computed_tokens + self.output_tokens / 2
        return roofline.decode_step_s(self.deployed, running, context, self.fitted)

    def latency_s(self, running: Floats) -> tuple[Floats, Floats]:
        """TTFT of a request of the percentile's length, and TPOT, with ``running`` requests."""
        prefill = self.prefill_s()
        tpot = self.step_s(running) + running * prefill / self.output_tokens
        others = self.waiting.queue_frac * np.maximum(running - 1, 0) * prefill
        ttft = self.waiting.base_ms * 1e-3 + self.percentile_prefill_s + tpot / 2 + others
        return ttft * self.factors.ttft, tpot * self.factors.tpot


def _refusals(deployed: Deployments, serving: _Serving, request: RequestShape, slo: Slo) -> Ints:
    """The first reason that applies, by its position in ``REFUSALS``."""
    longest = np.full_like(deployed.layers, request.longest_request_tokens)
    room = batching.kv_limited_batch(deployed, longest)
    ttft, tpot = serving.latency_s(np.ones_like(room))
    reasons = [
        deployed.peak_flops_per_s <= 0,
        deployed.attention_heads % deployed.tensor_parallel != 0,
        longest > deployed.context_window_tokens,
        room <= 0,
        room < 1,
        ttft > slo.ttft_s,
        tpot > slo.tpot_s,
    ]
    return np.select(reasons, list(range(1, len(REFUSALS))), default=0).astype(np.int64)


def _largest_batch(serving: _Serving, room: Floats, slo: Slo) -> Floats:
    """The most running requests that meet the SLO, by bisection; latency grows with the batch."""
    low, high = np.ones_like(room), np.maximum(room, 1.0)
    for _ in range(_BISECTIONS):
        middle = np.ceil((low + high) / 2)
        ttft, tpot = serving.latency_s(middle)
        meets = (ttft <= slo.ttft_s) & (tpot <= slo.tpot_s)
        low, high = np.where(meets, middle, low), np.where(meets, high, np.maximum(middle - 1, low))
    return low


def mean_running(most: Floats, percentile: float) -> Floats:
    """Mean running requests whose percentile is ``most``, their number being about Poisson: m + z sqrt(m) = most."""
    z = max(NormalDist().inv_cdf(min(max(percentile, 1.0), 99.99) / 100), 0.0)
    return ((np.sqrt(z * z + 4 * most) - z) / 2) ** 2


def _columns(
    deployed: Deployments, serving: _Serving, running: Floats, code: Ints, request: RequestShape, slo: Slo
) -> CapacityColumns:
    answered = code == 0
    ttft, tpot = serving.latency_s(running)
    mean = mean_running(running, slo.percentile)
    first, each = serving.latency_s(np.maximum(mean, 1.0))
    rate = np.where(answered, mean / (first + each * np.maximum(serving.output_tokens - 1, 0)), 0.0)
    classes = serving_classes()
    dense, moe = classes["online-dense"].throughput, classes["online-moe"].throughput
    tokens = np.full_like(rate, request.mean_input_tokens + request.mean_output_tokens)
    slower, is_measured = serving.factors.tpot, serving.factors.is_measured
    low, high = (
        np.where(deployed.is_moe, getattr(moe, name), getattr(dense, name)) for name in ("low_factor", "high_factor")
    )
    return CapacityColumns(
        requests_per_s=rate,
        output_tokens_per_s=rate * request.mean_output_tokens,
        prefill_tokens_per_s=np.where(answered, serving.computed_tokens / serving.prefill_s() / slower, 0.0),
        decode_tokens_per_s=np.where(answered, running / serving.step_s(running) / slower, 0.0),
        max_concurrent_requests=np.where(answered, running, 0).astype(np.int64),
        ttft_s=np.where(answered, ttft, np.nan),
        tpot_s=np.where(answered, tpot, np.nan),
        weight_bytes=deployed.weight_bytes,
        kv_bytes_per_request=deployed.kv_bytes(tokens) * deployed.kv_shards,
        low_factor=np.where(is_measured, serving.factors.low, low),
        high_factor=np.where(is_measured, serving.factors.high, high),
        refusal_code=code,
        measured_points=serving.factors.points,
    )
