"""Roofline: how long one decode step and one prefill take on a deployment.

A decode step reads the weights once and the cache of every running sequence; a prefill multiplies. Both pay for
tensor-parallel communication, for routing tokens to experts and for launching kernels. Method: Williams et al.,
Roofline (CACM 2009), with efficiencies fitted by ``scripts/fit_serving_constants.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.deployment import Deployments

Floats = NDArray[np.float64]
Constant = float | Floats
"""One constant for all rows, or one for each row."""

ACTIVATION_BYTES: Final = 2.0
"""Bytes of one activation value that GPUs exchange (16 bits)."""
CHUNK_TOKENS: Final = 8_192
"""Tokens of one prefill pass: the ``max_num_tokens`` of TensorRT-LLM, vLLM's default on large GPUs."""
PIPELINE_BUBBLE_FRAC: Final = 0.1
"""Extra decode time per further pipeline stage; micro-batches are uneven. Assumed, not fitted."""
PREFILL_BUBBLE_FRAC: Final = 0.04
"""The same for prefill, whose chunks are even. Assumed, not fitted."""
PCIE_BELOW_BYTES_PER_S: Final = 100e9
"""Links below this are PCI Express, above it NVLink or xGMI."""
PCIE5_FROM_BYTES_PER_S: Final = 50e9
PCIE4_LINK_FRAC: Final = 0.42
"""All-reduce bandwidth over link bandwidth through shared host bridges. Assumed, not fitted."""
PCIE5_LINK_FRAC: Final = 0.6
"""The same where GPUs reach each other through PCIe 5.0. Assumed, not fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiencies:
    """Fitted constants of one class of deployments.

    ``mfu`` is the share of peak arithmetic and ``mbu`` the share of memory bandwidth that is reached, ``link_frac``
    the share of NVLink bandwidth. ``layer_us`` are microseconds per layer and pass, ``sync_us`` those that GPUs lose
    beside it by waiting for one another at the layer's exchanges, for each doubling of the group,
    ``host_us_per_seq`` those of host work per sequence and step, ``routed_us`` those per token, expert and layer for
    routing (tensor parallelism does not divide it).
    """

    mfu: Constant
    mbu: Constant
    layer_us: Constant
    sync_us: Constant
    host_us_per_seq: Constant
    link_frac: Constant
    routed_us: Constant


def touched_experts(deployed: Deployments, tokens: Floats) -> Floats:
    """Expected number of experts a layer that ``tokens`` tokens touch: E x (1 - (1 - k/E) ** tokens)."""
    share = np.where(deployed.is_moe, deployed.experts_per_token / np.maximum(deployed.experts, 1.0), 0.0)
    missed = np.exp(tokens * np.log1p(-np.minimum(share, 1 - 1e-12)))
    touched: Floats = deployed.experts * (1 - missed)
    return touched


def decode_step_s(deployed: Deployments, batch: Floats, context_tokens: Floats, fitted: Efficiencies) -> Floats:
    """Seconds in which each of ``batch`` sequences (per attention replica) gets one more token.

    ``context_tokens`` is the mean length of a sequence. Reading weights and multiplying overlap in part: their sum in
    quadrature. With pipeline stages the batch is split into as many micro-batches, and a token passes all stages.
    """
    stages = deployed.pipeline_stages
    micro = np.maximum(batch / stages, 1.0)
    share = 1 / (deployed.tensor_parallel * stages)
    bandwidth = deployed.bandwidth_bytes_per_s * fitted.mbu
    experts = deployed.expert_bytes * touched_experts(deployed, micro * deployed.data_parallel) / deployed.data_parallel
    read_s = (deployed.dense_bytes + experts) * share / bandwidth
    multiply_s = micro * flops_per_token(deployed) * share / achieved_flops_per_s(deployed, fitted)
    cache_s = micro * deployed.kv_bytes(context_tokens) / stages / bandwidth
    stage_s = np.hypot(read_s, multiply_s) + cache_s + per_token_s(deployed, fitted) * micro
    passed_s = (stage_s * stages + launch_s(deployed, fitted)) * bubble(stages, PIPELINE_BUBBLE_FRAC)
    return passed_s + batch * fitted.host_us_per_seq * 1e-6


def prefill_s(deployed: Deployments, tokens: Floats, fitted: Efficiencies) -> Floats:
    """Seconds of one attention replica's time that a prompt of ``tokens`` tokens takes."""
    stages = deployed.pipeline_stages
    share = 1 / (deployed.tensor_parallel * stages)
    flops = tokens * flops_per_token(deployed) + attention_flops(deployed, tokens)
    multiply_s = flops * share / achieved_flops_per_s(deployed, fitted)
    launches_s = tokens / CHUNK_TOKENS * launch_s(deployed, fitted) / stages
    return (multiply_s + per_token_s(deployed, fitted) * tokens + launches_s) * bubble(stages, PREFILL_BUBBLE_FRAC)


