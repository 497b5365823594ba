"""The first state of a replay: an engine and a fleet, their seconds turned into ticks."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import numpy as np

from breakeven.errors import InputError
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.engine import EngineCoefficients
from breakeven.serving.fleet import Fleet, Spill
from breakeven.serving.replay_state import (
    BLOCK_TOKENS,
    BY_KV,
    BY_QUEUE,
    BY_SCHEDULE,
    FIRST_BIN_SHIFT,
    FIXED,
    LEAST_OUTSTANDING,
    MOST_RUNNING,
    MOST_SPAN_S,
    NEVER,
    NONE,
    ROUND_ROBIN,
    TICKS_PER_S,
    Ints,
    State,
    records,
)

_DISPATCH: Final = {"round_robin": ROUND_ROBIN, "least_outstanding": LEAST_OUTSTANDING}
_POLICY: Final = {"queue": BY_QUEUE, "kv": BY_KV, "schedule": BY_SCHEDULE}


def ticks(seconds: float) -> int:
    """Whole ticks of a time."""
    return round(seconds * TICKS_PER_S)


def new_state(engine: EngineCoefficients, fleet: Fleet, starts_at_clock_s: float, *, skips: bool) -> Any:
    """The record of a replay in which nothing has happened yet.

    Raises:
        InputError: no replica at all, or an engine that runs more sequences at once than can be replayed, or whose
            steps take no time.
    """
    if fleet.most_replicas < (fleet.spill is None):
        raise InputError("a fleet needs at least one replica", hint="replicas = 1")
    if not 1 <= engine.max_running <= MOST_RUNNING:
        raise InputError(f"an engine runs 1 to {MOST_RUNNING} sequences at once", cause=f"{engine.max_running} stated")
    if not _is_sound(engine):
        raise InputError("an engine's steps must take time, and never a negative one", hint="check its coefficients")
    state = records(State, 1)[0]
    values = {**_engine_values(engine), **_fleet_values(fleet, engine)}
    values |= {"skips": int(skips), "clock_start": ticks(starts_at_clock_s), "bin_shift": FIRST_BIN_SHIFT}
    for name, value in values.items():
        setattr(state, name, value)
    state.step[: engine.max_running + 1] = [ticks(seconds) for seconds in engine.step_s.tolist()]
    if fleet.autoscaling is not None and fleet.autoscaling.hourly_replicas:
        state.hourly[:] = fleet.autoscaling.hourly_replicas
    return state


def _is_sound(engine: EngineCoefficients) -> bool:
    """Whether all times are finite and not negative, and every step with a sequence or a token takes some."""
    times = (
        *engine.step_s.tolist(),
        engine.context_s_per_token,
        engine.prefill_s_per_token,
        engine.attention_s_per_token2,
        engine.least_prefill_s,
        engine.overhead_s,
    )
    whole = engine.chunk_tokens >= 1 and engine.longest_request_tokens >= 1
    return whole and all(isfinite(each) and each >= 0 for each in times) and min(map(ticks, engine.step_s[1:])) > 0


def _engine_values(engine: EngineCoefficients) -> dict[str, float]:
    grows = engine.admission == "blocks"
    return {
        "context_token": ticks(engine.context_s_per_token),
        "prefill_token": engine.prefill_s_per_token * TICKS_PER_S,
        "attention_token2": engine.attention_s_per_token2 * TICKS_PER_S,
        "least_prefill": ticks(engine.least_prefill_s),
        "overhead": ticks(engine.overhead_s),
        "chunk_tokens": engine.chunk_tokens,
        "kv_tokens": engine.kv_tokens,
        "longest": engine.longest_request_tokens,
        "grows": int(grows),
        "room": engine.kv_tokens // BLOCK_TOKENS if grows else engine.kv_tokens,
        "max_running": engine.max_running,
    }


def _fleet_values(fleet: Fleet, engine: EngineCoefficients) -> dict[str, float]:
    scaling = fleet.autoscaling
    values: dict[str, float] = {
        "dispatch": _DISPATCH[fleet.dispatch],
        "slo_ttft": ticks(fleet.slo.ttft_s),
        "slo_tpot": fleet.slo.tpot_s * TICKS_PER_S,
        "kept_replicas": fleet.interruptions.kept_replicas,
        "cold_start": ticks(fleet.cold_start.whole_s(engine.weight_bytes)),
        "unbilled": ticks(fleet.cold_start.provision_s),
        **_spill_values(fleet.spill),
    }
    if scaling is None:
        return {**values, "policy": FIXED, "least": fleet.replicas}
    return {**values, **_scaling_values(scaling)}


def _spill_values(spill: Spill | None) -> dict[str, float]:
    latency = None if spill is None else spill.latency
    return {
        "spill_above": NEVER if spill is None else min(spill.above_requests_per_replica, NEVER - 1),
        "api_ttft": NONE if latency is None else ticks(latency.ttft_s),
        "api_tpot": NONE if latency is None else latency.tpot_s * TICKS_PER_S,
    }


def _scaling_values(scaling: Autoscaling) -> dict[str, float]:
    if scaling.policy == "schedule" and len(scaling.hourly_replicas) != 24:
        raise InputError("a scheduled policy needs 24 hourly_replicas", cause=f"got {len(scaling.hourly_replicas)}")
    if not 0 <= scaling.min_replicas <= scaling.max_replicas:
        raise InputError("min_replicas must be between 0 and max_replicas")
    return {
        "policy": _POLICY[scaling.policy],
        "least": scaling.min_replicas,
        "target": scaling.target_kv_frac if scaling.policy == "kv" else scaling.target_queue_per_replica,
        "interval": ticks(scaling.interval_s),
        "cooldown": ticks(scaling.cooldown_s),
    }


def loss_columns(fleet: Fleet) -> Ints:
    """The fleet's interruptions as the loop reads them: ticks, replicas, notice or loss, shape (3, m), in order.

    Raises:
        InputError: a time or a place that cannot be, or more replicas kept than are always there.
    """
    told = fleet.interruptions
    at_s, places = np.array(told.at_s, dtype=np.float64), np.array(told.places, dtype=np.int64) + told.kept_replicas
    if not 0 <= told.kept_replicas <= fleet.least_replicas:
        raise InputError(f"{told.kept_replicas} replicas are kept of {fleet.least_replicas} that are always there")
    if at_s.shape != places.shape or not ((at_s >= 0) & (at_s <= MOST_SPAN_S)).all() or (np.diff(at_s) < 0).any():
        raise InputError("interruptions need a replica and a time each, in order, within 194 days")
    if len(places) and not told.kept_replicas <= places.min() <= places.max() < fleet.most_replicas:
        raise InputError(f"an interruption of a replica that is not one of the {fleet.most_replicas}")
    losses = np.stack([np.rint(at_s * TICKS_PER_S).astype(np.int64), places, np.zeros_like(places)])
    if not told.notice_s:
        return losses
    notices = np.stack([np.maximum(losses[0] - ticks(told.notice_s), 0), places, np.ones_like(places)])
    both = np.concatenate([notices, losses], axis=1)
    return np.ascontiguousarray(both[:, np.argsort(both[0], kind="stable")])
