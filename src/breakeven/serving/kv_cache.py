"""Bytes that the key and value cache takes: by model, by context, and by GPU under tensor parallelism."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.open_models import OpenModel

Floats = NDArray[np.float64]


def kv_bytes_per_token(model: OpenModel, bytes_per_value: float = 2.0) -> float:
    """Bytes that one more token adds while it is within every window.

    References at 16 bits: Llama-3.1-8B 131,072; DeepSeek-V3 70,272 (latent attention keeps 576 values a layer).
    """
    return (model.kv_values_per_token + model.sliding_kv_values_per_token) * bytes_per_value


def kv_bytes(context_tokens: Floats, *, full_values: Floats, sliding_values: Floats, window_tokens: Floats) -> Floats:
    """Bytes per byte-wide value of the cache of one sequence of ``context_tokens`` tokens.

    Layers with a sliding window keep no more than ``window_tokens``. Multiply by the bytes of one value.
    """
    return full_values * context_tokens + sliding_values * np.minimum(context_tokens, window_tokens)


def shards(tensor_parallel: Floats, kv_heads: Floats, latent: NDArray[np.bool_]) -> Floats:
    """Over how many GPUs of a tensor-parallel group one sequence's cache is spread.

    A key-value head is not split, so more GPUs than heads hold copies; the latent cache is copied to every GPU.
    """
    return np.where(latent, 1.0, np.minimum(tensor_parallel, np.maximum(kv_heads, 1.0)))
