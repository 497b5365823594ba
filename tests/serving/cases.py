"""Small models, accelerators and constants whose figures can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.open_models import OpenModel, open_model
from breakeven.catalog.precisions import Precision, precision
from breakeven.serving.deployment import Deployments, Split, deployments
from breakeven.serving.roofline import Efficiencies

HALF = Efficiencies(mfu=0.5, mbu=0.5, layer_us=0.0, sync_us=0.0, host_us_per_seq=0.0, link_frac=0.5, routed_us=0.0)
"""Half of every peak and no overheads."""

GPU = Accelerator(
    name="toy",
    memory_bytes=80_000_000_000,
    memory_bandwidth_bytes_per_s=1e12,
    peak_flops_per_s={"fp16": 100e12, "bf16": 100e12, "fp8": 200e12},
    board_power_w=100.0,
    interconnect_bytes_per_s=200e9,
    source="made up",
    confidence="exact",
)

# One billion dense parameters, no tables, 1,000 cached values a token.
DENSE = replace(
    open_model("Llama-3.1-8B"),
    name="toy-dense",
    total_params=1e9,
    active_params=1e9,
    embedding_params=0.0,
    layers=10,
    full_attention_layers=10,
    hidden_size=1_000,
    attention_heads=8,
    kv_heads=4,
    head_dim=125,
    kv_values_per_token=1_000,
)

# The same with 8 experts of 0.1e9 parameters, 2 used by a token.
SPARSE = replace(
    DENSE,
    name="toy-sparse",
    total_params=1e9 + 8e8,
    active_params=1e9 + 2e8,
    expert_params=1e8,
    experts=8,
    experts_per_token=2,
    moe_layers=10,
)

FP16 = precision("fp16", "server")
FP8 = precision("fp8", "server")
FP4 = precision("fp4", "server")
INT4 = precision("int4", "server")


def deployed(
    model: OpenModel = DENSE,
    gpu: Accelerator = GPU,
    chosen: Precision = FP16,
    *,
    tensor_parallel: float = 1,
    pipeline_stages: float = 1,
    data_parallel: float = 1,
    kv_bytes_per_value: float | None = None,
) -> Deployments:
    """One deployment as columns of length one."""
    first = np.zeros(1, dtype=np.int64)
    split = Split(
        model=first,
        accelerator=first,
        precision=first,
        tensor_parallel=np.array([float(tensor_parallel)]),
        pipeline_stages=np.array([float(pipeline_stages)]),
        data_parallel=np.array([float(data_parallel)]),
    )
    return deployments([model], [gpu], [chosen], split, kv_bytes_per_value=kv_bytes_per_value)


def column(value: float) -> np.ndarray:
    """One number as a column."""
    return np.array([float(value)])
