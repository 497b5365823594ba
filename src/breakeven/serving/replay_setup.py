"""The first state of a replay: an engine and a fleet, their seconds turned into ticks."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

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
    NEVER,
    NONE,
    ROUND_ROBIN,
    TICKS_PER_S,
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
        **_spill_values(fleet.spill),
    }
    if scaling is None:
        return {**values, "policy": FIXED, "least": fleet.replicas}
    return {**values, **_scaling_values(scaling, engine)}


def _spill_values(spill: Spill | None) -> dict[str, float]:
    latency = None if spill is None else spill.latency
    return {
        "spill_above": NEVER if spill is None else min(spill.above_requests_per_replica, NEVER - 1),
        "api_ttft": NONE if latency is None else ticks(latency.ttft_s),
        "api_tpot": NONE if latency is None else latency.tpot_s * TICKS_PER_S,
    }


def _scaling_values(scaling: Autoscaling, engine: EngineCoefficients) -> dict[str, float]:
    if scaling.policy == "schedule" and len(scaling.hourly_replicas) != 24:
        raise InputError("a scheduled policy needs 24 hourly_replicas", cause=f"got {len(scaling.hourly_replicas)}")
    if not 0 <= scaling.min_replicas <= scaling.max_replicas:
        raise InputError("min_replicas must be between 0 and max_replicas")
    cold = scaling.cold_start
    return {
        "policy": _POLICY[scaling.policy],
        "least": scaling.min_replicas,
        "target": scaling.target_kv_frac if scaling.policy == "kv" else scaling.target_queue_per_replica,
        "interval": ticks(scaling.interval_s),
        "cooldown": ticks(scaling.cooldown_s),
        "cold_start": ticks(cold.whole_s(engine.weight_bytes)),
        "unbilled": ticks(cold.provision_s),
    }
