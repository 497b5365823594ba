"""Which prefixes were sent, with a bound on how many are remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from breakeven.policy.prompt_cache import Prefix
from breakeven.policy.prompt_cache_reuse import Group

SEEN: Final = 0
"""The rule that marks what was sent before."""
ALL: Final = 1
"""The rule that marks every prompt to its end."""
LEARNED: Final = 2
"""The rule that marks what is worth more than its premium, whatever it has."""
OURS: Final = 3
"""What is really done: the learned rule, as far as the purse goes."""
RULES: Final = 4

NEVER_S: Final = float("-inf")


class Sent:
    """A prefix that was sent: when last, how often, and until when it would be held by the cache of each rule.

    ``group`` is where its last sending waits to be sent again, with ``weight``.
    """

    __slots__ = ("group", "last_s", "times", "until_s", "weight")

    def __init__(self) -> None:
        self.last_s = NEVER_S
        self.times = 0
        self.group: Group | None = None
        self.weight = 0.0
        self.until_s = [NEVER_S] * RULES


class SentMemory:
    """Prefixes by digest, in two generations: when the young one is full, what it did not touch is forgotten."""

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, max_prefixes: int) -> None:
        self._limit = max(1, max_prefixes // 2)
        self._young: dict[bytes, Sent] = {}
        self._old: dict[bytes, Sent] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def path(self, prefixes: Sequence[Prefix]) -> list[Sent]:
        """What is known of each prefix of a request; new ones are remembered from now on."""
        if len(self._young) >= self._limit:
            self.turn()
        return [self._touch(prefix.digest) for prefix in prefixes]

    def turn(self) -> None:
        """Begin a young generation, and forget of the older one what the last did not touch."""
        self._young, self._old = {}, self._young

    def _touch(self, digest: bytes) -> Sent:
        sent = self._young.get(digest)
        if sent is None:
            sent = self._young[digest] = self._old.pop(digest) if digest in self._old else Sent()
        return sent

    def items(self) -> list[tuple[bytes, Sent]]:
        """Everything that is remembered, the older generation first."""
        return [*self._old.items(), *self._young.items()]

    def restore(self, digest: bytes, sent: Sent) -> None:
        """Remember a prefix as it was exported."""
        self._young[digest] = sent
