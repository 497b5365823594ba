"""A provider's prompt cache as its rule describes it: what each request reads, writes and is billed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from breakeven.policy.prompt_cache import Prefix, PromptCacheRule


class CacheUse(NamedTuple):
    """Tokens of one request that came from the cache, and that were written to it."""

    read_tokens: int
    written_tokens: int


class ProviderCache:
    """Prefixes by digest until they expire; requests must come in order of time."""

    def __init__(self, rule: PromptCacheRule) -> None:
        self._rule = rule
        self._until_s: dict[bytes, float] = {}
        self.read_tokens = 0
        self.written_tokens = 0

    def send(self, prefixes: Sequence[Prefix], boundaries: Sequence[int], at_s: float) -> CacheUse:
        """Send a request with marks at these boundaries."""
        cacheable = [place for place in boundaries if prefixes[place].tokens >= self._rule.min_tokens]
        read = max((self._found(prefixes, place, at_s) for place in cacheable), default=-1)
        last = max(cacheable, default=-1)
        read_tokens = prefixes[read].tokens if read >= 0 else 0
        written_tokens = prefixes[last].tokens - read_tokens if last > read else 0
        self._hold(prefixes, self._kept(prefixes, cacheable, read, at_s), at_s + self._rule.ttl_s)
        self.read_tokens += read_tokens
        self.written_tokens += written_tokens
        return CacheUse(read_tokens, written_tokens)

    def billed_tokens(self, input_tokens: int) -> float:
        """The bill of everything sent so far, in fresh tokens, of which the input had this many."""
        saved = self.read_tokens * self._rule.discount
        return input_tokens - saved + self.written_tokens * self._rule.premium

    def _found(self, prefixes: Sequence[Prefix], mark: int, at_s: float) -> int:
        """The longest held prefix that a mark finds by looking back; -1 if none."""
        lookback = mark if self._rule.lookback is None else self._rule.lookback
        for place in range(mark, max(-1, mark - lookback - 1), -1):
            if prefixes[place].tokens >= self._rule.min_tokens and self._holds(prefixes[place], at_s):
                return place
        return -1

    def _kept(self, prefixes: Sequence[Prefix], marks: list[int], read: int, at_s: float) -> Iterable[int]:
        """What is held after a request: what was marked and read or, without a lookback, all up to the last mark."""
        if self._rule.lookback is None:
            return range(max(marks, default=-1) + 1)
        written = [place for place in marks if place > read or self._holds(prefixes[place], at_s)]
        return [*written, read] if read >= 0 else written

    def _holds(self, prefix: Prefix, at_s: float) -> bool:
        return self._until_s.get(prefix.digest, float("-inf")) >= at_s

    def _hold(self, prefixes: Sequence[Prefix], places: Iterable[int], until_s: float) -> None:
        for place in places:
            self._until_s[prefixes[place].digest] = until_s
