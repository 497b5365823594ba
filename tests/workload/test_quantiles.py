"""A sample drawn from stated quantiles has those quantiles."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from breakeven.workload.quantiles import TAIL_CAP, constant_tokens, joined, sampled_tokens

QUANTILES = st.dictionaries(st.integers(1, 99), st.integers(1, 2_000_000), min_size=2, max_size=8).map(
    lambda stated: dict(zip(sorted(stated), sorted(stated.values()), strict=True))
)


@given(QUANTILES)
def test_the_sample_has_the_stated_quantiles(quantiles: dict[int, int]) -> None:
    sample = sampled_tokens(quantiles)
    for percentile, tokens in quantiles.items():
        assert abs(np.percentile(sample, percentile) - tokens) <= 1


@given(QUANTILES)
def test_the_sample_ascends_from_one_token_to_the_cap(quantiles: dict[int, int]) -> None:
    sample = sampled_tokens(quantiles)
    assert (np.diff(sample) >= 0).all()
    assert sample[0] >= 1
    assert sample[-1] <= TAIL_CAP * max(quantiles.values())


def test_a_lognormal_is_found_again_from_two_quantiles() -> None:
    """Outside reference: the mean of a lognormal is exp(mu + sigma^2 / 2)."""
    mu, sigma, z90 = np.log(800), 0.6, 1.2815515655446004
    sample = sampled_tokens({50: 800, 90: round(float(np.exp(mu + sigma * z90)))})
    assert abs(sample.mean() / np.exp(mu + sigma**2 / 2) - 1) < 0.005


@given(QUANTILES, QUANTILES)
def test_pairing_keeps_each_column_and_every_call_gives_the_same(first: dict[int, int], second: dict[int, int]) -> None:
    inputs, outputs = sampled_tokens(first), sampled_tokens(second)
    paired = joined(inputs, outputs)
    assert (paired[0] == inputs).all()
    assert (np.sort(paired[1]) == outputs).all()
    assert (joined(inputs, outputs)[1] == paired[1]).all()


def test_input_and_output_do_not_correlate() -> None:
    inputs, outputs = joined(sampled_tokens({50: 800, 99: 4_000}), sampled_tokens({50: 400, 99: 1_200}))
    assert abs(np.corrcoef(inputs, outputs)[0, 1]) < 0.02


def test_a_constant_is_repeated_beside_a_sample() -> None:
    inputs, outputs = joined(constant_tokens(5), sampled_tokens({50: 10, 90: 20}))
    assert len(inputs) == len(outputs)
    assert set(inputs.tolist()) == {5}
