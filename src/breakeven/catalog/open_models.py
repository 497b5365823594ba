"""Open-weight models: the architecture figures that decide memory, bandwidth and arithmetic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """Architecture of an open-weight model.

    ``expert_params`` are the parameters of one routed expert over all layers, ``experts`` the routed experts a layer and
    ``experts_per_token`` how many of them a token uses (all 0 for a dense model); ``total_params`` includes everything.
    ``kv_values_per_token`` is the number of cached values a token adds over all full-attention layers (for MLA 576 a
    layer), ``sliding_kv_values_per_token`` the same over layers that keep only the last ``sliding_window_tokens``.
    ``native_weight_bits`` is below 16 where the published weights are already quantized (4.25 for MXFP4, 8 for FP8).
    """

    name: str
    total_params: float
    active_params: float
    embedding_params: float
    expert_params: float
    experts: int
    experts_per_token: int
    layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    kv_values_per_token: int
    sliding_kv_values_per_token: int
    sliding_window_tokens: int
    multi_head_latent_attention: bool
    native_weight_bits: float
    context_window_tokens: int
    source: str
    note: str = ""

    @property
    def is_moe(self) -> bool:
        """Whether the model routes tokens to experts."""
        return self.experts > 0
