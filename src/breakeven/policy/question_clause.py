"""What a question's words bind: the clause itself, and the phrases that prepositions bind to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from breakeven.policy import question_words as words
from breakeven.policy.question_phrases import RELATION

MOMENT: Final = "@"
"""Before a text that is a moment."""

_QUANTITY: Final = re.compile(r"[^\s:\"@]+:[\d.,]+\Z")


class Phrase(NamedTuple):
    """What one preposition binds: ``label`` is what binds alike (``to``, ``in``), empty for the clause itself."""

    label: str
    words: tuple[str, ...]


class Clause(NamedTuple):
    """Phrases, the clause itself first and the bound ones sorted; moments and quantities in the question's order."""

    phrases: tuple[Phrase, ...]
    moments: tuple[str, ...]
    quantities: tuple[str, ...]


def clause(given: Sequence[str], relation: str) -> Clause:
    """Take a question's words apart; ``relation`` is a word that is told elsewhere, and only ends what it stands in."""
    parser = _Parser(relation)
    for at, word in enumerate(given):
        parser.take(word, given[at - 1] if at else "", given[at + 1] if at + 1 < len(given) else "")
    parser.end_phrase()
    bound = tuple(sorted(parser.bound))
    by_unit = sorted(parser.quantities, key=lambda quantity: quantity.rpartition(":")[0])
    return Clause((Phrase("", tuple(parser.main)), *bound), tuple(parser.moments), tuple(by_unit))


class _Parser:
    """Collects words into the phrase that is open; ``parts`` are what "of" joins, the last of them first."""

    def __init__(self, relation: str) -> None:
        self.main: list[str] = []
        self.bound: list[Phrase] = []
        self.moments: list[str] = []
        self.quantities: list[str] = []
        self._relation = relation
        self._label = ""
        self._parts: list[list[str]] = [[]]
        self._said_something = False

    def take(self, word: str, before: str, after: str) -> None:
        """One word, between its neighbours."""
        if word == "of":
            self._join(before)
        elif word == "to" and (after.startswith(RELATION) or after in words.KNOWN_VERBS):
            self.end_phrase()
        elif word in words.LABELS:
            self.end_phrase()
            self._label = words.LABELS[word]
        elif word.startswith(RELATION):
            self.end_phrase()
            self._parts[-1] += [] if word == self._relation else [word]
        elif _passed_over(word, before):
            if word != "and":
                self.end_phrase()
        elif word.startswith(MOMENT):
            self.moments.append(self._told(word.removeprefix(MOMENT)))
        elif _QUANTITY.match(word):
            self.quantities.append(self._told(word))
        else:
            self._parts[-1].append(word)

    def _join(self, before: str) -> None:
        """What "of" joins: the price of coffee is the coffee price; a cup of it, or 5 mg of it, stays as it is."""
        if before in words.CONTAINERS:
            self._parts[-1].append("of")
        elif not before[:1].isdigit() and not _QUANTITY.match(before):
            self._parts.append([])

    def _told(self, value: str) -> str:
        self._said_something = True
        says_more = self._label not in words.NEUTRAL or value.partition(":")[0] in words.PERIODS  # in, or for 5 days
        return f"{self._label} {value}" if self._label and says_more else value

    def end_phrase(self) -> None:
        """Close the open phrase. A preposition that bound no word is kept, unless it told of a moment or quantity."""
        found = [word for part in reversed(self._parts) for word in part]
        is_plain = self._label in words.NEUTRAL and all(word[0].isdigit() for word in found)
        if not self._label or (is_plain and found):
            self.main += found
        elif found or not self._said_something:
            self.bound.append(Phrase(self._label, tuple(found)))
        self._label, self._parts, self._said_something = "", [[]], False


def _passed_over(word: str, before: str) -> bool:
    if word == "you":
        return before in words.BEFORE_SUBJECT
    return word in words.LIGHT or word in words.MODALS
