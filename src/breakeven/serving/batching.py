"""Continuous batching in steady state: how many sequences fit, and what throughput and latency they get.

While ``batch`` sequences run, each leaves after ``output`` steps and another enters, so that in one cycle every
sequence takes ``output`` decode steps and ``batch`` prompts are prefilled in between:

    cycle = output x step(batch) + batch x prefill
    throughput = batch x output / cycle,  TPOT = cycle / output
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.serving.deployment import Deployments
from breakeven.serving.roofline import Constant, Efficiencies, decode_step_s, prefill_latency_s, prefill_s

Floats = NDArray[np.float64]

MEMORY_FRAC: Final = 0.93
"""Share of a GPU's memory that an engine can use: driver, fragmentation and the largest activations take the rest."""
SQUEEZED_MEMORY_FRAC: Final = 0.98
"""The same with small buffers and few sequences; beyond it a deployment is refused."""
RESERVED_BYTES: Final = 1.5e9
"""Per GPU: CUDA context, graphs and communication buffers."""
KV_FRAC: Final = 0.95
"""Share of the memory left over that engines give to the cache."""
OFFLINE_TOKENS: Final = 6.5e6
"""Tokens of an offline run: NVIDIA's protocol sends 30,000 requests of 128/128, 3,000 of 1000/1000 and so on."""
OFFLINE_MIN_REQUESTS: Final = 1_000
OFFLINE_MAX_BATCH: Final = 2_048
"""Sequences that a benchmark engine runs at once, per attention replica (TensorRT-LLM's default)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Fitted constants of the time to first token.

    ``base_ms`` is the fixed part (HTTP, tokenizer, scheduler). ``queue_frac`` is the share of the other running
    sequences' prefills that a new request waits for.
    """

    base_ms: Constant
    queue_frac: Constant


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyState:
    """What a deployment does with a constant number of running sequences, all attention replicas together."""

    output_tokens_per_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    cycle_s: Floats


def kv_limited_batch(deployed: Deployments, tokens_per_sequence: Floats) -> Floats:
    """Sequences whose whole cache fits, per attention replica; below 1 nothing can be served, negative: no weights.

    Room is ``memory x 0.93 - 1.5 GB - weights`` per GPU, of which 95% become cache blocks.
    """
    room = deployed.memory_bytes * MEMORY_FRAC - RESERVED_BYTES - deployed.weight_bytes_per_gpu
    return room * KV_FRAC * deployed.pipeline_stages / np.maximum(deployed.kv_bytes(tokens_per_sequence), 1.0)


def squeezed_room_bytes(deployed: Deployments) -> Floats:
    """Bytes per GPU beside the weights when an engine is tuned to the last gigabyte; what is negative cannot run."""
    return deployed.memory_bytes * SQUEEZED_MEMORY_FRAC - deployed.weight_bytes_per_gpu


def cycle_s(
    deployed: Deployments, batch: Floats, input_tokens: Floats, output_tokens: Floats, fitted: Efficiencies
) -> Floats:
    """Seconds in which each of ``batch`` running sequences is replaced once."""
    step = decode_step_s(deployed, batch, input_tokens + output_tokens / 2, fitted)
    return output_tokens * step + batch * prefill_s(deployed, input_tokens, fitted)


def steady_state(
    deployed: Deployments,
    batch: Floats,
    input_tokens: Floats,
    output_tokens: Floats,
    fitted: Efficiencies,
    waiting: Waiting,
) -> SteadyState:
    """Throughput and mean latency with ``batch`` running sequences per attention replica."""
    cycle = cycle_s(deployed, batch, input_tokens, output_tokens, fitted)
    tpot = cycle / output_tokens
    others = waiting.queue_frac * np.maximum(batch - 1, 0) * prefill_s(deployed, input_tokens, fitted)
    ttft = waiting.base_ms * 1e-3 + prefill_latency_s(deployed, input_tokens, fitted) + tpot / 2 + others
    rate = batch * output_tokens / cycle * deployed.data_parallel
    return SteadyState(output_tokens_per_s=rate, ttft_s=ttft, tpot_s=tpot, cycle_s=cycle)


def closed_loop(
    deployed: Deployments,
    concurrency: Floats,
    input_tokens: Floats,
    output_tokens: Floats,
    fitted: Efficiencies,
    waiting: Waiting,
) -> SteadyState:
    """Throughput and mean latency with ``concurrency`` clients that ask again as soon as they have an answer.

    Clients beyond the cache's room wait until a running sequence has left.
    """
    wanted = np.maximum(concurrency / deployed.data_parallel, 1.0)
    room = kv_limited_batch(deployed, input_tokens + output_tokens)
    running = np.minimum(wanted, np.maximum(room, 1.0))
    state = steady_state(deployed, running, input_tokens, output_tokens, fitted, waiting)
    return replace(state, ttft_s=state.ttft_s + (wanted / running - 1) * state.cycle_s)


def closed_loop_tokens_per_s(state: SteadyState, concurrency: Floats, output_tokens: Floats) -> Floats:
    """Output tokens per second by Little's law: each client gets its answer in TTFT + TPOT x (output - 1)."""
    return concurrency * output_tokens / (state.ttft_s + state.tpot_s * np.maximum(output_tokens - 1, 0))


def offline_requests(input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Requests of an offline run of the protocol."""
    return np.maximum(OFFLINE_MIN_REQUESTS, OFFLINE_TOKENS / (input_tokens + output_tokens))


def offline_batch(deployed: Deployments, input_tokens: Floats, output_tokens: Floats) -> Floats:
    """Sequences that run at once when all requests are there: cache, engine and run length limit them."""
    room = kv_limited_batch(deployed, input_tokens + output_tokens)
    requests = offline_requests(input_tokens, output_tokens) / deployed.data_parallel
    return np.maximum(np.minimum(room, np.minimum(OFFLINE_MAX_BATCH, requests)), 1.0)


def offline_tokens_per_s(
    deployed: Deployments, input_tokens: Floats, output_tokens: Floats, fitted: Efficiencies
) -> Floats:
    """Output tokens per second when all requests are there at once and are taken in waves of as many as fit.

    The number of requests is the protocol's: ``OFFLINE_TOKENS`` tokens, at least 1,000 requests. The last wave is
    smaller, which costs large batches some of their advantage.
    """
    requests = offline_requests(input_tokens, output_tokens) / deployed.data_parallel
    running = offline_batch(deployed, input_tokens, output_tokens)
    waves = np.floor(requests / running + 1e-9)
    rest = np.maximum(requests - waves * running, 0.0)
    last = np.where(rest >= 1, cycle_s(deployed, np.maximum(rest, 1.0), input_tokens, output_tokens, fitted), 0.0)
    spent = waves * cycle_s(deployed, running, input_tokens, output_tokens, fitted) + last
    return requests * output_tokens / spent * deployed.data_parallel
