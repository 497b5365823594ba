"""The replay conserves tokens, agrees with the closed form, and does not depend on how it is computed."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven import serving
from breakeven.errors import InputError
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.engine import linear_step_s
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation import simulate
from serving.fleets import Requests, engine, facts, in_pieces, made_up, whole

SOON = ColdStart(provision_s=0.2, pull_s=0.1, compile_s=0.1, bandwidth_bytes_per_s=1e9)
QUEUE = Autoscaling(
    policy="queue",
    max_replicas=3,
    min_replicas=0,
    target_queue_per_replica=4,
    interval_s=0.25,
    cooldown_s=0.5,
    cold_start=SOON,
)
KV = Autoscaling(policy="kv", max_replicas=3, target_kv_frac=0.5, interval_s=0.5, cooldown_s=1.0, cold_start=SOON)
BY_HOUR = Autoscaling(policy="schedule", max_replicas=2, hourly_replicas=(1, 2) * 12, cold_start=SOON)

fleets = st.one_of(
    st.builds(Fleet, replicas=st.integers(1, 4), dispatch=st.sampled_from(("round_robin", "least_outstanding"))),
    st.builds(Fleet, autoscaling=st.sampled_from((QUEUE, KV, BY_HOUR))),
)


@given(made_up(), fleets)
def test_every_request_is_served_once_and_no_token_is_lost(requests: Requests, fleet: Fleet) -> None:
    result = whole(requests, fleet)
    assert result.served_requests == result.requests == len(requests.arrivals_s)
    assert result.input_tokens == requests.input_tokens.sum()
    assert result.output_tokens == requests.output_tokens.sum()
    assert (result.ttft_s > 0).all()
    assert (result.e2e_s >= result.ttft_s).all()
    assert 0 < result.busy_h <= result.replica_h * (1 + 1e-12)


@given(made_up(), fleets)
def test_skipping_over_steps_changes_nothing(requests: Requests, fleet: Fleet) -> None:
    everything = [len(requests.arrivals_s)]
    assert facts(in_pieces(requests, fleet, everything)) == facts(in_pieces(requests, fleet, everything, skips=False))


@given(made_up(), fleets, st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_a_trace_in_pieces_is_the_whole_trace(requests: Requests, fleet: Fleet, sizes: list[int]) -> None:
    assert facts(in_pieces(requests, fleet, sizes)) == facts(whole(requests, fleet))


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_lone_request_takes_what_the_closed_form_says(inputs: int, outputs: int) -> None:
    at = engine()
    result = whole(Requests(np.array([3.0]), np.array([inputs]), np.array([outputs])), Fleet())
    chunks = [min(64, inputs - done) for done in range(0, inputs, 64)]
    work = [at.prefill_s_per_token * k + at.attention_s_per_token2 * k * (128 * n + k) for n, k in enumerate(chunks)]
    ttft_s = sum(max(each, at.least_prefill_s) + at.step_s[0] for each in work)
    steps = sum(at.step_s[1] + at.context_s_per_token * (inputs + 1 + j) for j in range(outputs - 1))
    assert result.ttft_s[0] == pytest.approx(ttft_s, rel=1e-5)
    assert result.e2e_s[0] == pytest.approx(ttft_s + steps, rel=1e-5)
    assert result.mean_wait_s == 0


@given(made_up(most=12, span_s=1.0, tokens=100))
def test_slow_arrivals_do_not_meet(requests: Requests) -> None:
    apart = requests._replace(arrivals_s=np.arange(len(requests.arrivals_s)) * 10.0)
    together = whole(apart, Fleet())
    for row in range(len(requests.arrivals_s)):
        alone = whole(Requests(*(column[row : row + 1] for column in apart)), Fleet())
        assert together.e2e_s[row] == pytest.approx(alone.e2e_s[0], rel=1e-9)


@given(made_up(most=30), st.integers(1, 3))
def test_twice_the_replicas_never_serve_a_request_later_where_they_serve_one_at_a_time(
    requests: Requests, many: int
) -> None:
    """Each of them gets every second request of an old one, and a queue with fewer requests is no longer for any.

    With batches this holds on the whole only, since where a chunk of prefill ends decides who begins in which step.
    """
    serial = {"step_s": linear_step_s(0.010, 0.001, 1), "chunk_tokens": 500}
    few = whole(requests, Fleet(replicas=many, dispatch="round_robin"), **serial)
    more = whole(requests, Fleet(replicas=2 * many, dispatch="round_robin"), **serial)
    assert (more.e2e_s <= few.e2e_s).all()
    assert more.mean_wait_s <= few.mean_wait_s


def test_who_is_admitted_but_not_yet_prefilled_still_waits() -> None:
    together = Requests(np.zeros(3), np.array([64, 64, 64]), np.ones(3, int))
    result = whole(together, Fleet())  # a step prefills 64 tokens, so the three begin one after another
    assert result.mean_wait_s == pytest.approx((0 + result.ttft_s[0] + result.ttft_s[1]) / 3)
    assert result.most_waiting_requests == 3


def test_more_replicas_wait_less_under_load() -> None:
    draw = np.random.default_rng(7)
    requests = Requests(np.sort(draw.uniform(0, 60, 400)), draw.integers(1, 300, 400), draw.integers(1, 200, 400))
    p99 = [whole(requests, Fleet(replicas=many)).ttft.p99_s for many in (1, 2, 4, 8)]
    assert p99 == sorted(p99, reverse=True)
    assert p99[0] > 2 * p99[-1]


def test_percentiles_are_those_of_the_requests() -> None:
    draw = np.random.default_rng(3)
    requests = Requests(np.sort(draw.uniform(0, 99, 900)), draw.integers(1, 300, 900), draw.integers(2, 200, 900))
    result = whole(requests, Fleet(replicas=3))
    tpot_s = (result.e2e_s - result.ttft_s) / (requests.output_tokens - 1)
    for told, kept in ((result.ttft, result.ttft_s), (result.e2e, result.e2e_s), (result.tpot, tpot_s)):
        for name, percent in (("p50_s", 50), ("p90_s", 90), ("p95_s", 95), ("p99_s", 99)):
            ranked = np.percentile(kept, percent, method="inverted_cdf")
            assert getattr(told, name) == pytest.approx(ranked, rel=0.0021)


def test_the_timeline_adds_up() -> None:
    draw = np.random.default_rng(5)
    many = 3_000
    requests = Requests(
        np.sort(draw.uniform(0, 90_000, many)), draw.integers(1, 300, many), draw.integers(1, 200, many)
    )
    result = whole(requests, Fleet(replicas=2))
    line = result.timeline
    lengths = np.full(len(line.replicas), line.bin_s)
    lengths[-1] = result.span_s - line.bin_s * (len(lengths) - 1)
    assert len(lengths) <= 2_048
    assert (line.replicas * lengths).sum() / 3_600 == pytest.approx(result.replica_h)
    assert (line.busy_frac * line.replicas * lengths).sum() / 3_600 == pytest.approx(result.busy_h)
    assert (line.requests_per_s * lengths).sum() == pytest.approx(many)
    assert line.waiting_requests.max() == result.most_waiting_requests


def test_a_request_beyond_the_cache_is_refused_and_told() -> None:
    result = whole(Requests(np.zeros(3), np.array([10, 900, 10]), np.array([5, 101, 5])), Fleet())
    assert (result.requests, result.served_requests, result.refused_requests) == (3, 2, 1)
    assert result.within_slo_frac == pytest.approx(2 / 3)


@pytest.mark.parametrize("arrivals", [[1.0, 0.5], [0.0, np.nan], [0.0, 2e7]])
def test_times_that_cannot_be_replayed_are_refused(arrivals: list[float]) -> None:
    ones = np.ones(2, dtype=np.int64)
    with pytest.raises(InputError):
        simulate(np.array(arrivals), ones, ones, engine(), Fleet())


def test_sums_that_outgrow_a_number_are_carried() -> None:
    many, one_s = 20_000, 0.5
    free = {"prefill_s_per_token": 0.0, "attention_s_per_token2": 0.0, "least_prefill_s": 0.0}
    slow = engine(step_s=linear_step_s(one_s, 0.0, 1), **free)
    ones = np.ones(many, dtype=np.int64)
    result = simulate(np.zeros(many), ones, ones, slow, Fleet())
    assert result.mean_wait_s * many > 2**63 / 2**38
    assert result.mean_wait_s == pytest.approx(one_s * (many - 1) / 2)


def test_many_replicas_are_paid_for_longer_than_one_number_holds() -> None:
    apart_s = 150 * 86_400.0
    requests = Requests(np.array([0.0, apart_s]), np.array([5, 5]), np.array([5, 5]))
    result = whole(requests, Fleet(replicas=40))
    assert result.replica_h == pytest.approx(40 * apart_s / 3_600, rel=1e-6)
    assert result.timeline.replicas == pytest.approx(np.full(len(result.timeline.replicas), 40.0))


@pytest.mark.parametrize("fleet", [Fleet(), Fleet(autoscaling=replace(QUEUE, interval_s=3_600.0, max_replicas=1))])
def test_a_hopeless_overload_is_an_error_not_a_wrong_figure(fleet: Fleet) -> None:
    hundred = np.full(300, 100)
    with pytest.raises(InputError, match="cannot serve"):
        simulate(np.zeros(300), hundred, hundred, engine(step_s=linear_step_s(1e4, 0.0, 1)), fleet)


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_s": linear_step_s(0.0, 0.0, 4)},
        {"step_s": linear_step_s(0.01, 0.0, 2_000)},
        {"context_s_per_token": -1e-9},
        {"prefill_s_per_token": float("nan")},
        {"kv_tokens": 0},
    ],
)
def test_an_engine_without_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        whole(Requests(np.zeros(1), np.ones(1, int), np.ones(1, int)), Fleet(), **wrong)


REPLAY = (
    "compiled",
    "replay_state",
    "replay_ends",
    "replay_cache",
    "replay",
    "replay_scaling",
    "replay_losses",
    "replay_fleet",
    "replay_setup",
    "simulation_result",
    "simulation",
)


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The simulation as it is imported where numba is not installed."""
    importlib.import_module("breakeven.serving.replay_fleet")
    for name in REPLAY:
        monkeypatch.delattr(serving, name)
        monkeypatch.delitem(sys.modules, f"breakeven.serving.{name}")
    with monkeypatch.context() as importing:
        importing.setitem(sys.modules, "numba", None)
        importlib.import_module("breakeven.serving.replay_fleet")
        return importlib.import_module("breakeven.serving.simulation")


