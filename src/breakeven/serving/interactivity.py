"""Speed for one user against throughput for all: what a replica trades as more requests run at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from breakeven.catalog.accelerators import Accelerator
from breakeven.catalog.evidence import Basis
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision
from breakeven.errors import NothingFits
from breakeven.serving import batching
from breakeven.serving.capacity import MAX_RUNNING, REFUSALS, ReplicaIndex
from breakeven.serving.constants import HOST_US_PER_SEQ, online_efficiencies, online_waiting, serving_classes
from breakeven.serving.corrections import Corrections
from breakeven.serving.deployment import Deployments, Floats, deployments, whole_replicas

_STEPS_PER_DOUBLING: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractivityCurve:
    """A replica at growing numbers of running requests; columns of equal length.

    ``tokens_per_s_per_user`` is the speed at which one answer is written, 1 / TPOT; ``output_tokens_per_s`` what all of
    them get together. ``low_factor`` and ``high_factor`` bound 80% of measured over modelled throughput.
    """

    model: str
    accelerator: str
    precision: str
    tensor_parallel: int
    input_tokens: float
    output_tokens: float
    concurrency: Floats
    tokens_per_s_per_user: Floats
    output_tokens_per_s: Floats
    ttft_s: Floats
    low_factor: float
    high_factor: float
    basis: Basis


def interactivity_curve(
    model: OpenModel,
    accelerator: Accelerator,
    precision: Precision,
    *,
    tensor_parallel: int,
    tokens: tuple[float, float],
    corrections: Corrections | None = None,
) -> InteractivityCurve:
    """The trade of one replica, from one running request to as many as its cache holds.

    Args:
        model: what is served.
        accelerator: where.
        precision: in which format.
        tensor_parallel: over how many accelerators.
        tokens: input and output tokens of a request.
        corrections: what measurements of the deployment say.

    Raises:
        NothingFits: the replica cannot run; the cause says why.
    """
    known = [model], [accelerator], [precision]
    one = _copies(1, tensor_parallel)
    factors = (corrections or Corrections()).of_replicas(*known, **one)
    room = _room(deployments(*known, whole_replicas(**one)), sum(tokens), f"{model.name} {precision.name}")
    clients = _clients(room)
    many = deployments(*known, whole_replicas(**_copies(len(clients), tensor_parallel)))
    state = batching.closed_loop(
        many,
        clients,
        np.full_like(clients, tokens[0]),
        np.full_like(clients, tokens[1]),
        online_efficiencies(many.is_moe, HOST_US_PER_SEQ),
        online_waiting(many.is_moe),
    )
    state = replace(state, ttft_s=state.ttft_s * factors.ttft[0], tpot_s=state.tpot_s * factors.tpot[0])
    band = serving_classes()["online-moe" if model.is_moe else "online-dense"].throughput
    measured = bool(factors.is_measured[0])
    return InteractivityCurve(
        model=model.name,
        accelerator=accelerator.name,
        precision=precision.name,
        tensor_parallel=tensor_parallel,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        concurrency=clients,
        tokens_per_s_per_user=1 / state.tpot_s,
        output_tokens_per_s=batching.closed_loop_tokens_per_s(state, clients, np.full_like(clients, tokens[1])),
        ttft_s=state.ttft_s,
        low_factor=float(factors.low[0]) if measured else band.low_factor,
        high_factor=float(factors.high[0]) if measured else band.high_factor,
        basis="measured" if measured else "modelled",
    )


def _copies(rows: int, tensor_parallel: int) -> ReplicaIndex:
    """The same replica so many times."""
    first = np.zeros(rows, dtype=np.int64)
    return {"model": first, "accelerator": first, "precision": first, "tensor_parallel": first + tensor_parallel}


def _room(single: Deployments, tokens: float, what: str) -> int:
    """Requests of so many tokens that fit at once.

    Raises:
        NothingFits: none does.
    """
    room = float(batching.kv_limited_batch(single, np.array([tokens]))[0])
    reasons = (
        (single.peak_flops_per_s[0] <= 0, REFUSALS[1]),
        (single.attention_heads[0] % single.tensor_parallel[0] != 0, REFUSALS[2]),
        (single.context_window_tokens[0] < tokens, REFUSALS[3]),
        (room <= 0, REFUSALS[4]),
        (room < 1, REFUSALS[5]),
    )
    for applies, reason in reasons:
        if applies:
            raise NothingFits(f"{what} cannot run", cause=reason, hint="another --precision, --gpu or --tp")
    return int(min(room, MAX_RUNNING))


def _clients(most: int) -> Floats:
    """1, 2, 3, 4, 6, 8, ... up to the most, each once."""
    doublings = np.arange(0, np.log2(most) + 1e-9, 1 / _STEPS_PER_DOUBLING)
    return np.unique(np.append(np.round(2**doublings), most)).astype(np.float64)
