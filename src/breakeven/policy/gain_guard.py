"""Whether what was done to save money did save it: a check on a policy by the bills that came."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRule:
    """How much is looked at, and how long a policy rests that lost.

    The last ``rows`` count, once there are ``least_rows``, or ``probation_rows`` after a rest. Each rest in a row is
    twice as long.
    """

    rows: int = 64
    least_rows: int = 32
    probation_rows: int = 8
    first_rest_s: float = 900.0
    longest_rest_s: float = 86_400.0


GUARD_RULE: Final = GuardRule()


class GainGuard:
    """Sums what the last rows saved. Where that is less than nothing, the policy rests, and then begins anew."""

    __slots__ = ("_least_rows", "_rest_s", "_resting_until_s", "_rule", "_saved", "_sum")

    def __init__(self, rule: GuardRule = GUARD_RULE) -> None:
        self._rule = rule
        self._saved: deque[int] = deque()
        self._sum = 0
        self._rest_s, self._least_rows = rule.first_rest_s, rule.least_rows
        self._resting_until_s = float("-inf")

    def rests(self, at_s: float) -> bool:
        """Whether nothing is to be done now, because the last rows cost more than they saved."""
        return at_s < self._resting_until_s

    def observe(self, saved_nano_usd: int, at_s: float) -> None:
        """A row saved this much; below 0 it cost that much more."""
        self._saved.append(saved_nano_usd)
        self._sum += saved_nano_usd
        if len(self._saved) > self._rule.rows:
            self._sum -= self._saved.popleft()
        if len(self._saved) < self._least_rows:
            return
        if self._sum >= 0:
            self._rest_s, self._least_rows = self._rule.first_rest_s, self._rule.least_rows
            return
        self._resting_until_s = at_s + self._rest_s
        self._rest_s = min(2 * self._rest_s, self._rule.longest_rest_s)
        self._least_rows = self._rule.probation_rows
        self._saved.clear()
        self._sum = 0
