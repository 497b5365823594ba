"""How much a token that is in a provider's cache is worth: learned from which prefixes came again, and when.

A prefix that is sent belongs to a class: how often it had been sent before, whether it is the whole prompt, how much
of the prompt is new, how long the prompt is. Every request teaches every class on its way, whatever was marked,
because what would have been read is known without having bet on it.

In each class the chance to come again before expiry is a product over stretches of age, so that requests which are
still too young to judge count for the ages they have reached and for no more (the estimator of Kaplan and Meier, with
the risk counted on entering a stretch, so that it errs downwards). A class with few observations leans on its parent.

What a live token is worth follows from the chance p: ``worth = p * (discount + min(premium, next worth))``. It saves
the discount when it is read; and then it need not be written again, which is worth the premium or, where writing it
again would not pay, what it is worth itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from math import prod
from typing import Final

from breakeven.policy.prompt_cache import PromptCacheRule

AGE_EDGES: Final = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Ends of the stretches of age, as shares of the time to expiry."""

PRIOR_REQUESTS: Final = 1.0
"""What a class's parent counts for, in requests of mean length; the root's parent never sees anything again."""

MAX_PENDING: Final = 50_000
"""Groups that wait for an age; beyond it, the oldest count as older than they are, which errs downwards."""

ClassKey = tuple[int, ...]


class ReuseClass:
    """What is known of prefixes of one kind, in requests of mean length by stretch of age."""

    __slots__ = ("again", "at_risk", "gained", "parent")

    def __init__(self, parent: ReuseClass | None) -> None:
        self.parent = parent
        self.at_risk = [0.0] * len(AGE_EDGES)
        self.again = [0.0] * len(AGE_EDGES)
        self.gained = 0.0

    def chances(self) -> list[float]:
        """Chance to come again within each stretch of age, having reached it."""
        parents = self.parent.chances() if self.parent is not None else [0.0] * len(AGE_EDGES)
        return [
            (again + PRIOR_REQUESTS * parent) / (at_risk + PRIOR_REQUESTS)
            for again, at_risk, parent in zip(self.again, self.at_risk, parents, strict=True)
        ]

    def gain_of_coming(self, discount: float) -> float:
        """What a live token gains when its prefix comes again."""
        above = self.parent.gain_of_coming(discount) if self.parent is not None else discount
        return (self.gained + PRIOR_REQUESTS * above) / (sum(self.again) + PRIOR_REQUESTS)

    def worth(self, discount: float) -> float:
        """What a token of this class is worth in the cache, in fresh tokens."""
        comes_again = 1 - prod(1 - chance for chance in self.chances())
        return comes_again * self.gain_of_coming(discount)


class Group:
    """The prefixes of one request that are of the same classes; ``waiting`` is what has not come again yet."""

    __slots__ = ("at_s", "classes", "waiting", "worth")

    def __init__(self, at_s: float, classes: tuple[ReuseClass, ...], worth: float) -> None:
        self.at_s = at_s
        self.classes = classes
        self.worth = worth
        self.waiting = 0.0

    def wait(self, weight: float) -> None:
        """Add a prefix that was just sent."""
        self.waiting += weight
        for known in self.classes:
            known.at_risk[0] += weight


class ReuseModel:
    """Learns the worth of cached tokens by class; time and memory are bounded, whatever the traffic."""

    def __init__(self, rule: PromptCacheRule) -> None:
        self._rule = rule
        self._edges_s = [share * rule.ttl_s for share in AGE_EDGES]
        self._root = ReuseClass(None)
        self._classes: dict[ClassKey, ReuseClass] = {}
        self._waiting: list[deque[Group]] = [deque() for _ in AGE_EDGES[:-1]]

    def age(self, at_s: float) -> None:
        """Let time pass: groups that reach the next stretch of age are at risk in it."""
        for stretch, queue in enumerate(self._waiting):
            reached_s = at_s - self._edges_s[stretch]
            while queue and (queue[0].at_s < reached_s or len(queue) > MAX_PENDING):
                self._enter(queue.popleft(), stretch + 1)

    def _enter(self, group: Group, stretch: int) -> None:
        for known in group.classes:
            known.at_risk[stretch] += group.waiting
        if stretch < len(self._waiting) and group.waiting > 0:
            self._waiting[stretch].append(group)

    def group(self, at_s: float, kind: ClassKey, traits: Iterable[ClassKey]) -> Group:
        """The group of a request's prefixes of a kind, each trait being a class within it; worth is their mean."""
        parent = self._class(kind, self._root)
        leaves = [self._class(kind + trait, parent) for trait in traits]
        worth = sum(leaf.worth(self._rule.discount) for leaf in leaves) / len(leaves)
        group = Group(at_s, (*leaves, parent, self._root), worth)
        self._waiting[0].append(group)
        return group

    def came_again(self, group: Group, weight: float, age_s: float, worth: float) -> None:
        """Tell that a prefix of a group was sent again, and what it is worth in the cache from now on."""
        stretch = bisect_left(self._edges_s, age_s)
        group.waiting -= weight
        if stretch == len(self._edges_s):
            return
        gain = weight * (self._rule.discount + min(self._rule.premium, worth))
        for known in group.classes:
            known.again[stretch] += weight
            known.gained += gain

    def _class(self, key: ClassKey, parent: ReuseClass) -> ReuseClass:
        known = self._classes.get(key)
        if known is None:
            known = self._classes[key] = ReuseClass(parent)
        return known
