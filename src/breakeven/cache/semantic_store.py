"""Which answers were given to which questions, by what a question means: in memory, and without its words.

A partition is all of a request but its question, its tenant included (`cache_key` of the rest). In it an entry is found
by the digest of the question's normal form, so finding one takes the same time however many there are; comparing with
every vector of the partition would find the same, since the guard asks for equal forms anyway. The vector of the
question is kept to see whether it is near enough, and of the answer only the key under which the exact cache has it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Final, NamedTuple

from breakeven.cache.embedding import Vectors, cosine
from breakeven.policy.lexical_guard import Form
from breakeven.policy.semantic_rule import SemanticRule

MOST_ENTRIES: Final = 50_000
"""About 1.5 KB each. Those unused for longest make room; after a restart they are gathered anew."""


class Entry(NamedTuple):
    """One question that was answered: its vector, the key of its answer, and when that expires."""

    vector: Vectors
    key: bytes
    expires_at_ns: int


class SemanticStore:
    """Entries by partition and form. Each form has one: the newest."""

    def __init__(self, most_entries: int = MOST_ENTRIES) -> None:
        self._most_entries = most_entries
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, partition: bytes, form: Form, entry: Entry) -> None:
        """Remember an answer of a question; the least used entry makes room."""
        name = _name(partition, form)
        self._entries[name] = entry
        self._entries.move_to_end(name)
        while len(self._entries) > self._most_entries:
            self._entries.popitem(last=False)

    def find(self, partition: bytes, form: Form, vector: Vectors, rule: SemanticRule, now_ns: int) -> bytes | None:
        """The key of an answer to a question of this form that is near enough, None where there is none that holds."""
        name = _name(partition, form)
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.expires_at_ns <= now_ns:
            del self._entries[name]
            return None
        if cosine(entry.vector, vector) < rule.similarity:
            return None
        self._entries.move_to_end(name)
        return entry.key


def _name(partition: bytes, form: Form) -> bytes:
    return sha256(partition + repr(form).encode("utf-8", "surrogatepass")).digest()
