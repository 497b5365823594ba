from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.breaker import Breaker, BreakerRule

RULE = BreakerRule(failures_frac=0.5, min_requests=4, window_s=30.0, open_s=5.0, max_open_s=12.0)


def opened(at_s: float = 0.0) -> Breaker:
    breaker = Breaker(RULE)
    for _ in range(4):
        breaker.record(at_s, failed=True)
    return breaker


def test_it_opens_where_enough_requests_failed_and_not_before() -> None:
    breaker = Breaker(RULE)
    for _ in range(3):
        breaker.record(0.0, failed=True)
    assert breaker.state(0.0) == "closed"
    breaker.record(0.0, failed=True)
    assert breaker.state(0.0) == "open"
    assert breaker.state(4.9) == "open"
    assert breaker.state(5.0) == "half_open"


def test_it_stays_closed_below_the_share() -> None:
    breaker = Breaker(RULE)
    for number in range(400):
        breaker.record(number / 10, failed=number % 5 == 0)
        assert breaker.state(number / 10) == "closed"


def test_one_request_tries_a_half_open_one_and_its_success_closes_it() -> None:
    breaker = opened()
    breaker.begin(6.0)
    assert breaker.state(6.0) == "open", "the trial is under way"
    breaker.record(6.5, failed=False)
    assert breaker.state(6.5) == "closed"
    breaker.record(6.5, failed=True)
    assert breaker.state(6.5) == "closed", "old failures are forgotten"


def test_each_trial_that_fails_doubles_the_time_up_to_the_most() -> None:
    breaker, now_s, waits = opened(), 0.0, []
    for _ in range(3):
        began_s = now_s
        while breaker.state(now_s) == "open":
            now_s += 0.5
        waits.append(now_s - began_s)
        breaker.begin(now_s)
        breaker.record(now_s, failed=True)
    assert waits == [5.0, 10.0, 12.0]


def test_a_trial_that_never_reports_is_forgotten() -> None:
    breaker = opened()
    breaker.begin(6.0)
    assert breaker.state(10.9) == "open"
    assert breaker.state(11.0) == "half_open"


@pytest.mark.parametrize("failed", [True, False])
def test_what_ends_while_it_is_open_changes_nothing(failed: bool) -> None:
    breaker = opened()
    for _ in range(20):
        breaker.record(1.0, failed=failed)
    assert breaker.state(1.0) == "open"
    assert breaker.state(5.0) == "half_open"


def test_failures_older_than_the_window_do_not_count() -> None:
    breaker = Breaker(RULE)
    for _ in range(3):
        breaker.record(0.0, failed=True)
    breaker.record(30.0, failed=True)
    assert breaker.state(30.0) == "closed"


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans()), max_size=200))
def test_it_opens_only_after_a_failure_with_enough_failures_in_the_window(outcomes: list[tuple[float, bool]]) -> None:
    breaker, now_s, seen = Breaker(RULE), 0.0, list[tuple[float, bool]]()
    for gap, failed in outcomes:
        now_s += gap
        breaker.record(now_s, failed=failed)
        seen.append((now_s, failed))
        if breaker.state(now_s) != "closed":
            recent = [bad for at_s, bad in seen if at_s > now_s - RULE.window_s]
            assert failed
            assert len(recent) >= RULE.min_requests
            return
