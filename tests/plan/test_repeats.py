"""What a cache of answers and single flight make of a trace: laws that hold of any trace, and figures of a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from breakeven.plan.repeats import (
    FOR_EVER_S,
    Repeats,
    duplicates,
    durations_s,
    repeated_prefix_fracs,
    replay_repeats,
)
from breakeven.workload.request_identity import NO_CONTENT
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace

Asked = list[tuple[int, int]]
"""Requests as pairs of content and seconds since the one before."""

asked = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=40)


def columns(requests: Asked) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Contents, arrivals, and durations, which are one per content: the same question takes the same time."""
    contents = np.array([content for content, _ in requests], dtype=np.int64)
    arrivals = np.cumsum([gap for _, gap in requests]).astype(np.float64)
    return contents, arrivals, contents * 3.0


def replayed(requests: Asked, ttl_s: float) -> Repeats:
    return replay_repeats(*columns(requests), ttl_s)


@given(asked, st.sampled_from([0.0, 1.0, 20.0, FOR_EVER_S]), st.integers(1, 10**12))
def test_what_contents_are_called_makes_no_difference(requests: Asked, ttl_s: float, shift: int) -> None:
    contents, arrivals, took = columns(requests)
    names = np.where(contents == NO_CONTENT, NO_CONTENT, contents * -7 - shift)
    before, after = (replay_repeats(called, arrivals, took, ttl_s) for called in (contents, names))
    assert np.array_equal(before.remembered, after.remembered)
    assert np.array_equal(before.joined, after.joined)
    assert np.array_equal(duplicates(contents), duplicates(names))


@given(asked)
def test_an_answer_kept_for_ever_serves_every_duplicate(requests: Asked) -> None:
    assert np.array_equal(replayed(requests, FOR_EVER_S).hits, duplicates(columns(requests)[0]))


@given(asked, st.floats(0, 200), st.floats(0, 200))
def test_a_longer_life_serves_no_less(requests: Asked, one_s: float, other_s: float) -> None:
    short, long = sorted((one_s, other_s))
    assert replayed(requests, short).hits.sum() <= replayed(requests, long).hits.sum()


@given(asked, st.floats(0, 200))
def test_single_flight_alone_serves_no_more_than_with_a_cache(requests: Asked, ttl_s: float) -> None:
    alone = replayed(requests, 0.0)
    assert not alone.remembered.any()
    assert alone.hits.sum() <= replayed(requests, ttl_s).hits.sum()


@given(asked, st.floats(0, 200))
def test_nobody_is_answered_who_did_not_ask_what_was_asked_before(requests: Asked, ttl_s: float) -> None:
    found = replayed(requests, ttl_s)
    assert not (found.remembered & found.joined).any()
    assert not (found.hits & ~duplicates(columns(requests)[0])).any()


def test_an_answer_lives_from_its_end_and_no_hit_prolongs_it() -> None:
    arrivals = np.array([0, 1, 2, 3, 11, 12, 13, 14], dtype=np.float64)
    found = replay_repeats(np.full(8, 5), arrivals, np.full(8, 2.0), ttl_s=10.0)
    assert found.joined.tolist() == [False, True, False, False, False, False, True, False]
    assert found.remembered.tolist() == [False, False, True, True, True, False, False, True]


def test_without_a_duration_the_answers_tokens_tell_it() -> None:
    trace = Trace(
        name="t",
        format_name="f",
        arrivals_s=np.arange(2.0),
        input_tokens=np.array([1, 1]),
        output_tokens=np.array([50, 100]),
        durations_s=np.array([np.nan, 7.0]),
    )
    assert durations_s(trace).tolist() == [1.5, 7.0]


def naive_prefix_frac(trace: Trace, ttl_s: float, min_tokens: int) -> float:
    assert trace.blocks is not None
    last: dict[int, float] = {}
    reused = 0
    for row, now_s in enumerate(trace.arrivals_s.tolist()):
        blocks = trace.blocks.of(row)
        leading = 0
        while leading < len(blocks) and now_s - last.get(blocks[leading], -np.inf) <= ttl_s and blocks[leading] in last:
            leading += 1
        tokens = min(leading * trace.blocks.block_tokens, int(trace.input_tokens[row]))
        reused += tokens if tokens >= min_tokens else 0
        last.update(dict.fromkeys(blocks, now_s))
    return reused / int(trace.input_tokens.sum())


@pytest.mark.parametrize("min_tokens", [0, 1_024])
@pytest.mark.parametrize("ttl_s", [60.0, 300.0, FOR_EVER_S])
def test_prefix_reuse_is_that_of_a_plain_walk(shared_data: Path, ttl_s: float, min_tokens: int) -> None:
    trace = read_trace(shared_data / "traces/mooncake_conversation.jsonl", keep_blocks=True)
    assert trace.blocks is not None
    (told,) = repeated_prefix_fracs(trace, trace.blocks, [ttl_s], min_tokens)
    assert told == pytest.approx(naive_prefix_frac(trace, ttl_s, min_tokens), abs=1e-12)
    if ttl_s == FOR_EVER_S and not min_tokens:
        assert told == pytest.approx(trace.prefix_reuse_frac)


def test_the_duplicates_of_a_real_trace(shared_data: Path) -> None:
    """0.98% of the requests and 0.66% of the input tokens repeat exactly, as counted apart from this code."""
    trace = read_trace(shared_data / "traces/mooncake_conversation.jsonl")
    assert trace.contents is not None
    again = duplicates(trace.contents)
    assert int(again.sum()) == 118
    assert round(trace.input_tokens[again].sum() / trace.input_tokens.sum(), 4) == 0.0066
