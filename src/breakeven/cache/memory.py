"""Answers in this process's memory: those used last, up to so many bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from breakeven.cache.response_store import StoredAnswer

ENTRY_BYTES: Final = 800
"""About what an answer takes beside its own bytes: the objects around it, and its place here."""


def weight_bytes(answer: StoredAnswer) -> int:
    """About how much memory an answer takes."""
    return ENTRY_BYTES + sum(map(len, answer.pieces)) + 33 * (len(answer.pieces) + len(answer.call_ids))


class MemoryFront:
    """The answers that were used last. One that is too old is dropped when it is asked for, or when room is needed.

    An answer of more than an eighth of the room is not kept, since it would push out too many others.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._answers: OrderedDict[bytes, StoredAnswer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes, now_ns: int) -> StoredAnswer | None:
        """The answer with this key, if it is there and has not expired."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.expires_at_ns <= now_ns:
            self.drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer in the place of one with the same key, and of those that were used longest ago."""
        self.drop(key)
        weight = weight_bytes(answer)
        if weight > self.max_bytes // 8:
            return
        self._answers[key] = answer
        self.used_bytes += weight
        while self.used_bytes > self.max_bytes:
            _, oldest = self._answers.popitem(last=False)
            self.used_bytes -= weight_bytes(oldest)

    def drop(self, key: bytes) -> None:
        """Forget an answer, if it is there."""
        answer = self._answers.pop(key, None)
        if answer is not None:
            self.used_bytes -= weight_bytes(answer)
