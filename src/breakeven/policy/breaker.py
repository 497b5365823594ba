"""A circuit breaker: a deployment whose requests mostly fail gets none for a while, then one to try it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRule:
    """When a breaker opens: ``failures_frac`` of at least ``min_requests`` within ``window_s`` failed.

    It stays open for ``open_s``, twice as long after each trial that fails, up to ``max_open_s``.
    """

    failures_frac: float = 0.5
    min_requests: int = 10
    window_s: float = 30.0
    open_s: float = 5.0
    max_open_s: float = 120.0


class Breaker:
    """The state of one deployment's breaker. Times are seconds of one monotonic clock, given by the caller.

    What counts as a failure is the caller's to say: a connection that fails, a timeout, a 5xx, a credential that is
    refused; not another 4xx, which is the client's, nor a 429, which `balance` heeds.

    The window is two halves, of which the older is forgotten whole: an outcome counts for between half a window and
    a whole one, and the state does not grow with traffic.
    """

    __slots__ = ("_failed", "_half_s", "_open_s", "_open_until_s", "_rule", "_total", "_trial_until_s")

    def __init__(self, rule: BreakerRule) -> None:
        self._rule = rule
        self._total, self._failed = [0, 0], [0, 0]  # of the half under way, and of the one before
        self._half_s = 0.0
        self._open_s = 0.0
        self._open_until_s: float | None = None
        self._trial_until_s: float | None = None

    def state(self, now_s: float) -> BreakerState:
        """Closed: send. Open: do not. Half open: send one request, saying so by `begin`."""
        if self._open_until_s is None:
            return "closed"
        trying = self._trial_until_s is not None and now_s < self._trial_until_s
        return "open" if now_s < self._open_until_s or trying else "half_open"

    def begin(self, now_s: float) -> None:
        """A request is sent: where the breaker is half open it is the trial, and no other is sent meanwhile.

        A trial that never reports is forgotten after the time that the breaker was open.
        """
        if self._open_until_s is not None and self.state(now_s) == "half_open":
            self._trial_until_s = now_s + self._open_s

    def record(self, now_s: float, *, failed: bool) -> None:
        """A request has ended. While the breaker is open, only what ends during a trial counts."""
        if self._open_until_s is not None:
            if self._trial_until_s is not None:
                self._end_trial(now_s, failed=failed)
            return
        self._turn(now_s)
        self._total[0] += 1
        self._failed[0] += failed
        if not failed:
            return
        total, bad = sum(self._total), sum(self._failed)
        if total >= self._rule.min_requests and bad >= self._rule.failures_frac * total:
            self._open(now_s, self._rule.open_s)

    def _end_trial(self, now_s: float, *, failed: bool) -> None:
        self._trial_until_s = None
        if failed:
            self._open(now_s, min(2 * self._open_s, self._rule.max_open_s))
        else:
            self._open_until_s = None
            self._total, self._failed = [0, 0], [0, 0]

    def _open(self, now_s: float, open_s: float) -> None:
        self._open_s, self._open_until_s = open_s, now_s + open_s

    def _turn(self, now_s: float) -> None:
        """Begin a new half where the one under way is over; after a whole window without traffic, forget both."""
        half_s = self._rule.window_s / 2
        passed_s = now_s - self._half_s
        if passed_s >= half_s:
            fresh = passed_s >= 2 * half_s
            self._total = [0, 0 if fresh else self._total[0]]
            self._failed = [0, 0 if fresh else self._failed[0]]
            self._half_s = now_s if fresh else self._half_s + half_s
