"""Deployments as columns: which model runs on which accelerators, in which format, split how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision
from breakeven.serving import kv_cache, weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LATENT_ATTENTION_WIDTH: Final = 160
"""Mean of the query-key (192) and value (128) widths of one latent-attention head during prefill (DeepSeek-V3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which model runs where, and over how many GPUs: index and count columns of equal length.

    ``model``, ``accelerator`` and ``precision`` are positions in the sequences given to ``deployments``;
    ``data_parallel`` are attention replicas that share the experts of one deployment.
    """

    model: Ints
    accelerator: Ints
    precision: Ints
    tensor_parallel: Floats
    pipeline_stages: Floats
    data_parallel: Floats


def whole_replicas(model: Ints, accelerator: Ints, precision: Ints, tensor_parallel: Ints) -> Split:
    """Deployments with tensor parallelism only."""
    ones = np.ones(len(model))
    split = np.asarray(tensor_parallel, dtype=np.float64)
    return Split(
        model=model,
        accelerator=accelerator,
        precision=precision,
        tensor_parallel=split,
        pipeline_stages=ones,
        data_parallel=ones,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployments:
    """Columns of equal length, one row per deployment.

    Counts are floats so that they broadcast. ``dense_bytes`` are the bytes of the weights that every token reads,
    ``expert_bytes`` the bytes of one routed expert over all layers, ``weight_bytes`` everything, all for the whole
    deployment. ``peak_flops_per_s`` is 0 where the accelerator cannot run the format.
    """

    layers: Floats
    moe_layers: Floats
    full_attention_layers: Floats
    sliding_attention_layers: Floats
    hidden: Floats
    attention_heads: Floats
    attention_width: Floats
    dense_params: Floats
    expert_params: Floats
    experts: Floats
    experts_per_token: Floats
    weight_bytes: Floats
    dense_bytes: Floats
    expert_bytes: Floats
    kv_full_values: Floats
    kv_sliding_values: Floats
    kv_window_tokens: Floats
    recurrent_state_bytes: Floats
    kv_shards: Floats
    kv_bytes_per_value: Floats
    context_window_tokens: Floats
    tensor_parallel: Floats
    pipeline_stages: Floats
    data_parallel: Floats
    peak_flops_per_s: Floats
    bandwidth_bytes_per_s: Floats
    memory_bytes: Floats
    link_bytes_per_s: Floats

    @property
    def is_moe(self) -> NDArray[np.bool_]:
        """Which rows route tokens to experts."""
        return self.experts > 0

    @property
    def gpus(self) -> Floats:
        """Accelerators of the whole deployment."""
        return self.tensor_parallel * self.pipeline_stages * self.data_parallel

    @property
    def weight_bytes_per_gpu(self) -> Floats:
        """Bytes of weights on one accelerator: attention replicas copy all but the experts."""
        experts = self.expert_bytes * self.experts
        per_replica = (self.weight_bytes - experts) / self.tensor_parallel
        return (per_replica + experts / (self.tensor_parallel * self.data_parallel)) / self.pipeline_stages

    def rows(self, chosen: NDArray[np.bool_]) -> Deployments:
        """The rows that are True in ``chosen``."""
        return Deployments(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})

    def kv_bytes(self, context_tokens: Floats) -> Floats:
        """Cache bytes of one sequence on one accelerator of its group, all pipeline stages together.

        The fixed state of linear-attention layers is split over the tensor-parallel group.
        """
        values = kv_cache.kv_bytes(
            context_tokens,
            full_values=self.kv_full_values,
            sliding_values=self.kv_sliding_values,
            window_tokens=self.kv_window_tokens,
        )
        return values * self.kv_bytes_per_value / self.kv_shards + self.recurrent_state_bytes / self.tensor_parallel


def model_table(models: Sequence[OpenModel]) -> dict[str, Floats]:
    """Figures of each model that need no precision, one array per figure."""
    latent = np.array([m.multi_head_latent_attention for m in models])
    heads = _column([m.attention_heads for m in models])
    return {
        "layers": _column([m.layers for m in models]),
        "moe_layers": _column([m.moe_layers for m in models]),
        "full_attention_layers": _column([m.full_attention_layers for m in models]),
        "sliding_attention_layers": _column([m.sliding_attention_layers for m in models]),
        "hidden": _column([m.hidden_size for m in models]),
        "attention_heads": heads,
        "attention_width": heads * np.where(latent, LATENT_ATTENTION_WIDTH, _column([m.head_dim for m in models])),
        "dense_params": _column([weights.dense_params(m) for m in models]),
        "expert_params": _column([m.expert_params for m in models]),
        "experts": _column([m.experts for m in models]),
        "experts_per_token": _column([m.experts_per_token for m in models]),
        "kv_full_values": _column([m.kv_values_per_token for m in models]),
        "kv_sliding_values": _column([m.sliding_kv_values_per_token for m in models]),
        "kv_window_tokens": _column([m.sliding_window_tokens for m in models]),
        "recurrent_state_bytes": _column([m.recurrent_state_bytes for m in models]),
        "context_window_tokens": _column([m.context_window_tokens for m in models]),
    }


def format_table(models: Sequence[OpenModel], precisions: Sequence[Precision]) -> dict[str, Floats]:
    """Bytes of each model at each precision, arrays of shape (models, precisions)."""
    return {
        "weight_bytes": _column([[weights.weight_bytes(m, p) for p in precisions] for m in models]),
        "dense_bytes": _column([[weights.dense_bytes(m, p) for p in precisions] for m in models]),
        "expert_bytes": _column([[weights.expert_bytes(m, p) for p in precisions] for m in models]),
    }


def accelerator_table(accelerators: Sequence[Accelerator]) -> dict[str, Floats]:
    """Figures of each accelerator that need no precision."""
    return {
        "bandwidth_bytes_per_s": _column([a.memory_bandwidth_bytes_per_s for a in accelerators]),
        "memory_bytes": _column([a.memory_bytes for a in accelerators]),
        "link_bytes_per_s": _column([a.interconnect_bytes_per_s for a in accelerators]),
    }


def deployments(
    models: Sequence[OpenModel],
    accelerators: Sequence[Accelerator],
    precisions: Sequence[Precision],
    split: Split,
    *,
    kv_bytes_per_value: Floats | float | None = None,
) -> Deployments:
    """Columns of the deployments that ``split`` names by position in the three sequences.

    Without ``kv_bytes_per_value`` the cache has the bits that each precision states.
    """
    by_model = {name: column[split.model] for name, column in model_table(models).items()}
    by_format = {name: table[split.model, split.precision] for name, table in format_table(models, precisions).items()}
    by_accelerator = {name: column[split.accelerator] for name, column in accelerator_table(accelerators).items()}
    peaks = np.array(
        [
            [[weights.peak_flops_per_s(a.peak_flops_per_s, p, m) for p in precisions] for a in accelerators]
            for m in models
        ]
    )
    latent = np.array([m.multi_head_latent_attention for m in models])[split.model]
    kv_heads = _column([m.kv_heads for m in models])[split.model]
    stated = _column([p.kv_bits / 8 for p in precisions])[split.precision]
    return Deployments(
        **by_model,
        **by_format,
        **by_accelerator,
        kv_shards=kv_cache.shards(split.tensor_parallel, kv_heads, latent),
        kv_bytes_per_value=stated if kv_bytes_per_value is None else np.broadcast_to(kv_bytes_per_value, stated.shape),
        tensor_parallel=split.tensor_parallel,
        pipeline_stages=split.pipeline_stages,
        data_parallel=split.data_parallel,
        peak_flops_per_s=peaks[split.model, split.accelerator, split.precision],
    )


def _column(values: Sequence[float] | Sequence[Sequence[float]]) -> Floats:
    return np.array(values, dtype=np.float64)
