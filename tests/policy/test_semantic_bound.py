"""The bound on wrong answers: what it promises holds at all looks at once, by simulation with fixed seeds."""

from __future__ import annotations

from math import comb
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.semantic_bound import (
    CONFIDENCE,
    Evidence,
    after,
    clears,
    least_comparisons,
    upper_bound,
)

RUNS = 300
COUNTS = st.tuples(st.integers(0, 5_000), st.integers(0, 40)).map(lambda pair: (pair[0] + pair[1], pair[1]))


def at_most(compared: int, wrong: int, share: float) -> float:
    """The chance of so few wrong ones."""
    return sum(comb(compared, k) * share**k * (1 - share) ** (compared - k) for k in range(wrong + 1))


def clopper_pearson(compared: int, wrong: int) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if at_most(compared, wrong, middle) < 1 - CONFIDENCE else (middle, high)
    return high


def ever_serves(share: float, promised: float, looks: int, seed: int) -> bool:
    random, evidence = Random(seed), Evidence()
    for _ in range(looks):
        evidence = after(evidence, promised, wrong=random.random() < share)
        if evidence.serving:
            return True
    return False


def ever_clears_by_clopper_pearson(share: float, looks: int, seed: int) -> bool:
    random, wrong = Random(seed), 0
    for compared in range(1, looks + 1):
        wrong += random.random() < share
        if at_most(compared, wrong, share) < 1 - CONFIDENCE:
            return True
    return False


@pytest.mark.parametrize(("share", "promised"), [(0.05, 0.05), (0.1, 0.1), (0.06, 0.05)])
def test_a_route_that_is_no_better_than_it_promised_hardly_ever_serves(share: float, promised: float) -> None:
    """Looked at after each of 500 comparisons. Of 300 runs 15 are expected at most; 3.7 standard deviations are 14."""
    assert sum(ever_serves(share, promised, 500, seed) for seed in range(RUNS)) <= 15 + 14


def test_a_bound_for_one_look_would_break_its_promise() -> None:
    """The same runs with Clopper and Pearson's bound: what the mixture is there for."""
    broken = sum(ever_clears_by_clopper_pearson(0.05, 200, seed) for seed in range(RUNS))
    assert broken > 15 + 14


def test_it_begins_to_serve_where_answers_are_right() -> None:
    assert all(ever_serves(0.0005, 0.02, 1_500, seed) for seed in range(30))


@given(COUNTS)
def test_it_is_never_tighter_than_the_exact_bound_of_one_look(counts: tuple[int, int]) -> None:
    compared, wrong = counts
    if compared <= 400:
        assert upper_bound(Evidence(compared=compared, wrong=wrong)) >= clopper_pearson(compared, wrong) - 1e-9


@given(COUNTS, st.floats(0.001, 0.3), st.booleans())
def test_what_clears_is_what_the_bound_says(counts: tuple[int, int], promised: float, serving: bool) -> None:
    evidence = Evidence(compared=counts[0], wrong=counts[1], serving=serving)
    needed = promised if serving else 0.8 * promised
    if abs(upper_bound(evidence) - needed) > 1e-9:
        assert clears(evidence, promised) == (upper_bound(evidence) < needed)


@given(COUNTS)
def test_a_wrong_answer_more_raises_it_and_a_right_one_does_not(counts: tuple[int, int]) -> None:
    seen = Evidence(compared=counts[0], wrong=counts[1])
    bound = upper_bound(seen)
    assert upper_bound(seen._replace(compared=seen.compared + 1, wrong=seen.wrong + 1)) >= bound
    assert upper_bound(seen._replace(compared=seen.compared + 1)) <= bound


def test_nothing_seen_proves_nothing() -> None:
    assert upper_bound(Evidence()) == 1
    assert not clears(Evidence(), 0.5)
    assert not clears(Evidence(compared=10**6), 0.0)


@pytest.mark.parametrize("promised", [0.001, 0.01, 0.05, 0.2])
def test_how_long_it_takes_is_told(promised: float) -> None:
    least = least_comparisons(promised)
    assert clears(Evidence(compared=least), promised)
    assert not clears(Evidence(compared=least - 1), promised)


def test_one_wrong_answer_does_not_make_it_flicker() -> None:
    evidence = Evidence(compared=700, serving=True)
    changes, random = 0, Random(1)
    for _ in range(2_000):
        before, evidence = evidence, after(evidence, 0.01, wrong=random.random() < 0.002)
        changes += before.serving != evidence.serving
    assert evidence.serving
    assert changes <= 2


def test_answers_that_go_bad_stop_it_soon_and_a_new_beginning_needs_more() -> None:
    """After 20,000 right answers the mean would hide a share of 10% for long; the alarm needs some dozens."""
    for seed in range(20):
        random, evidence, looks = Random(seed), Evidence(compared=20_000, serving=True), 0
        while evidence.serving:
            evidence = after(evidence, 0.01, wrong=random.random() < 0.1)
            looks += 1
        assert looks <= 150
        assert evidence == Evidence(alarms=1)
    assert clears(Evidence(compared=least_comparisons(0.01)), 0.01)
    assert not clears(Evidence(compared=least_comparisons(0.01), alarms=1), 0.01)
