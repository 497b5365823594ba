"""The replay against a second one, written from its description alone: seconds, lists, one sequence after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.serving.engine import Admission, EngineCoefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import simulate
from serving.fleets import Requests, engine, made_up

ODD = np.pi / 3
"""Makes step times odd, so that no step ends on the microsecond at which a request arrives, where rounding decides."""


@dataclass
class Sequence:
    row: int
    arrival_s: float
    input: int
    output: int
    prompt: int
    prefilled: int = 0
    written: int = 0
    first_s: float = 0.0


@dataclass
class Slowly:
    """What the second replay tells."""

    ttft_s: list[float]
    e2e_s: list[float]
    preemptions: int = 0
    prefilled_tokens: int = 0


def held(each: Sequence, at: EngineCoefficients, more: int = 0) -> int:
    """Tokens of room that a running sequence takes, or would take with ``more`` tokens in the cache."""
    if at.admission == "whole":
        return each.input + each.output
    cached = each.prompt if each.prefilled < each.prompt else each.input + each.written - 1
    return -(-(cached + more) // 16) * 16


def evict(running: list[Sequence], waiting: list[Sequence], at: EngineCoefficients, room: int) -> int:
    """The last ones go until all that decode have room for a token more; gives how many went."""
    gone = 0
    while sum(held(each, at, int(each.prefilled == each.prompt)) for each in running) > room:
        last = running.pop()
        last.prompt, last.prefilled = last.input + last.written, 0
        waiting.insert(0, last)
        gone += 1
    return gone


def slowly(requests: Requests, at: EngineCoefficients) -> Slowly:
    """Each request on one replica."""
    columns = (column.tolist() for column in requests)
    waiting = [Sequence(row, *values, prompt=values[1]) for row, values in enumerate(zip(*columns, strict=True))]
    running: list[Sequence] = []
    told = Slowly([0.0] * len(waiting), [0.0] * len(waiting))
    room = at.kv_tokens if at.admission == "whole" else at.kv_tokens // 16 * 16
    now_s = 0.0
    while waiting or running:
        if not running:
            now_s = max(now_s, waiting[0].arrival_s)
        told.preemptions += evict(running, waiting, at, room) if at.admission == "blocks" else 0
        decoding = [each for each in running if each.prefilled == each.prompt]
        work_s, budget = 0.0, max(at.chunk_tokens - len(decoding), 1)
        taken = sum(held(each, at, int(each in decoding)) for each in running)
        prefilling = [each for each in running if each.prefilled < each.prompt]
        while waiting and waiting[0].arrival_s <= now_s and len(running) < at.max_running:
            left = sum(each.prompt - each.prefilled for each in prefilling)
            taken += held(waiting[0], at)
            if taken > room or left >= budget:
                break
            running.append(waiting.pop(0))
            prefilling.append(running[-1])
        for each in prefilling:
            chunk = min(each.prompt - each.prefilled, budget)
            work_s += at.prefill_s_per_token * chunk
            work_s += at.attention_s_per_token2 * ((each.prefilled + chunk) ** 2 - each.prefilled**2)
            each.prefilled += chunk
            budget -= chunk
            told.prefilled_tokens += chunk
        context = sum(each.input + each.written for each in decoding)
        step_s = at.step_s[len(decoding)] + at.context_s_per_token * context
        now_s += step_s + (work_s if decoding else max(work_s, at.least_prefill_s))
        for each in decoding + [each for each in prefilling if each.prefilled == each.prompt]:
            each.first_s = each.first_s or now_s
            each.written += 1
            if each.written == each.output:
                running.remove(each)
                told.ttft_s[each.row], told.e2e_s[each.row] = each.first_s - each.arrival_s, now_s - each.arrival_s
    return told


def a_chunk_a_cache_and_a_batch(chunk: int, kv: int, batch: int, admission: Admission) -> EngineCoefficients:
    steps = ODD * engine().step_s[: batch + 1]
    return engine(chunk_tokens=chunk, kv_tokens=kv, step_s=steps, admission=admission)


@given(
    made_up(most=25, span_s=3.0, tokens=150),
    st.builds(
        a_chunk_a_cache_and_a_batch,
        st.sampled_from((16, 64, 500)),
        st.sampled_from((304, 450, 800, 5_000)),
        st.integers(1, 8),
        st.sampled_from(("blocks", "whole")),
    ),
)
def test_a_second_replay_gives_the_same_latencies(requests: Requests, at: EngineCoefficients) -> None:
    told = slowly(requests, at)
    result = simulate(*requests, at, Fleet(), keep_requests=True)
    np.testing.assert_allclose(result.ttft_s, told.ttft_s, rtol=1e-4)
    np.testing.assert_allclose(result.e2e_s, told.e2e_s, rtol=1e-4)
    assert result.preemptions == told.preemptions
    assert result.input_tokens + result.recomputed_tokens == told.prefilled_tokens


def test_replicas_in_turn_are_replicas_apart() -> None:
    draw = np.random.default_rng(21)
    requests = Requests(np.sort(draw.uniform(0, 20, 90)), draw.integers(1, 300, 90), draw.integers(1, 90, 90))
    together = simulate(*requests, engine(), Fleet(replicas=3, dispatch="round_robin"), keep_requests=True)
    for replica in range(3):
        alone = simulate(*(column[replica::3] for column in requests), engine(), Fleet(), keep_requests=True)
        assert together.e2e_s[replica::3] == pytest.approx(alone.e2e_s, rel=1e-9)


def test_the_least_loaded_replica_is_taken() -> None:
    together = Requests(np.zeros(4), np.array([500, 10, 10, 10]), np.array([200, 2, 2, 2]))
    later = Requests(np.append(together.arrivals_s, 1.0), np.append(together.input_tokens, 10), np.full(5, 2))
    later.output_tokens[0] = 200
    result = simulate(*later, engine(), Fleet(replicas=2), keep_requests=True)
    alone = simulate(*(column[1:2] for column in later), engine(), Fleet(), keep_requests=True)
    assert result.ttft_s[4] == pytest.approx(alone.ttft_s[0])  # the replica without the long request
