"""Choose among the deployments of one model: several keys, regions or replicas that would give the same answer.

A deployment that has the beginning of a prompt in its cache reads it for a tenth to a half of the price, so a prompt's
prefix decides first: rendezvous hashing sends equal prefixes to the same deployment, and where a deployment goes away
only its own prefixes move. It decides only where that deployment has room left in this minute and is not clearly busier
than the others. Without a prefix, requests are dealt out by room: more to who has more left of this minute.

Clearly busier is more than 1.25 times its share of all requests under way: "Consistent Hashing with Bounded Loads"
(Mirrokni, Thorup and Zadimoghaddam 2016, arXiv 1608.01350), whose bound and 1.25 are what HAProxy, Envoy and routers of
model servers offer, too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from breakeven.policy.breaker import Breaker
from breakeven.policy.headroom import Headroom

_BOUND_FACTOR: Final = 1.25
_NOT_BUSY: Final = 8
"""So few requests under way are no load to any server, whatever the others have."""
_UNIT: Final = 2.0**-52


class Deployment:
    """What balancing needs to know of one deployment, kept current by whoever sends to it.

    ``weight`` is its share where nothing else is known; 0 takes it only when the others cannot. It may be changed.
    """

    __slots__ = ("_headroom", "_observed_s", "_sent_requests", "_sent_tokens", "breaker", "in_flight", "name", "weight")

    def __init__(self, name: str, breaker: Breaker, weight: float = 1.0) -> None:
        self.name, self.breaker, self.weight = name, breaker, weight
        self.in_flight = 0
        self._headroom: Headroom | None = None
        self._observed_s = 0.0
        self._sent_requests = self._sent_tokens = 0

    def began(self, tokens: int, now_s: float) -> None:
        """A request with at most these tokens is sent."""
        self.breaker.begin(now_s)
        self.in_flight += 1
        self._sent_requests += 1
        self._sent_tokens += tokens

    def ended(self) -> None:
        """It is over, however."""
        self.in_flight -= 1

    def observed(self, headroom: Headroom, now_s: float) -> None:
        """An answer said what is left. What is sent from here on is taken off that until the next one says."""
        self._headroom, self._observed_s = headroom, now_s
        self._sent_requests = self._sent_tokens = 0

    def left(self, now_s: float) -> tuple[int | None, int | None]:
        """Requests and tokens that are left of what it last said, less what was sent since; None: it never said."""
        known = self._headroom
        if known is None:
            return None, None
        passed_s = now_s - self._observed_s
        requests, tokens = known.requests_left(passed_s), known.tokens_left(passed_s)
        return (
            None if requests is None else max(requests - self._sent_requests, 0),
            None if tokens is None else max(tokens - self._sent_tokens, 0),
        )

    def room(self, tokens: int, now_s: float) -> float | None:
        """How many requests of this size it would still take now, possibly none; None where it never said."""
        known = self._headroom
        if known is None:
            return None
        passed_s = now_s - self._observed_s
        if known.retry_after_s is not None and passed_s < known.retry_after_s:
            return 0.0
        rooms = []
        if (requests := known.requests_left(passed_s)) is not None:
            rooms.append(float(requests - self._sent_requests))
        if (left := known.tokens_left(passed_s)) is not None:
            rooms.append((left - self._sent_tokens) / max(tokens, 1))
        return max(min(rooms), 0.0) if rooms else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Deployments in the order in which to try them, and what put the first one there."""

    order: tuple[Deployment, ...]
    reason: Literal["affinity", "balanced"]


def choose(deployments: Sequence[Deployment], *, prefix: bytes, tokens: int, now_s: float, ticket: bytes) -> Choice:
    """Order a model's deployments for one request.

    First come those that may be sent to and have room; then those that may be sent to and would answer 429; last those
    whose breaker is open, for a caller who has nothing else. Within each, equal prefixes find the same deployment while
    it is within `bound`; one that is at its bound comes after those that are not, so what moves stays together at the
    next one. Without a prefix the order is drawn by ``ticket``, in proportion to weight and room and against load.

    Args:
        deployments: of the model, at least one.
        prefix: the beginning of the prompt; empty for no affinity.
        tokens: what the request may take, input and output.
        now_s: the time, of the clock that `Deployment` was kept current by.
        ticket: something that differs with each request, such as its id: the source of chance.
    """
    if len(deployments) == 1:
        return Choice(order=tuple(deployments), reason="balanced")
    ready: list[Deployment] = []
    full: list[Deployment] = []
    broken: list[Deployment] = []
    for each in deployments:
        room = each.room(tokens, now_s)
        is_open = each.breaker.state(now_s) == "open"
        (broken if is_open else full if room is not None and room < 1 else ready).append(each)
    tiers = (ready, full, broken)
    if not prefix:
        drawn = [each for tier in tiers for each in _by_room(tier, ticket, tokens, now_s)]
        return Choice(order=tuple(drawn), reason="balanced")
    ranked = [_ranked(tier, [each.weight for each in tier], prefix) for tier in tiers]
    order = [each for tier in ranked for each in sorted(tier, key=lambda each: each.in_flight >= bound(each, tier))]
    pinned = order[0] is next(each for tier in ranked for each in tier)
    return Choice(order=tuple(order), reason="affinity" if pinned else "balanced")


def bound(deployment: Deployment, among: Sequence[Deployment]) -> int:
    """The most requests that one deployment may have under way, one that is about to be sent among them.

    That is 1.25 times its share, by weight, of what all of them have under way, rounded up, and at least eight. They
    cannot all be at their bounds, since these add up to more than there is.
    """
    total_weight = sum(each.weight for each in among)
    share = deployment.weight / total_weight if total_weight else 1 / len(among)
    under_way = sum(each.in_flight for each in among) + 1
    return max(math.ceil(_BOUND_FACTOR * under_way * share), _NOT_BUSY if share else 0)


def _by_room(tier: list[Deployment], ticket: bytes, tokens: int, now_s: float) -> list[Deployment]:
    rooms = [each.room(tokens, now_s) for each in tier]
    known = [room for room in rooms if room]
    typical = sum(known) / len(known) if known else 1.0  # of one that never said: as much as the others have
    shares = [
        each.weight * (typical if room is None else room or 1.0) / (1 + each.in_flight)
        for each, room in zip(tier, rooms, strict=True)
    ]
    return _ranked(tier, shares, ticket)


def _ranked(tier: list[Deployment], shares: list[float], key: bytes) -> list[Deployment]:
    """Weighted rendezvous hashing: each is first for its share of all keys, whoever else is there.

    Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005: the logarithmic method.
    """
    points = {each.name: _point(share, each.name, key) for each, share in zip(tier, shares, strict=True)}
    return sorted(tier, key=lambda each: (-points[each.name], each.name))


def _point(share: float, name: str, key: bytes) -> float:
    digest = hashlib.blake2b(key, digest_size=8, key=name.encode()[-64:]).digest()
    uniform = ((int.from_bytes(digest) >> 12) + 0.5) * _UNIT
    return -share / math.log(uniform)
