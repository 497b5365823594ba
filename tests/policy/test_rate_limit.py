from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.rate_limit import RateLimiter
from breakeven.policy.virtual_key import RateLimits

gaps_s = st.lists(st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 90)), max_size=120)


@given(gaps_s, st.integers(1, 20))
def test_no_minute_ever_holds_more_requests_than_the_limit(gaps: list[float], limit: int) -> None:
    limiter, now_s, taken = RateLimiter(RateLimits(requests_per_minute=limit)), 1_000.5, list[float]()
    for gap in gaps:
        now_s += gap
        if limiter.take(1, now_s) is None:
            taken.append(now_s)
    for began_s in taken:
        assert sum(began_s <= then < began_s + 60 for then in taken) <= limit


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 60), st.integers(0, 60)), max_size=80))
def test_no_minute_ever_holds_more_tokens_than_the_limit_though_unused_ones_come_back(
    asked: list[tuple[float, int, int]],
) -> None:
    limiter, now_s, held = RateLimiter(RateLimits(tokens_per_minute=100)), 0.0, list[tuple[float, int]]()
    for gap, tokens, unused in asked:
        now_s += gap
        if limiter.take(tokens, now_s) is None:
            used = max(tokens - unused, 0)
            limiter.give_back(tokens, used, now_s)
            held.append((now_s, used))
    for began_s, _ in held:
        assert sum(used for then, used in held if began_s <= then < began_s + 60) <= 100


@given(gaps_s, st.integers(1, 5), st.integers(1, 40))
def test_the_wait_that_a_refusal_states_is_enough_and_at_most_a_second_too_long(
    gaps: list[float], requests: int, tokens: int
) -> None:
    limits = RateLimits(requests_per_minute=requests, tokens_per_minute=100)
    limiter, now_s, taken = RateLimiter(limits), 7.25, list[float]()
    for gap in gaps:
        now_s += gap
        refused = limiter.take(tokens, now_s)
        if refused is None:
            taken.append(now_s)
            continue
        assert 0 < refused.wait_s <= 61
        then_s = now_s + refused.wait_s
        if refused.limit == "requests":
            assert sum(at_s > then_s - 62 for at_s in taken) >= requests, "it could have been let through earlier"
            assert RateLimiter.take(limiter, 0, then_s) is None
            taken.append(then_s)
            now_s = then_s


def test_the_whole_limit_may_be_used_at_once_and_comes_back_after_a_minute() -> None:
    limiter = RateLimiter(RateLimits(requests_per_minute=3))
    assert [limiter.take(1, 10.0) for _ in range(3)] == [None] * 3
    refused = limiter.take(1, 10.0)
    assert refused is not None
    assert (refused.limit, refused.wait_s) == ("requests", 61.0)
    assert limiter.take(1, 70.9) is not None
    assert limiter.take(1, 71.0) is None


def test_a_refused_request_takes_nothing() -> None:
    limiter = RateLimiter(RateLimits(requests_per_minute=10, tokens_per_minute=100, parallel_requests=1))
    for _ in range(50):
        assert limiter.take(101, 0.0) is not None
    assert limiter.take(100, 0.0) is None
    assert limiter.parallel == 1


def test_more_tokens_than_the_limit_never_fit() -> None:
    refused = RateLimiter(RateLimits(tokens_per_minute=100)).take(101, 0.0)
    assert refused is not None
    assert refused.wait_s == math.inf


def test_unused_tokens_are_free_at_once() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=100))
    assert limiter.take(100, 0.0) is None
    assert limiter.take(1, 5.0) is not None
    limiter.give_back(100, 40, 0.0)
    assert limiter.take(60, 5.0) is None
    assert limiter.take(1, 5.0) is not None


def test_tokens_given_back_after_their_minute_change_nothing() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=100))
    assert limiter.take(100, 0.0) is None
    assert limiter.take(100, 100.0) is None
    limiter.give_back(100, 0, 0.0)
    assert limiter.take(1, 100.0) is not None


def test_tokens_used_beyond_those_taken_count_as_well() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=100))
    assert limiter.take(0, 0.0) is None
    limiter.give_back(0, 100, 0.0)
    assert limiter.take(1, 1.0) is not None


def test_requests_at_once_are_counted_until_they_end() -> None:
    limiter = RateLimiter(RateLimits(parallel_requests=2))
    assert [limiter.take(1, 0.0) for _ in range(2)] == [None, None]
    refused = limiter.take(1, 0.0)
    assert refused is not None
    assert refused.limit == "parallel"
    limiter.give_back(1, 1, 0.0)
    assert limiter.take(1, 0.0) is None


def test_nothing_is_kept_of_a_key_without_limits() -> None:
    limiter = RateLimiter(RateLimits())
    assert all(limiter.take(10**9, float(second)) is None for second in range(1_000))
