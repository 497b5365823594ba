"""Tokens per byte are learned from what an upstream counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.policy.token_scale import USUAL_TOKENS_PER_BYTE, TokenScale


def test_the_first_count_is_taken_and_later_ones_move_it() -> None:
    scale = TokenScale()
    assert scale.tokens_per_byte == USUAL_TOKENS_PER_BYTE
    scale.observe(10_000, 4_000)
    assert scale.tokens_per_byte == pytest.approx(0.4)
    scale.observe(10_000, 3_000)
    assert scale.tokens_per_byte == pytest.approx(0.38)


@pytest.mark.parametrize(("prompt_bytes", "tokens"), [(100, 60), (10_000, 0), (0, 10)])
def test_what_says_nothing_teaches_nothing(prompt_bytes: int, tokens: int) -> None:
    scale = TokenScale()
    scale.observe(prompt_bytes, tokens)
    assert scale.tokens_per_byte == USUAL_TOKENS_PER_BYTE


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**9))))
def test_it_stays_between_what_texts_can_have(counts: list[tuple[int, int]]) -> None:
    scale = TokenScale()
    for prompt_bytes, tokens in counts:
        scale.observe(prompt_bytes, tokens)
        assert 0.02 - 1e-9 <= scale.tokens_per_byte <= 1.0 + 1e-9
