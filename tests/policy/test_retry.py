from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.retry import Outcome, RetryRule, may_retry, retry_wait_s

RULE = RetryRule(most_attempts=4, first_wait_s=1.0, longest_wait_s=3.0)


@pytest.mark.parametrize(
    ("outcome", "free", "paid_twice"),
    [
        (Outcome(sent=False), True, True),
        (Outcome(sent=True), False, True),
        (Outcome(status=429), True, True),
        (Outcome(status=500), True, True),
        (Outcome(status=503), True, True),
        (Outcome(status=529), True, True),
        (Outcome(status=504), False, True),
        (Outcome(status=524), False, True),
        (Outcome(status=200), False, False),
        (Outcome(status=400), False, False),
        (Outcome(status=401), False, False),
        (Outcome(status=404), False, False),
    ],
)
def test_what_may_have_run_is_not_run_again_unless_the_rule_pays_twice(
    outcome: Outcome, free: bool, paid_twice: bool
) -> None:
    assert may_retry(RULE, outcome) is free
    assert may_retry(RetryRule(pay_twice=True), outcome) is paid_twice


@given(st.integers(1, 3), st.floats(0, 1, exclude_max=True), st.floats(0.001, 100))
def test_the_wait_is_drawn_below_a_bound_that_doubles_and_ends_before_the_deadline(
    attempts: int, random_frac: float, left_s: float
) -> None:
    wait_s = retry_wait_s(
        RULE, Outcome(status=503), attempts=attempts, left_s=left_s, random_frac=random_frac, elsewhere=False
    )
    longest_s = {1: 1.0, 2: 2.0, 3: 3.0}[attempts]
    if wait_s is None:
        assert random_frac * longest_s >= left_s
    else:
        assert wait_s == random_frac * longest_s < left_s


def wait_s(outcome: Outcome, attempts: int = 1, left_s: float = 60.0, elsewhere: bool = False) -> float | None:
    return retry_wait_s(RULE, outcome, attempts=attempts, left_s=left_s, random_frac=0.5, elsewhere=elsewhere)


def test_an_upstream_is_left_alone_as_long_as_it_asked() -> None:
    asked = Outcome(status=429, retry_after_s=20.0)
    assert wait_s(asked) == 20.5
    assert wait_s(asked, left_s=20.0) is None
    assert wait_s(asked, elsewhere=True) == 0.0


def test_attempts_end() -> None:
    failed = Outcome(sent=False)
    assert wait_s(failed, attempts=3) is not None
    assert wait_s(failed, attempts=4) is None
    assert wait_s(failed, attempts=4, elsewhere=True) is None
    assert wait_s(failed, left_s=0.0, elsewhere=True) is None
