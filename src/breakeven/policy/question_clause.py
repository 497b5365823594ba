"""What a question's words bind: the clause itself, and the phrases that prepositions bind to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
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
    """Phrases, and the one moment or quantity; see `clause`."""

    phrases: tuple[Phrase, ...]
    value: str


def clause(given: Sequence[str], relation: str) -> Clause:
    """Take a question's words apart; ``relation`` is a word that is told elsewhere, and only ends what it stands in.

    Where a clause has one verb and one number, moment or quantity at most, the order of what prepositions bind says
    nothing: the clause itself comes first, the rest sorted, and a moment or quantity by itself. Else order may say
    what belongs to what (5 mg for Ann and 10 mg for Bob), so all stays where it is.
    """
    in_order = verbs(given) > 1 or sum(map(_is_value, given)) > 1
    parser = _Parser(relation, in_order=in_order)
    for at, word in enumerate(given):
        parser.take(word, given[at - 1] if at else "", given[at + 1] if at + 1 < len(given) else "")
    parser.end_phrase()
    if in_order:
        return Clause(tuple(_merged(parser.found)), "")
    itself = Phrase("", tuple(word for phrase in parser.found if not phrase.label for word in phrase.words))
    return Clause((itself, *sorted(phrase for phrase in parser.found if phrase.label)), parser.value)


def verbs(given: Sequence[str]) -> int:
    """How many words may be verbs, or relate things otherwise."""
    return sum(map(_may_be_verb, given))


def is_one_deed(given: Sequence[str]) -> bool:
    """Whether there is one thing to do in a clause: it names one, and joins no other to it."""
    pairs = zip(given, [*given[1:], ""], strict=True)
    joined = any(word in words.JOINING or (word == "to" and _may_be_verb(after)) for word, after in pairs)
    return not joined and sum(word.startswith(RELATION) for word in given) == 1


def _may_be_verb(word: str) -> bool:
    return word.startswith(RELATION) or word in words.KNOWN_VERBS


def _is_value(word: str) -> bool:
    return word[0].isdigit() or word.startswith(MOMENT) or bool(_QUANTITY.match(word))


def _merged(found: Sequence[Phrase]) -> Iterator[Phrase]:
    """Phrases in their order, neighbours of the clause itself as one."""
    for is_itself, phrases in groupby(found, key=lambda phrase: not phrase.label):
        if is_itself:
            yield Phrase("", tuple(word for phrase in phrases for word in phrase.words))
        else:
            yield from phrases


class _Parser:
    """Collects words into the phrase that is open; ``parts`` are what "of" joins, the last of them first."""

    def __init__(self, relation: str, *, in_order: bool) -> None:
        self.found: list[Phrase] = []
        self.value = ""
        self._relation, self._in_order = relation, in_order
        self._label = ""
        self._parts: list[list[str]] = [[]]
        self._said_something = False

    def take(self, word: str, before: str, after: str) -> None:
        """One word, between its neighbours."""
        if word == "of":
            self._join(before, after)
        elif word == "to" and _may_be_verb(after):
            self._begin_verb()
        elif word in words.LABELS:
            self.end_phrase()
            self._label = words.LABELS[word]
        elif word.startswith(RELATION):
            self._begin_verb()
            self._parts[-1] += [] if word == self._relation else [word]
        elif _passed_over(word, before):
            if word != "and":
                self.end_phrase()
        elif not self._in_order and not word[0].isdigit() and _is_value(word):
            self.value = self._told(word)
        else:
            self._parts[-1].append(word)

    def _begin_verb(self) -> None:
        """A verb ends what stands before it, but not a preposition that binds it: without paying, than to pay."""
        if not self._label or any(self._parts) or self._said_something:
            self.end_phrase()

    def _join(self, before: str, after: str) -> None:
        """What "of" joins: the price of coffee is the coffee price; a cup of it, or 5 mg of it, stays as it is."""
        if before in words.CONTAINERS:
            self._parts[-1].append("of")
        elif not any(word and _is_value(word) for word in (before, after)):
            self._parts.append([])

    def _told(self, value: str) -> str:
        self._said_something = True
        says_more = self._label not in words.NEUTRAL or value.partition(":")[0] in words.PERIODS  # in, or for 5 days
        return f"{self._label} {value}" if self._label and says_more else value

    def end_phrase(self) -> None:
        """Close the open phrase. A preposition that bound no word is kept, unless it told of a moment or quantity."""
        found = tuple(word for part in reversed(self._parts) for word in part)
        is_plain = bool(found) and self._label in words.NEUTRAL and all(map(_says_when_or_which, found))
        label = "" if is_plain else self._label
        if found or (label and not self._said_something):
            self.found.append(Phrase(label, found))
        self._label, self._parts, self._said_something = "", [[]], False


def _says_when_or_which(word: str) -> bool:
    """A moment or a bare number, of which "in" or "for" says no more; in 5 days and for 5 days are two things."""
    return word[0].isdigit() or word.startswith(MOMENT)


def _passed_over(word: str, before: str) -> bool:
    if word == "you":
        return before in words.BEFORE_SUBJECT
    return word in words.LIGHT or word in words.MODALS
