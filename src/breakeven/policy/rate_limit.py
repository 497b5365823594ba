"""Rate limits of a key: requests and tokens in any minute, and requests at once."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from breakeven.policy.virtual_key import RateLimits

_MINUTE: Final = 60

LimitKind = Literal["requests", "tokens", "parallel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRefusal:
    """The limit that was in the way, and in how many seconds the same request fits if nothing else is taken.

    Infinite where it never fits: more tokens than the limit. For ``parallel`` it is a guess of a second.
    """

    limit: LimitKind
    wait_s: float


class RateLimiter:
    """What one key took in the last minute and has under way. Seconds are of one monotonic clock.

    The promise is exact: no 60 seconds, wherever they begin, hold more than the limit, and all of it may be used at
    once. (A bucket that is refilled lets through what it holds and, in the same minute, what refills it: twice the
    limit.) It is kept by counting whole seconds, so what was taken is free again up to a second late.
    """

    __slots__ = ("_limits", "_requests", "_tokens", "parallel")

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._requests = _Minute(limits.requests_per_minute)
        self._tokens = _Minute(limits.tokens_per_minute)
        self.parallel = 0

    def take(self, tokens: int, now_s: float) -> RateRefusal | None:
        """Take one request with at most these tokens, all or nothing; None where it was taken.

        Whoever takes calls `give_back` once, when the request has ended.
        """
        second = math.floor(now_s)
        if (wait_s := self._requests.wait_s(1, second, now_s)) > 0:
            return RateRefusal(limit="requests", wait_s=wait_s)
        if tokens and (wait_s := self._tokens.wait_s(tokens, second, now_s)) > 0:
            return RateRefusal(limit="tokens", wait_s=wait_s)
        most = self._limits.parallel_requests
        if most is not None and self.parallel >= most:
            return RateRefusal(limit="parallel", wait_s=1.0)
        self._requests.add(1, second)
        self._tokens.add(tokens, second)
        self.parallel += 1
        return None

    def take_tokens(self, tokens: int, taken_at_s: float, now_s: float) -> RateRefusal | None:
        """Take the tokens of a request that was taken without any; where they do not fit it does not count, either.

        They count in the second in which the request does. `give_back` is still to be called.
        """
        if (wait_s := self._tokens.wait_s(tokens, math.floor(now_s), now_s)) > 0:
            self._requests.add(-1, math.floor(taken_at_s))
            return RateRefusal(limit="tokens", wait_s=wait_s)
        self._tokens.add(tokens, math.floor(taken_at_s))
        return None

    def give_back(self, taken_tokens: int, used_tokens: int, taken_at_s: float) -> None:
        """A request has ended: tokens that it took and did not use are free at once, for the second they were taken in.

        Tokens used beyond those taken are counted there as well.
        """
        self.parallel -= 1
        self._tokens.add(used_tokens - taken_tokens, math.floor(taken_at_s))


class _Minute:
    """Amounts by second, those of the last minute and the second under way."""

    __slots__ = ("_limit", "_seconds", "_total")

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._seconds: deque[list[int]] = deque()
        self._total = 0

    def wait_s(self, amount: int, second: int, now_s: float) -> float:
        """Seconds until an amount fits; 0 where it does now."""
        if self._limit is None:
            return 0.0
        while self._seconds and self._seconds[0][0] < second - _MINUTE:
            self._total -= self._seconds.popleft()[1]
        excess = self._total + amount - self._limit
        if excess <= 0:
            return 0.0
        for then, taken in self._seconds:
            excess -= taken
            if excess <= 0:
                return then + _MINUTE + 1 - now_s
        return math.inf

    def add(self, amount: int, second: int) -> None:
        """Count an amount, which may be negative, in its second, where that second still counts."""
        if self._limit is None or not amount:
            return
        seconds = self._seconds
        place = len(seconds)
        while place and seconds[place - 1][0] > second:
            place -= 1
        if place and seconds[place - 1][0] == second:
            seconds[place - 1][1] += amount
        elif amount > 0 and (place or not seconds):
            seconds.insert(place, [second, amount])
        else:
            return
        self._total += amount
