"""The store of answers as requests use it: whatever goes wrong with it is a miss, never why a request fails."""

from __future__ import annotations

import logging
from collections import Counter
from time import monotonic, time_ns
from typing import Final

from breakeven.cache.response_store import ResponseStore, StoredAnswer
from breakeven.pipeline.flight import Flight
from breakeven.pipeline.kept import kept
from breakeven.policy.cache_control import CacheControl
from breakeven.policy.cacheability import CacheRule
from breakeven.policy.decision import Operation

LOG: Final = logging.getLogger("breakeven.pipeline")

_TELL_S: Final = 60.0


class AnswerMemory:
    """What is asked of a store. ``not_stored`` counts the answers that were not good enough, by reason."""

    def __init__(self, store: ResponseStore) -> None:
        self.store = store
        self.not_stored: Counter[str] = Counter()
        self._was_down = False
        self._tell_from_s = 0.0

    async def epoch(self, tenant: str) -> int | None:
        """The tenant's epoch; None where it is not known now: then the store is neither asked nor given anything."""
        if (self.store.failure is not None) is not self._was_down:
            self._tell()
        try:
            return await self.store.epoch(tenant)
        except Exception:
            LOG.exception("the cache could not be read")
            return None

    def _tell(self) -> None:
        """Say in the log that the store went or came back; of one that does so all the time, once a minute."""
        now_s, failure = monotonic(), self.store.failure
        if now_s < self._tell_from_s:
            return
        self._was_down, self._tell_from_s = failure is not None, now_s + _TELL_S
        if failure is None:
            LOG.info("the cache can be used again")
        else:
            LOG.warning("the cache cannot be used now: %s", failure)

    async def found(self, key: bytes, control: CacheControl) -> StoredAnswer | None:
        """The answer with this key, if its client takes one of its age."""
        now_ns = time_ns()
        try:
            answer = await self.store.get(key, now_ns)
        except Exception:
            LOG.exception("the cache could not be read")
            return None
        if answer is None or not control.allows_age_ns(now_ns - answer.stored_at_ns):
            return None
        return answer

    def keep(self, key: bytes, flight: Flight, operation: Operation, rule: CacheRule) -> StoredAnswer | None:
        """Remember an answer that has come, and give it, if it is a good one."""
        try:
            answer = kept(flight, operation, rule)
            if isinstance(answer, StoredAnswer):
                self.store.put(key, answer)
                return answer
            self.not_stored[answer] += 1
        except Exception:
            LOG.exception("an answer could not be remembered")
        return None
