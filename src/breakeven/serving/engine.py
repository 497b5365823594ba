"""One engine as the replay sees it: how long a step takes, and what fits. Derived from the roofline, without loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision
from breakeven.errors import NothingFits
from breakeven.serving import batching, roofline
from breakeven.serving.capacity import MAX_RUNNING, REFUSALS
from breakeven.serving.constants import HOST_US_PER_SEQ, online_efficiencies, online_waiting, serving_classes
from breakeven.serving.corrections import FactorColumns
from breakeven.serving.deployment import Deployments, deployments, whole_replicas
from breakeven.serving.replay_state import BLOCK_TOKENS

Floats = NDArray[np.float64]

Admission = Literal["blocks", "whole"]
"""What must fit into the cache before a request is admitted: the blocks of its prompt, or its whole input and output.

``blocks`` is how vLLM works: the cache is taken block by block as a sequence grows, and where it is full, the request
admitted last is preempted and computed anew. ``whole`` is TensorRT-LLM's ``GUARANTEED_NO_EVICT``.
"""

DEFAULT_REQUEST_TOKENS: Final = 1_366
"""Mean input and output of a request of Azure's conversation trace of 2023: where windowed caches are linearized."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCoefficients:
    """Step times and limits of one replica.

    A step with ``n`` decoding sequences takes ``step_s[n] + context_s_per_token x (their cached tokens)``, and a chunk
    of ``k`` prompt tokens behind ``p`` done ones ``prefill_s_per_token x k + attention_s_per_token2 x k x (2p + k)``
    more. A step that only prefills takes ``step_s[0]`` and at least ``least_prefill_s``, in which the weights are read.
    ``overhead_s`` is added to each request's latency (HTTP, tokenizer) and keeps no GPU busy. ``kv_tokens`` is the
    room of the cache, ``admission`` how it is given out, ``chunk_tokens`` the most tokens of one step. ``weight_bytes``
    are loaded at a cold start.
    ``low_factor`` and ``high_factor`` bound 80% of measured over modelled throughput.
    """

    step_s: Floats
    context_s_per_token: float
    prefill_s_per_token: float
    attention_s_per_token2: float = 0.0
    least_prefill_s: float = 0.0
    overhead_s: float = 0.0
    chunk_tokens: int = roofline.CHUNK_TOKENS
    kv_tokens: int
    admission: Admission = "blocks"
    weight_bytes: float = 0.0
    low_factor: float = 1.0
    high_factor: float = 1.0
    basis: Basis = "modelled"

    @property
    def max_running(self) -> int:
        """Sequences that run at once, at most."""
        return len(self.step_s) - 1

    @property
    def longest_request_tokens(self) -> int:
        """Input and output tokens that fit into the cache if nothing else is there."""
        return self.kv_tokens - (self.kv_tokens % BLOCK_TOKENS if self.admission == "blocks" else 0)

    def with_prefix_reuse(self, reuse_frac: float) -> EngineCoefficients:
        """The engine when this share of the input is found in a prefix cache: it costs no prefill, but its room."""
        fresh = 1 - reuse_frac
        return replace(
            self,
            prefill_s_per_token=self.prefill_s_per_token * fresh,
            attention_s_per_token2=self.attention_s_per_token2 * fresh,
        )

    def corrected(self, factors: FactorColumns) -> EngineCoefficients:
        """The engine with the times that measurements say; ``factors`` has one row.

        Times of the GPU take the factor on TPOT, in which the prefills of others have their part, and the overhead
        that on TTFT.
        """
        if not factors.is_measured[0]:
            return self
        slower = float(factors.tpot[0])
        return replace(
            self,
            step_s=self.step_s * slower,
            context_s_per_token=self.context_s_per_token * slower,
            prefill_s_per_token=self.prefill_s_per_token * slower,
            attention_s_per_token2=self.attention_s_per_token2 * slower,
            least_prefill_s=self.least_prefill_s * slower,
            overhead_s=self.overhead_s * float(factors.ttft[0]),
            low_factor=float(factors.low[0]),
            high_factor=float(factors.high[0]),
            basis="measured",
        )


def linear_step_s(base_s: float, sequence_s: float, max_running: int) -> Floats:
    """Step times that grow by ``sequence_s`` with each sequence: what a measurement at two batches tells."""
    return base_s + sequence_s * np.arange(max_running + 1, dtype=np.float64)


