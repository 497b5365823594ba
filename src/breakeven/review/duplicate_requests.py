"""Requests that were asked before, word for word: what a cache of answers would have spared."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Final

import msgspec

from breakeven.catalog.usage import Usage
from breakeven.policy.cache_key import KeyScope, Served, cache_key, route_identity
from breakeven.policy.cacheability import CacheRule, NotCached, not_cached
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.upstreams.question_fields import read_fields

RULE: Final = CacheRule()
"""The gateway's default: kept for an hour, and only what would be answered alike again."""

_MOST_KEYS: Final = 1_000_000
_EVERYTHING: Final = CacheRule(always=True)


class DuplicateRequests:
    """Repeats within an hour, decided by the code that decides in the gateway.

    Repeats that the default does not cache, because they state no temperature, are told but not claimed.
    """

    def __init__(self) -> None:
        self._asked_s: OrderedDict[bytes, float] = OrderedDict()
        self._not_claimed: Counter[NotCached] = Counter()

    def look(self, request: LoggedRequest) -> None:
        """Nothing of it needs to be known before: what repeats is seen in order."""

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """A repeat is not sent at all."""
        fields = read_fields(msgspec.json.encode(request.body))
        if not_cached(request.operation, fields, _EVERYTHING) is not None:
            return usage
        route = route_identity([Served(request.provider, "", request.model)])
        key = cache_key(KeyScope("", 0, request.operation, route), fields, {})
        if key is None or not self._is_repeat(key, request.at_s or 0.0):
            return usage
        why = not_cached(request.operation, fields, RULE)
        if why is not None:
            self._not_claimed[why] += 1
            return usage
        return Usage()

    def finding(self, tally: Tally) -> Finding | None:
        """How many there were, and how many more with a route that opts in."""
        others = sum(self._not_claimed.values())
        if not tally.requests and not others:
            return None
        more = (
            (f"{others:,} more repeats state no temperature of 0 and no seed: a route may opt in to keep them",)
            if others
            else ()
        )
        return Finding(
            rule_id="duplicate-requests",
            title="the same request is sent, and paid, again within an hour",
            requests=tally.requests or others,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=(f"{tally.requests:,} requests repeat one of the hour before and would be answered alike", *more),
            fix="serve through the gateway, which remembers such answers",
            quality_risk="none",
        )

    def _is_repeat(self, key: bytes, now_s: float) -> bool:
        """Whether it was asked within the hour; a repeat does not make the hour longer."""
        asked_s = self._asked_s.get(key)
        if asked_s is not None and now_s - asked_s < RULE.ttl_s:
            return True
        self._asked_s.pop(key, None)
        self._asked_s[key] = now_s
        while len(self._asked_s) > _MOST_KEYS:
            self._asked_s.popitem(last=False)
        return False
