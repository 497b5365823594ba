"""Rate limits of keys: requests and tokens a minute, requests at once; taken before a request, corrected after it."""

from __future__ import annotations

from math import isfinite
from time import monotonic
from typing import Final

from breakeven.pipeline.refusal import Refusal
from breakeven.policy.rate_limit import RateLimiter, RateRefusal
from breakeven.policy.virtual_key import RateLimits, VirtualKey
from breakeven.upstreams.wire import Question

_BYTES_PER_TOKEN: Final = 4


class Taken:
    """What one request took of its key's limits."""

    __slots__ = ("_at_s", "_limiter", "_tokens", "used_tokens")

    def __init__(self, limiter: RateLimiter, tokens: int, at_s: float) -> None:
        self._limiter, self._tokens, self._at_s = limiter, tokens, at_s
        self.used_tokens = 0

    def take_tokens(self, question: Question) -> None:
        """Take the tokens of a request that was taken by `KeyLimits.take_request`.

        Raises:
            Refusal: their limit is in the way; then the request counts no longer, either.
        """
        tokens = _estimated_tokens(question)
        refused = self._limiter.take_tokens(tokens, self._at_s, monotonic())
        if refused is not None:
            raise _refusal(refused)
        self._tokens = tokens

    def give_back(self) -> None:
        """The request has ended, having used ``used_tokens``."""
        self._limiter.give_back(self._tokens, self.used_tokens, self._at_s)


class KeyLimits:
    """One limiter for each key that has a limit; a key whose limits change begins a new minute."""

    def __init__(self) -> None:
        self._limiters: dict[str, tuple[RateLimits, RateLimiter]] = {}

    def take(self, key: VirtualKey, question: Question) -> Taken | None:
        """Take one request of a key; None where the key has no limits.

        Tokens are estimated before (four bytes each, and the answer's limit), and corrected by ``give_back``.

        Raises:
            Refusal: a limit is in the way; when to ask again is in it.
        """
        if key.limits.are_none:
            return None
        return self._take(key, _estimated_tokens(question))

    def take_request(self, key: VirtualKey) -> Taken | None:
        """Take one request that may need no tokens, since its answer may be remembered; None without limits.

        Raises:
            Refusal: another limit than that of tokens is in the way.
        """
        return None if key.limits.are_none else self._take(key, 0)

    def _take(self, key: VirtualKey, tokens: int) -> Taken:
        limits, limiter = self._limiters.get(key.key_id, (None, None))
        if limiter is None or limits != key.limits:
            limiter = RateLimiter(key.limits)
            self._limiters[key.key_id] = (key.limits, limiter)
        now_s = monotonic()
        refused = limiter.take(tokens, now_s)
        if refused is not None:
            raise _refusal(refused)
        return Taken(limiter, tokens, now_s)


def _estimated_tokens(question: Question) -> int:
    return question.body_bytes // _BYTES_PER_TOKEN + (question.max_output_tokens or 0) * question.choices


def _refusal(refused: RateRefusal) -> Refusal:
    if not isfinite(refused.wait_s):
        return Refusal(400, "request_too_large", f"this request alone exceeds its key's {refused.limit} per minute")
    limit = "requests at once" if refused.limit == "parallel" else f"{refused.limit} a minute"
    return Refusal(429, "rate_limit_exceeded", f"this key is at its limit of {limit}", retry_after_s=refused.wait_s)
