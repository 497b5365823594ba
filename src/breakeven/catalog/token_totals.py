"""Token counts of many requests, summed once so that any price card is applied to all of them in O(log n)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from breakeven.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTotals:
    """Sums over the requests of one band of input length; ``input_tokens`` includes the cache reads."""

    requests: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTotals:
    """Requests sorted by input tokens, with running sums (int64, shape (n + 1,), the first entry 0).

    A price tier applies to the requests above an input length, so its tokens are a difference of two entries.
    """

    requests: int
    sorted_input_tokens: NDArray[np.int64]
    input_sums: NDArray[np.int64]
    output_sums: NDArray[np.int64]
    cache_read_sums: NDArray[np.int64]
    _bands: dict[tuple[int, int | None], BandTotals] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        input_tokens: NDArray[np.int64],
        output_tokens: NDArray[np.int64],
        cache_read_tokens: NDArray[np.int64] | None = None,
    ) -> Self:
        """Sum int64 columns of shape (n,), row i being one request; no cache column means no cache reads.

        Raises:
            UsageError: no rows, columns of different length, negative counts, or more cached than input tokens.
        """
        cached = np.zeros_like(input_tokens) if cache_read_tokens is None else cache_read_tokens
        _check(input_tokens, output_tokens, cached)
        order = np.argsort(input_tokens, kind="stable")
        return cls(
            requests=len(input_tokens),
            sorted_input_tokens=input_tokens[order],
            input_sums=_running(input_tokens[order]),
            output_sums=_running(output_tokens[order]),
            cache_read_sums=_running(cached[order]),
        )

    def band(self, above_input_tokens: int, up_to_input_tokens: int | None) -> BandTotals:
        """Totals of requests with more than ``above`` and at most ``up_to`` input tokens.

        ``above`` 0 starts at the first request (one without input pays the first tier); ``up_to`` None has no end.
        """
        key = (above_input_tokens, up_to_input_tokens)
        if key not in self._bands:
            self._bands[key] = self._band(*key)
        return self._bands[key]

    def _band(self, above: int, up_to: int | None) -> BandTotals:
        first = 0 if above == 0 else int(np.searchsorted(self.sorted_input_tokens, above, side="right"))
        last = self.requests if up_to is None else int(np.searchsorted(self.sorted_input_tokens, up_to, side="right"))
        return BandTotals(
            requests=last - first,
            input_tokens=int(self.input_sums[last] - self.input_sums[first]),
            output_tokens=int(self.output_sums[last] - self.output_sums[first]),
            cache_read_tokens=int(self.cache_read_sums[last] - self.cache_read_sums[first]),
        )


def _running(values: NDArray[np.int64]) -> NDArray[np.int64]:
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _check(input_tokens: NDArray[np.int64], output_tokens: NDArray[np.int64], cached: NDArray[np.int64]) -> None:
    if not len(input_tokens) == len(output_tokens) == len(cached):
        raise UsageError("the token columns differ in length")
    if not len(input_tokens):
        raise UsageError("there is no request to price")
    if min(input_tokens.min(), output_tokens.min(), cached.min()) < 0:
        raise UsageError("token counts cannot be negative")
    if (cached > input_tokens).any():
        raise UsageError("a request has more cached than input tokens")
