"""Marks pay: never dearer than no caching, hardly dearer than the best rule that never learns, on any trace."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_memory import ALL, OURS, SEEN
from breakeven.policy.prompt_cache_policy import PromptCachePolicy
from breakeven.policy.prompt_cache_purse import (
    BET_FRAC,
    HELD_REQUESTS,
    OVERDRAWN_REQUESTS,
    PROVED_FRAC,
    PROVED_REQUESTS,
)
from policy.prompt_traces import FAMILIES, prefixes, requests

FIVE_MINUTES = PromptCacheRule(write_multiplier=1.25, read_multiplier=0.1, ttl_s=300, min_tokens=1024, lookback=None)
ONE_HOUR = replace(FIVE_MINUTES, write_multiplier=2.0, ttl_s=3_600)
RULES = pytest.mark.parametrize("rule", [FIVE_MINUTES, ONE_HOUR], ids=["5m", "1h"])

LATE = {("just before expiry", 3_600.0), ("conversations", 300.0), ("twice, others between", 300.0)}
"""A rule that marks blindly first loses a tenth of the bill or more here, which the purse does not allow."""


def ratios(policy: PromptCachePolicy) -> list[float]:
    return [1 - saved / policy.purse.bill_tokens for saved in policy.purse.saved_tokens]


def after(rule: PromptCacheRule, family: str, *, seed: int = 1, size: int = 3_000) -> PromptCachePolicy:
    policy = PromptCachePolicy(rule)
    for request in requests(family, seed, size, rule.ttl_s):
        policy.decide(*request)
    return policy


@RULES
@pytest.mark.parametrize("family", FAMILIES)
def test_the_bill_is_close_to_the_best_fixed_rule_and_never_above_no_caching(
    family: str, rule: PromptCacheRule
) -> None:
    bills = ratios(after(rule, family))
    assert bills[OURS] <= 1.005
    regret = bills[OURS] - min(1.0, bills[SEEN], bills[ALL])
    assert regret <= (0.03 if (family, rule.ttl_s) in LATE else 0.005)


@settings(max_examples=40)
@given(family=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 10**6), hour=st.booleans())
def test_the_purse_bounds_what_can_be_lost_at_every_moment(family: str, seed: int, hour: bool) -> None:
    policy = PromptCachePolicy(ONE_HOUR if hour else FIVE_MINUTES)
    for request in requests(family, seed, 120, policy.rule.ttl_s):
        policy.decide(*request)
        assert policy.purse.saved_tokens[OURS] >= -(BET_FRAC + PROVED_FRAC) * policy.purse.bill_tokens - 1e-6


@given(sizes=st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_prompts_that_share_nothing_are_never_marked(sizes: list[int]) -> None:
    policy, sent = PromptCachePolicy(FIVE_MINUTES), 0
    for at_s, size in enumerate(sizes):
        assert policy.decide(prefixes(list(range(sent, sent + size))), size * 512, at_s) == Marks()
        sent += size


@RULES
def test_what_comes_again_just_beyond_expiry_is_never_marked(rule: PromptCacheRule) -> None:
    assert ratios(after(rule, "just beyond expiry"))[OURS] == 1.0


def test_a_prompt_below_the_minimum_is_never_marked() -> None:
    assert ratios(after(FIVE_MINUTES, "too short"))[OURS] == 1.0


def test_a_shared_prompt_is_read_and_its_new_end_is_not_written() -> None:
    policy = PromptCachePolicy(FIVE_MINUTES)
    shared = list(range(1, 9))
    for number in range(50):
        marks = policy.decide(prefixes([*shared, 1_000 + number]), 9 * 512, number)
    assert marks == Marks(boundaries=(7,), read_tokens=8 * 512, written_tokens=0)


def test_a_growing_conversation_is_written_to_its_end_each_turn() -> None:
    policy = PromptCachePolicy(FIVE_MINUTES)
    for turn in range(4, 60):
        marks = policy.decide(prefixes(list(range(turn))), turn * 512, turn * 10)
    assert marks == Marks(boundaries=(58,), read_tokens=58 * 512, written_tokens=512)


@RULES
def test_with_real_marks_only_four_are_placed_and_what_is_expected_is_held(rule: PromptCacheRule) -> None:
    real = replace(rule, lookback=20)
    policy = PromptCachePolicy(real)
    for sent, input_tokens, at_s in requests("agents", 3, 400, rule.ttl_s):
        marks = policy.decide(sent, input_tokens, at_s)
        assert len(marks.boundaries) <= 4
        assert all(sent[place].tokens >= rule.min_tokens for place in marks.boundaries)
        if marks.boundaries:
            assert marks.read_tokens + marks.written_tokens == sent[marks.boundaries[-1]].tokens
    assert policy.purse.saved_tokens[OURS] > 0


def test_a_bill_that_is_not_as_expected_empties_the_purse() -> None:
    policy = after(FIVE_MINUTES, "shared system prompt", size=200)
    before = policy.purse.room_tokens()
    policy.settle(Marks((1,), 10_000, 0), read_tokens=0, written_tokens=10_000)
    assert policy.purse.room_tokens() < before
    assert policy.purse.saved_tokens[OURS] == pytest.approx(
        after(FIVE_MINUTES, "shared system prompt", size=200).purse.saved_tokens[OURS] - 9_000 - 2_500
    )


@settings(max_examples=40)
@given(
    family=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 999), hour=st.booleans(), after=st.integers(0, 200)
)
def test_a_provider_that_never_reads_costs_little(family: str, seed: int, hour: bool, after: int) -> None:
    """It bills as written what should be read, from some request on: little is lost, whatever was saved before."""
    policy = PromptCachePolicy(ONE_HOUR if hour else FIVE_MINUTES)
    sent = requests(family, seed, 300, policy.rule.ttl_s)
    longest = max(input_tokens for _, input_tokens, _ in sent)
    most = (HELD_REQUESTS + (PROVED_REQUESTS + OVERDRAWN_REQUESTS + 1) * policy.rule.premium) * longest
    for request in sent[:after]:
        policy.decide(*request)
    saved_tokens, bill_tokens = policy.purse.saved_tokens[OURS], policy.purse.bill_tokens
    for request in sent[after:]:
        marks = policy.decide(*request)
        policy.settle(marks, 0, marks.read_tokens + marks.written_tokens)
        lost_tokens = saved_tokens - policy.purse.saved_tokens[OURS]
        assert lost_tokens <= BET_FRAC * (policy.purse.bill_tokens - bill_tokens) + most


def test_marks_that_lost_are_tried_again_and_go_on_where_they_are_read() -> None:
    policy, marked = PromptCachePolicy(FIVE_MINUTES), []
    for number in range(1_000):
        marks = policy.decide(prefixes([1, 2, 3, 4, 1_000 + number]), 2_560, number)
        if 100 <= number < 500:
            policy.settle(marks, 0, marks.read_tokens + marks.written_tokens)
        marked.append(bool(marks.boundaries))
    assert all(marked[10:100])
    assert sum(marked[400:500]) < 10
    assert all(marked[700:])


def test_memory_is_bounded() -> None:
    policy = PromptCachePolicy(FIVE_MINUTES, max_prefixes=100)
    for request in requests("one-shot", 1, 300, 300):
        policy.decide(*request)
    longest = max(len(sent) for sent, _, _ in requests("one-shot", 1, 300, 300))
    assert len(policy.memory) <= 100 + 2 * longest


def test_a_clock_that_goes_back_stands_still() -> None:
    rng = random.Random(1)
    policy = PromptCachePolicy(FIVE_MINUTES)
    for _ in range(200):
        marks = policy.decide([Prefix(b"a", 2_000)], 2_000, rng.uniform(0, 200))
    assert marks.read_tokens == 2_000
