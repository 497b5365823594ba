"""Token counts stated as quantiles, turned into a deterministic joint sample."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_ROWS: Final = 1_001
"""Rows of a sample: row i stands at quantile i/1000, so every whole percentile is hit by a row."""

TAIL_CAP: Final = 4
"""No sampled request has more than this many times the tokens of the highest stated quantile."""

SAMPLING_RULE: Final = (
    f"{SAMPLE_ROWS} rows; log tokens linear in the normal score between the stated quantiles, tails continue the end "
    f"slopes up to {TAIL_CAP}x the highest; input and output independent"
)

_STRIDE: Final = 619
"""Coprime to SAMPLE_ROWS and near its golden section: spreads outputs evenly over inputs."""


def constant_tokens(tokens: int) -> NDArray[np.int64]:
    """One row of ``tokens``: every request alike."""
    return np.full(1, tokens, dtype=np.int64)


def sampled_tokens(quantiles: Mapping[int, int]) -> NDArray[np.int64]:
    """Ascending sample, shape (SAMPLE_ROWS,), whose percentiles are the stated ones.

    ``quantiles`` maps at least two percentiles (1..99) to token counts >= 1 that do not fall. Between them the
    distribution is piecewise lognormal. ``np.percentile(sample, p)`` returns each stated count.

    >>> int(np.percentile(sampled_tokens({50: 800, 90: 2_000, 99: 4_000}), 90))
    2000
    """
    percentiles = sorted(quantiles)
    normal = NormalDist()
    known_scores = np.array([normal.inv_cdf(percentile / 100) for percentile in percentiles])
    known_logs = np.log([float(quantiles[percentile]) for percentile in percentiles])
    scores = np.array([normal.inv_cdf(level) for level in _levels()])
    logs = _interpolated(scores, known_scores, known_logs)
    highest = quantiles[percentiles[-1]]
    return np.clip(np.rint(np.exp(np.minimum(logs, np.log(highest * TAIL_CAP)))), 1, None).astype(np.int64)


def joined(
    input_tokens: NDArray[np.int64], output_tokens: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair two ascending samples independently: a fixed, even permutation of the outputs over the inputs.

    A sample of one row is repeated to the other's length.
    """
    rows = max(len(input_tokens), len(output_tokens))
    order = np.arange(rows) * _STRIDE % rows
    return np.resize(input_tokens, rows), np.resize(output_tokens, rows)[order]


def _levels() -> list[float]:
    """Quantile level of each row; the two ends stand half a step inside, where the score is finite."""
    step = 1 / (SAMPLE_ROWS - 1)
    return [step / 2, *(row * step for row in range(1, SAMPLE_ROWS - 1)), 1 - step / 2]


def _interpolated(
    scores: NDArray[np.float64], known_scores: NDArray[np.float64], known_logs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Piecewise linear interpolation whose first and last pieces go on past the ends."""
    slopes = np.diff(known_logs) / np.diff(known_scores)
    logs = np.interp(scores, known_scores, known_logs)
    below, above = scores < known_scores[0], scores > known_scores[-1]
    logs[below] += slopes[0] * (scores[below] - known_scores[0])
    logs[above] += slopes[-1] * (scores[above] - known_scores[-1])
    return np.asarray(logs, dtype=np.float64)
