"""What repeats at the beginnings of prompts, and what a provider's prompt cache would have made of it."""

from __future__ import annotations

from collections import Counter, OrderedDict
from hashlib import blake2b
from typing import Final

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.prompt_parts import Part
from breakeven.review.rule import KEPT_S, LEAST_CACHED_TOKENS, with_cache_read

_MOST_PREFIXES: Final = 1_000_000
_NAMED: Final = 5
_SHOWN_CHARACTERS: Final = 60


class RepeatedPrompts:
    """The leading parts of a prompt that an earlier request began with, at most five minutes ago.

    A request without a time counts as one that came at once. Only what was not read from a cache already is claimed;
    what writing costs (Anthropic, newer OpenAI models) is not deducted here: `breakeven replay` weighs both.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._parts: Counter[tuple[str, str, str]] = Counter()
        self._tokens = 0
        self._repeated = 0

    def look(self, request: LoggedRequest) -> None:
        """Nothing of it needs to be known before: what repeats is seen in order."""

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """The request with its repeated beginning read from the cache."""
        repeated = self._repeated_parts(request)
        tokens = sum(request.tokens(part.text) for part in repeated)
        self._tokens += request.usage.input_tokens
        self._repeated += tokens
        for part in repeated:
            said = " ".join(part.text[: 2 * _SHOWN_CHARACTERS].split())[:_SHOWN_CHARACTERS]
            self._parts[request.model, part.role, said] += request.tokens(part.text)
        return with_cache_read(usage, tokens) if tokens >= LEAST_CACHED_TOKENS else usage

    def finding(self, tally: Tally) -> Finding | None:
        """How much of the input was sent before, and which parts of it most."""
        if tally.now_nano_usd <= tally.after_nano_usd:
            return None
        parts = tuple(
            f"{tokens:,} tokens: {role.replace('_', ' ')} of {model}, {said!r}"
            for (model, role, said), tokens in self._parts.most_common(_NAMED)
        )
        share = self._repeated / max(self._tokens, 1)
        return Finding(
            rule_id="repeated-prompts",
            title="prompts begin with what was sent minutes before, and pay for it anew",
            requests=tally.requests,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=(f"{share:.1%} of all input tokens stood at the beginning of a request before", *parts),
            fix="let the provider cache it: serve through the gateway, whose marks are placed where they pay",
            quality_risk="none",
        )

    def _repeated_parts(self, request: LoggedRequest) -> list[Part]:
        repeated, running, unbroken = [], blake2b(request.model.encode(), digest_size=16), True
        now_s = request.at_s or 0.0
        for part in request.parts:
            running.update(f"{part.role}\0{len(part.text)}\0{part.text}".encode())
            digest = running.digest()
            before = self._seen.pop(digest, None)
            unbroken = unbroken and before is not None and now_s - before <= KEPT_S
            if unbroken:
                repeated.append(part)
            self._seen[digest] = now_s
        while len(self._seen) > _MOST_PREFIXES:
            self._seen.popitem(last=False)
        return repeated