def attention_flops(deployed: Deployments, tokens: Floats) -> Floats:
    """Operations of a prompt's attention: each token meets half of the prompt, in sliding layers at most the window."""
    window = np.minimum(tokens, deployed.kv_window_tokens)
    in_window = window * (2 * tokens - window)
    pairs = tokens * tokens * deployed.full_attention_layers + in_window * deployed.sliding_attention_layers
    flops: Floats = 2 * pairs * deployed.attention_width
    return flops


def prefill_latency_s(deployed: Deployments, tokens: Floats, fitted: Efficiencies) -> Floats:
    """Seconds until the first token of a prompt that has the deployment for itself: all stages, one after another."""
    stages = deployed.pipeline_stages
    read_s = deployed.weight_bytes_per_gpu * stages / (deployed.bandwidth_bytes_per_s * fitted.mbu)
    busy_s = np.maximum(prefill_s(deployed, tokens, fitted) * stages, read_s)
    return busy_s + launch_s(deployed, fitted)


def launch_s(deployed: Deployments, fitted: Efficiencies) -> Floats:
    """Seconds that one pass through all layers costs whatever the batch: launches, and waiting between GPUs.

    The latency of an exchange grows with the logarithm of the group, as in recursive doubling.
    """
    hops = np.log2(deployed.tensor_parallel * deployed.data_parallel)
    spent: Floats = deployed.layers * (fitted.layer_us + fitted.sync_us * hops) * 1e-6
    return spent


def flops_per_token(deployed: Deployments) -> Floats:
    """Operations of one token's products, attention over the context aside: 2 per active parameter."""
    return 2 * (deployed.dense_params + deployed.expert_params * deployed.experts_per_token)


def achieved_flops_per_s(deployed: Deployments, fitted: Efficiencies) -> Floats:
    """Operations per second that one GPU reaches; 1 where the precision is refused, so that nothing divides by 0."""
    return np.maximum(deployed.peak_flops_per_s * fitted.mfu, 1.0)


def per_token_s(deployed: Deployments, fitted: Efficiencies) -> Floats:
    """Seconds a token costs one pipeline stage beside its products: exchanges between GPUs, and routing."""
    sent = exchanges(deployed) * deployed.hidden * ACTIVATION_BYTES
    exchange_s = sent / (deployed.link_bytes_per_s * link_frac(deployed.link_bytes_per_s, fitted))
    routing_s = deployed.moe_layers * deployed.experts_per_token * fitted.routed_us * 1e-6
    return (exchange_s + routing_s) / deployed.pipeline_stages


def exchanges(deployed: Deployments) -> Floats:
    """How often a GPU sends one token's activations over its link, all layers together.

    Without attention replicas each layer has two all-reduces over the tensor-parallel group, of which a ring sends
    2 x (tp - 1) / tp. With them only attention has; at the experts every GPU of the deployment gathers the tokens of
    all replicas and scatters the sums, which is an all-reduce of ``data_parallel`` times as many tokens.
    """
    split, replicas, together = (
        deployed.tensor_parallel,
        deployed.data_parallel,
        deployed.tensor_parallel * deployed.data_parallel,
    )
    reduced = 2 * (split - 1) / split
    at_experts = np.where(
        replicas > 1, deployed.moe_layers * 2 * (together - 1) / together * replicas, reduced * deployed.layers
    )
    found: Floats = reduced * deployed.layers + at_experts
    return found


def link_frac(link_bytes_per_s: Floats, fitted: Efficiencies) -> Floats:
    """Share of the link's bandwidth that an all-reduce reaches: fitted for NVLink, assumed for PCI Express."""
    pcie = np.where(link_bytes_per_s >= PCIE5_FROM_BYTES_PER_S, PCIE5_LINK_FRAC, PCIE4_LINK_FRAC)
    return np.where(link_bytes_per_s < PCIE_BELOW_BYTES_PER_S, pcie, fitted.link_frac)


def bubble(stages: Floats, frac: float) -> Floats:
    """Factor on time for pipeline stages that wait for one another."""
    return 1 + frac * (stages - 1)
