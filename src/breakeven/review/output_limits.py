"""Limits of output far above what answers use: they cost nothing at the provider, but budgets hold the worst case."""

from __future__ import annotations

from typing import Final

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest

LEAST_REQUESTS: Final = 20
_FAR: Final = 4
_STEP: Final = 256


class OutputLimits:
    """``max_tokens`` against the longest answers, by model. It saves no money by itself, and says so."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}
        self._limits: dict[str, list[int]] = {}

    def look(self, request: LoggedRequest) -> None:
        """Keep limit and use of requests that have both."""
        if request.output_limit is not None and request.usage_basis == "reported":
            self._used.setdefault(request.model, []).append(request.usage.output_tokens)
            self._limits.setdefault(request.model, []).append(request.output_limit)

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:  # noqa: ARG002
        """A lower limit changes what is held, not what is used."""
        return usage

    def finding(self, tally: Tally) -> Finding | None:
        """The models whose usual limit is at least four times their 99th percentile of output."""
        evidence = [said for model in sorted(self._used) if (said := self._of(model))]
        if not evidence:
            return None
        return Finding(
            rule_id="output-limit",
            title="max_tokens is far above what answers use",
            requests=tally.requests or sum(map(len, self._used.values())),
            now_nano_usd=0,
            after_nano_usd=0,
            evidence=(*evidence, "the provider bills what is used, so this saves no money: it frees room in budgets"),
            fix="set max_tokens to the suggested limit: budgets then hold less for each request under way",
            quality_risk="low",
        )

    def _of(self, model: str) -> str:
        used, limits = sorted(self._used[model]), sorted(self._limits[model])
        if len(used) < LEAST_REQUESTS:
            return ""
        longest = used[min(len(used) - 1, int(len(used) * 0.99))]
        usual = limits[len(limits) // 2]
        if usual < _FAR * max(longest, 1):
            return ""
        suggested = -(-2 * longest // _STEP) * _STEP or _STEP
        return (
            f"{model}: the usual limit is {usual:,} tokens, 99 of 100 answers have at most {longest:,}; "
            f"{suggested:,} would do"
        )
