"""How large the share of wrong answers among those served may be, and whether that is small enough to serve.

Every candidate that is compared with a bought answer is one observation, right or wrong. The bound is looked at after
each of them, so a bound for a fixed number of observations, such as Clopper and Pearson's, would be broken far more
often than it says. This one holds at all times at once. It is a bet against "the share is at least p": a fund starts
at 1 and is spread over guesses that the share is smaller; where the share is p or more, none of them can be expected to
grow, so by Ville's inequality the fund ever reaches 1 / 0.05 with a chance of at most 5%. The bound is the least p
against which it has. It also holds where the share changes: it then bounds the mean of all shares so far.

When answers go bad, an alarm stops serving long before the mean shows it, and forgets what was seen till then. Each new
beginning has a smaller part of the 5%, so that all of them together stay within it.
"""

from __future__ import annotations

from bisect import bisect_left
from math import exp, log, log1p
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
"""One-sided, of all looks together."""

START_FRAC: Final = 0.8
"""A route begins to serve when the bound is below this share of what it promised, and stops when above all of it."""

_GUESSES: Final = ((1e-9, 0.5), (0.125, 0.2), (0.25, 0.1), (0.5, 0.1), (0.75, 0.1))
"""Shares of p that the fund bets on, and how much of it on each. Without a wrong answer the first grows fastest."""

_ALARM_RATIO: Final = 4.0
_ALARM_ODDS: Final = 100.0
"""The alarm: recent answers are this many times likelier if the share is four times the promised one."""

_BISECTIONS: Final = 50


class Evidence(NamedTuple):
    """What a route has seen since it began, or since its last alarm.

    ``compared`` candidates, ``wrong`` of them wrong; ``alarms`` so far; ``drift`` the logarithm of the odds that
    answers have gone bad, 0 and up; ``serving`` whether it serves.
    """

    compared: int = 0
    wrong: int = 0
    alarms: int = 0
    drift: float = 0.0
    serving: bool = False


def after(evidence: Evidence, promised_frac: float, *, wrong: bool) -> Evidence:
    """The evidence with one comparison more, and whether the route serves now."""
    drift = max(0.0, evidence.drift + _drift(promised_frac, wrong=wrong))
    if evidence.serving and drift >= log(_ALARM_ODDS):
        return Evidence(alarms=evidence.alarms + 1)
    seen = evidence._replace(compared=evidence.compared + 1, wrong=evidence.wrong + wrong, drift=drift)
    return seen._replace(serving=clears(seen, promised_frac))


def clears(evidence: Evidence, promised_frac: float) -> bool:
    """Whether the bound is below what was promised; to begin, below `START_FRAC` of it."""
    needed_frac = promised_frac if evidence.serving else promised_frac * START_FRAC
    return 0 < needed_frac < 1 and _log_fund(evidence, needed_frac) > -log(_error_frac(evidence.alarms))


def upper_bound(evidence: Evidence) -> float:
    """The one-sided 95% bound on the share of wrong answers, good at every look; 1 before there is any evidence."""
    needed, low, high = -log(_error_frac(evidence.alarms)), 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _log_fund(evidence, middle) > needed else (middle, high)
    return high


def least_comparisons(promised_frac: float) -> int:
    """How many comparisons, none of them wrong, it takes until a route begins to serve."""
    needed = -log(_error_frac(0)) - log(_GUESSES[0][1])
    most = int(needed / -log1p(-promised_frac * START_FRAC)) + 1
    return bisect_left(range(most), True, key=lambda compared: clears(Evidence(compared=compared), promised_frac))


def _error_frac(alarms: int) -> float:
    """The part of the 5% that the beginning after so many alarms has: a half, a sixth, a twelfth, in all the whole."""
    return (1 - CONFIDENCE) / ((alarms + 1) * (alarms + 2))


def _log_fund(evidence: Evidence, share_frac: float) -> float:
    """The logarithm of the fund that bets against a share; it only grows with the share."""
    right = evidence.compared - evidence.wrong
    grown = [
        log(weight) + right * (log1p(-part * share_frac) - log1p(-share_frac)) + evidence.wrong * log(part)
        for part, weight in _GUESSES
    ]
    largest = max(grown)
    return largest + log(sum(exp(each - largest) for each in grown))


def _drift(promised_frac: float, *, wrong: bool) -> float:
    bad_frac = min(_ALARM_RATIO * promised_frac, (1 + promised_frac) / 2)
    return log(bad_frac / promised_frac) if wrong else log1p(-bad_frac) - log1p(-promised_frac)