EVERY_WAY = (
    Fleet(replicas=2),
    Fleet(replicas=3, dispatch="round_robin"),
    *(Fleet(autoscaling=policy) for policy in (QUEUE, KV, BY_HOUR)),
)


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("fleet", EVERY_WAY, ids=["least", "turn", "queue", "kv", "schedule"])
def test_plain_python_gives_the_same_bits_as_compiled_code(
    fleet: Fleet, skips: bool, without_numba: ModuleType
) -> None:
    draw = np.random.default_rng(11)
    requests = Requests(np.sort(draw.uniform(0, 40, 300)), draw.integers(1, 300, 300), draw.integers(1, 200, 300))
    running = without_numba.Simulation(engine(), fleet, 0.0, 300, skips=skips)
    running.feed(*requests)
    plain = running.finish()
    assert not plain.compiled
    fast = in_pieces(requests, fleet, [300], skips=skips)
    assert fast.compiled == bool(importlib.util.find_spec("numba"))
    assert facts(replace(plain, compiled=True)) == facts(replace(fast, compiled=True))


def test_a_long_queue_gets_more_room_without_numba_too(without_numba: ModuleType) -> None:
    many = 2_500
    requests = Requests(np.zeros(many), np.ones(many, int), np.ones(many, int))
    plain = without_numba.simulate(*requests, engine(), Fleet())
    assert plain.served_requests == many
    assert facts(plain)[-6:] == facts(simulate(*requests, engine(), Fleet()))[-6:]


def test_a_long_trace_merges_its_bins_without_numba_too(without_numba: ModuleType) -> None:
    many = 60
    draw = np.random.default_rng(13)
    requests = Requests(np.sort(draw.uniform(0, 1e5, many)), draw.integers(1, 300, many), draw.integers(1, 200, many))
    for fleet in (Fleet(), Fleet(autoscaling=replace(QUEUE, interval_s=60.0))):
        plain = without_numba.simulate(*requests, engine(), fleet)
        assert facts(plain)[-6:] == facts(simulate(*requests, engine(), fleet))[-6:]
        assert plain.timeline.bin_s == 64
