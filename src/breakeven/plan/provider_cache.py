"""A provider's prompt cache as its documentation has it: what a marked prompt reads from it and writes to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from breakeven.policy.prompt_cache import Prefix, PromptCacheRule

_FIRST_SWEEP: Final = 65_536


class Cached(NamedTuple):
    """What one prompt reads from the cache and writes to it, tokens; the rest of it is fresh."""

    read_tokens: int
    written_tokens: int


class ProviderCache:
    """Bills prompts in order of time. What has expired is forgotten, so memory is bounded by what one life writes.

    A prefix is stored at each mark. At a mark, the longest stored prefix that ends there or at one of the ``lookback``
    boundaries before it is read. Without a lookback every boundary below a mark is stored, and can be read.
    """

    def __init__(self, rule: PromptCacheRule) -> None:
        self._rule = rule
        self._until_s: dict[bytes, float] = {}
        self._sweep_at = _FIRST_SWEEP

    def bill(self, prefixes: Sequence[Prefix], marks: Sequence[int], at_s: float) -> Cached:
        """What a prompt with marks at these boundaries, ascending, reads and writes."""
        places = [place for place in marks if prefixes[place].tokens >= self._rule.min_tokens]
        if not places:
            return Cached(0, 0)
        hit = max(self._hit(prefixes, place, at_s) for place in places)
        read = prefixes[hit].tokens if hit >= 0 else 0
        stored = range(places[-1] + 1) if self._rule.lookback is None else [*places, *([hit] if hit >= 0 else [])]
        for place in stored:
            self._until_s[prefixes[place].digest] = at_s + self._rule.ttl_s
        if len(self._until_s) > self._sweep_at:
            self._sweep(at_s)
        return Cached(read, max(prefixes[places[-1]].tokens - read, 0))

    def _hit(self, prefixes: Sequence[Prefix], place: int, at_s: float) -> int:
        """The boundary that is read at a mark; -1 for none."""
        lookback = place if self._rule.lookback is None else self._rule.lookback
        for back in range(place, max(place - lookback, 0) - 1, -1):
            if prefixes[back].tokens < self._rule.min_tokens:
                return -1
            if self._until_s.get(prefixes[back].digest, float("-inf")) >= at_s:
                return back
        return -1

    def _sweep(self, at_s: float) -> None:
        self._until_s = {digest: until for digest, until in self._until_s.items() if until >= at_s}
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._until_s))
