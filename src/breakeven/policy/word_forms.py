"""Words in the form that a dictionary lists, where the ending says nothing."""

from __future__ import annotations

import re
from typing import Final

from breakeven.policy import question_words as words

_BRITISH: Final = re.compile(r"(?<!s)iz(e|ed|es|ing|ation|ations|er|ers)\Z")
_OUR: Final = re.compile(r"(col|fav|behavi|neighb|lab|hon|hum)or")
_SHORTEST: Final = 4
"""Letters. Shorter words have no ending to lose: gas, is, bed."""


def base_form(word: str) -> str:
    """The base form of a lower-case word; of a verb's only where the verb is a known one.

    >>> [base_form(word) for word in ("cities", "bought", "changing", "cancelled", "marketing", "summarize")]
    ['city', 'buy', 'change', 'cancel', 'marketing', 'summarise']
    """
    if word in words.IRREGULAR:
        return words.IRREGULAR[word]
    if word in words.KEEP_AS_WRITTEN or len(word) < _SHORTEST:
        return word
    word = _OUR.sub(r"\1our", _BRITISH.sub(r"is\1", word) if len(word) > _SHORTEST + 1 else word)
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            return _verb(word.removesuffix(ending)) or word
    return _singular(word) if word.endswith("s") else word


def _verb(stem: str) -> str | None:
    doubled = stem[-1:] == stem[-2:-1]
    candidates = (stem, f"{stem}e", stem[:-1] if doubled else stem, f"{stem[:-1]}y")
    return next((each for each in candidates if each in words.KNOWN_VERBS), None)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > _SHORTEST:
        return f"{word[:-3]}y"
    if word.endswith(("ss", "us", "is")):
        return word
    if word.endswith(("sses", "xes", "zes", "ches", "shes")) and word[:-1] not in words.KNOWN_VERBS:
        return word[:-2]
    return word[:-1]
