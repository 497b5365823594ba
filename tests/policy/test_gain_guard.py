"""A policy that lost money rests; one that saves goes on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.gain_guard import GainGuard, GuardRule

RULE = GuardRule(rows=4, least_rows=3, probation_rows=1, first_rest_s=10, longest_rest_s=30)


def observed(*saved: int, at_s: float = 0.0) -> GainGuard:
    guard = GainGuard(RULE)
    for each in saved:
        guard.observe(each, at_s)
    return guard


def test_a_loss_is_judged_when_there_are_enough_rows() -> None:
    assert not observed(-5, -5).rests(0)
    assert observed(-5, -5, -5).rests(0)
    assert not observed(-5, -5, 10).rests(0)
    assert observed(-5, -5, 9).rests(0)


def test_only_the_last_rows_count() -> None:
    assert not observed(100, -1, -1, -1).rests(0)
    assert observed(100, -1, -1, -1, -1).rests(0)


def test_a_rest_ends_and_the_next_one_is_longer() -> None:
    guard = observed(-5, -5, -5, at_s=100)
    assert [guard.rests(at_s) for at_s in (100, 109.9, 110)] == [True, True, False]
    for begins_s, lasts_s in ((110, 20), (130, 30), (160, 30)):
        guard.observe(-1, begins_s)  # one row is enough after a rest
        assert guard.rests(begins_s + lasts_s - 0.1)
        assert not guard.rests(begins_s + lasts_s)


def test_a_gain_after_a_rest_makes_all_as_it_was() -> None:
    guard = observed(-5, -5, -5)
    guard.observe(1, 10)
    guard.observe(-1, 10)
    assert not guard.rests(10)
    guard.observe(-1, 10)
    assert guard.rests(19)
    assert not guard.rests(20)


@given(st.lists(st.integers(0, 100)))
def test_what_never_loses_never_rests(saved: list[int]) -> None:
    assert not observed(*saved).rests(0)


@given(st.lists(st.integers(-100, 100), max_size=200))
def test_what_is_lost_between_rests_is_bounded(saved: list[int]) -> None:
    guard = GainGuard(RULE)
    lost_nano_usd = [0]
    for each in saved:
        if guard.rests(0):
            break
        guard.observe(each, 0)
        lost_nano_usd.append(lost_nano_usd[-1] + each)
    assert min(lost_nano_usd) >= -100 * (RULE.least_rows + RULE.rows)