def engine_coefficients(
    model: OpenModel,
    accelerator: Accelerator,
    precision: Precision,
    *,
    tensor_parallel: int = 1,
    request_tokens: float = DEFAULT_REQUEST_TOKENS,
    chunk_tokens: int = roofline.CHUNK_TOKENS,
    max_running: int = int(MAX_RUNNING),
) -> EngineCoefficients:
    """The coefficients of ``model`` on ``tensor_parallel`` accelerators, with the planner's constants.

    Step times are the roofline's for each batch, and prefill its parabola in the length, so both agree with it.
    ``request_tokens`` (mean input and output) is where the cache of sliding-window layers is taken as linear.

    Raises:
        NothingFits: the deployment cannot run; the message says why.
    """
    index = np.zeros(1, dtype=np.int64)
    where = {"model": index, "accelerator": index, "precision": index}
    split = whole_replicas(**where, tensor_parallel=np.array([tensor_parallel]))
    deployed = deployments([model], [accelerator], [precision], split)
    tokens = np.array([max(request_tokens, 1.0)])
    room = batching.kv_limited_batch(deployed, tokens)
    _refuse(deployed, room, f"{model.name} {precision.name} on {tensor_parallel} {accelerator.name}")
    fitted = online_efficiencies(deployed.is_moe, HOST_US_PER_SEQ)
    band = serving_classes()["online-moe" if deployed.is_moe[0] else "online-dense"].throughput
    linear_s, squared_s = _prefill_parabola(deployed, tokens, fitted)
    read_s = deployed.weight_bytes_per_gpu / (deployed.bandwidth_bytes_per_s * fitted.mbu)
    return EngineCoefficients(
        step_s=_step_s(deployed, fitted, max_running),
        context_s_per_token=_context_s_per_token(deployed, tokens, fitted),
        prefill_s_per_token=linear_s,
        attention_s_per_token2=squared_s,
        least_prefill_s=float(read_s[0]),
        overhead_s=float(np.ravel(online_waiting(deployed.is_moe).base_ms)[0]) * 1e-3,
        chunk_tokens=chunk_tokens,
        kv_tokens=int(room[0] * tokens[0]),
        weight_bytes=float(deployed.weight_bytes[0]),
        low_factor=band.low_factor,
        high_factor=band.high_factor,
    )


def _refuse(deployed: Deployments, room: Floats, what: str) -> None:
    reasons = (
        (deployed.peak_flops_per_s[0] <= 0, REFUSALS[1]),
        (deployed.attention_heads[0] % deployed.tensor_parallel[0] != 0, REFUSALS[2]),
        (room[0] <= 0, REFUSALS[4]),
        (room[0] < 1, REFUSALS[5]),
    )
    for applies, reason in reasons:
        if applies:
            raise NothingFits(f"{what} cannot run", cause=reason, hint="another precision, GPU or tensor_parallel")


def _step_s(deployed: Deployments, fitted: roofline.Efficiencies, max_running: int) -> Floats:
    """Seconds of a step by number of decoding sequences, their context aside; with none, the launches of a prefill."""
    batches = np.arange(max_running + 1, dtype=np.float64)
    step_s = np.array(roofline.decode_step_s(deployed, batches, np.zeros(1), fitted))
    step_s[0] = float(roofline.launch_s(deployed, fitted)[0])
    return step_s


def _context_s_per_token(deployed: Deployments, tokens: Floats, fitted: roofline.Efficiencies) -> float:
    one = np.ones(1)
    full = roofline.decode_step_s(deployed, one, tokens, fitted)
    return float(((full - roofline.decode_step_s(deployed, one, np.zeros(1), fitted)) / tokens)[0])


def _prefill_parabola(deployed: Deployments, tokens: Floats, fitted: roofline.Efficiencies) -> tuple[float, float]:
    """Linear and square coefficient of the prefill time, which is a parabola through 0, from two lengths."""
    once, twice = (float(roofline.prefill_s(deployed, tokens * k, fitted)[0]) for k in (1, 2))
    length = float(tokens[0])
    squared = (twice - 2 * once) / (2 * length**2)
    return once / length - squared * length, squared
