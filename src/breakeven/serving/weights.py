"""Bytes of a model's weights at a precision, and the arithmetic that a GPU multiplies them with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision

TABLE_BYTES: Final = 2.0
"""Bytes per weight of the input embedding and the output head, which quantized checkpoints keep at 16 bits."""

WIDENED: Final = frozenset({"fp8", "int8"})
"""Formats that engines also run without native arithmetic, widened to 16 bits on the way (Marlin kernels)."""


def peak_flops_per_s(peaks: Mapping[str, float], precision: Precision, model: OpenModel) -> float:
    """Peak operations per second that an accelerator gives a model at a precision; 0 where it cannot run it.

    8-bit weights run on older GPUs as weight-only formats at the 16-bit peak. Four-bit floats need native
    arithmetic, except where the model is published in them (MXFP4 gpt-oss), for which engines have such kernels; both
    kinds of kernel start at the first generation that multiplies bfloat16 (NVIDIA Ampere), as does MXFP4 itself.
    """
    if model.native_weight_bits < 8 and "bf16" not in peaks:
        return 0.0
    native = peaks.get(precision.compute, 0.0)
    widens = precision.compute in WIDENED or model.native_weight_bits <= precision.weight_bits < 8
    return native or (peaks.get("bf16", 0.0) if widens else 0.0)


def expert_bits(model: OpenModel, precision: Precision) -> float:
    """Bits per weight of the routed experts: never more than the published weights have."""
    return min(precision.weight_bits, model.native_weight_bits)


def dense_bits(model: OpenModel, precision: Precision) -> float:
    """Bits per weight of what every token uses, embedding and output head aside.

    Four-bit releases of mixture-of-experts models (NVFP4 DeepSeek, MXFP4 gpt-oss, int4 Kimi) quantize the experts
    and keep attention and router at 16 bits.
    """
    bits = expert_bits(model, precision)
    return 16.0 if model.is_moe and bits < 8.0 else bits


def dense_params(model: OpenModel) -> float:
    """Parameters that every token is multiplied with: all but the routed experts and the input embedding."""
    return max(model.total_params - model.expert_params * model.experts - model.embedding_params, 0.0)


def dense_bytes(model: OpenModel, precision: Precision) -> float:
    """Bytes that every decode step reads, whatever the batch: the dense part, its output head at 16 bits."""
    head = min(model.embedding_params, dense_params(model))
    return (dense_params(model) - head) * dense_bits(model, precision) / 8 + head * TABLE_BYTES


def expert_bytes(model: OpenModel, precision: Precision) -> float:
    """Bytes of one routed expert over all layers."""
    return model.expert_params * expert_bits(model, precision) / 8


def weight_bytes(model: OpenModel, precision: Precision) -> float:
    """Bytes of all weights: input embedding at 16 bits, dense part, experts."""
    table = model.embedding_params * TABLE_BYTES
    return table + dense_bytes(model, precision) + expert_bytes(model, precision) * model.experts
