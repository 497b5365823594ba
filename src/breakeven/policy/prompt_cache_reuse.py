"""How much a token in a provider's cache is worth: learned from which prefixes were sent again, and when.

A prefix that is sent belongs to a kind: how often it had been sent before, and whether it is the whole prompt. Within
the kind it has traits: how much of the prompt is new, and how long the prompt is. Every request teaches all of its
kinds and traits, whatever was marked, because what would have been read is known without having bet on it.

In each class the chance to be sent again before expiry is a product over stretches of age, so that what is still too
young to judge counts for the ages it has reached and for no more (the estimator of Kaplan and Meier, 1958; the risk
counts on entering a stretch, so that it errs downwards). A class of which little is known leans on its parent.

What a live token is worth follows from the chance p: ``worth = p * (discount + min(premium, its next worth))``. Being
read saves the discount. And then it need not be written again: that is worth the premium or, where writing it again
would not pay, what it is worth by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from math import prod
from typing import Final

from breakeven.policy.prompt_cache import PromptCacheRule

AGE_EDGES: Final = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Ends of the stretches of age, as shares of the time to expiry."""

PARENT_REQUESTS: Final = 0.5
"""For how many requests a class's parent counts. The root leans on this much of a prefix that is never sent again."""

MAX_WAITING: Final = 50_000
"""Groups that wait for each age. Beyond it the oldest count as older than they are, which errs downwards."""

ClassKey = tuple[int, ...]


class ReuseClass:
    """What is known of one class of prefixes, in requests of mean length; two lists are by stretch of age."""

    __slots__ = ("again", "at_risk", "gained", "judged")

    def __init__(self) -> None:
        self.at_risk = [0.0] * len(AGE_EDGES)
        self.again = [0.0] * len(AGE_EDGES)
        self.judged = 0.0
        self.gained = 0.0

    def chances(self, parents: list[float]) -> list[float]:
        """Chance to be sent again within each stretch of age, for what has reached it."""
        return [
            (again + PARENT_REQUESTS * parent) / (at_risk + PARENT_REQUESTS)
            for again, at_risk, parent in zip(self.again, self.at_risk, parents, strict=True)
        ]

    def gain_if_again(self, parents: float) -> float:
        """What a live token gains when it is sent again."""
        return (self.gained + PARENT_REQUESTS * parents) / (self.judged + PARENT_REQUESTS)


class Group:
    """Prefixes of one request in the same classes; ``waiting`` is the weight of those not sent again yet."""

    __slots__ = ("at_s", "classes", "keys", "waiting", "worth")

    def __init__(self, at_s: float, keys: tuple[ClassKey, ...], classes: tuple[ReuseClass, ...], worth: float) -> None:
        self.at_s = at_s
        self.keys = keys
        self.classes = classes
        self.worth = worth
        self.waiting = 0.0


class ReuseModel:
    """Learns the worth of cached tokens by class. Time and memory are bounded, whatever the traffic."""

    __slots__ = ("_edges_s", "_most", "_premium", "classes", "waiting")

    def __init__(self, rule: PromptCacheRule) -> None:
        self._edges_s = [share * rule.ttl_s for share in AGE_EDGES]
        self._premium = rule.premium
        self._most = rule.discount + rule.premium
        self.classes: dict[ClassKey, ReuseClass] = {}
        self.waiting: list[deque[Group]] = [deque() for _ in AGE_EDGES[:-1]]

    def age(self, at_s: float) -> None:
        """Let time pass: groups that reach the next stretch of age are at risk in it."""
        for stretch, queue in enumerate(self.waiting):
            reached_s = at_s - self._edges_s[stretch]
            while queue and (queue[0].at_s < reached_s or len(queue) > MAX_WAITING):
                self._enter(queue.popleft(), stretch + 1)

    def group(self, at_s: float, kind: ClassKey, traits: Sequence[ClassKey]) -> Group:
        """Some of a request's prefixes, by kind (times sent, whole prompt) and traits; worth is their mean."""
        keys = (*[kind + trait for trait in traits], kind, (min(kind[0], 1),), ())
        group = self.known_group(at_s, keys)
        self.waiting[0].append(group)
        return group

    def known_group(self, at_s: float, keys: tuple[ClassKey, ...]) -> Group:
        """A group by the keys of its classes: traits, kind, sent before or not, root."""
        classes = tuple([self.known_class(key) for key in keys])
        return Group(at_s, keys, classes, self._worth(classes[:-3], classes[-3:]))

    def _worth(self, leaves: Sequence[ReuseClass], above: Sequence[ReuseClass]) -> float:
        """What a live token is worth by the mean of the leaves; before anything is known, a read gains the most."""
        chances, gain = [0.0] * len(AGE_EDGES), self._most
        for known in reversed(above):
            chances, gain = known.chances(chances), known.gain_if_again(gain)
        worths = [
            (1 - prod([1 - chance for chance in leaf.chances(chances)])) * leaf.gain_if_again(gain) for leaf in leaves
        ]
        return sum(worths) / len(worths)

    def sent(self, group: Group, weight: float) -> None:
        """Add a prefix that is sent now to its group."""
        group.waiting += weight
        for known in group.classes:
            known.at_risk[0] += weight

    def again(self, group: Group, weight: float, age_s: float) -> bool:
        """Tell that a prefix of a group is sent again. Returns whether it was before expiry."""
        stretch = bisect_left(self._edges_s, age_s)
        group.waiting -= weight
        if stretch == len(self._edges_s):
            return False
        for known in group.classes:
            known.again[stretch] += weight
        return True

    def judge(self, group: Group, weight: float, worth: float) -> None:
        """Tell what a prefix that was sent again in time is worth from then on."""
        gain = weight * (self._most - self._premium + min(self._premium, worth))
        for known in group.classes:
            known.judged += weight
            known.gained += gain

    def _enter(self, group: Group, stretch: int) -> None:
        for known in group.classes:
            known.at_risk[stretch] += group.waiting
        if stretch < len(self.waiting) and group.waiting > 0:
            self.waiting[stretch].append(group)

    def known_class(self, key: ClassKey) -> ReuseClass:
        """The class of a key, new if there was none."""
        known = self.classes.get(key)
        if known is None:
            known = self.classes[key] = ReuseClass()
        return known
