"""A question's words rewritten to one wording: what says nothing is dropped, what means the same becomes the same.

Works on texts of tokens. A relation (`question_meanings.RELATIONS`) is written with `RELATION` before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from breakeven.policy import question_meanings as tables
from breakeven.policy.question_words import KNOWN_VERBS
from breakeven.policy.word_forms import base_form

RELATION: Final = "~"
"""Before a word that joins or describes what the question is about."""

_Wordings = Mapping[str, Sequence[tuple[tuple[str, ...], tuple[str, ...]]]]


def without_preface(words: Sequence[str]) -> Sequence[str]:
    """The words without a beginning that asks for nothing, such as "can you tell me"."""
    return _without(words, _PREFACES)


def thing_asked_for(words: Sequence[str]) -> Sequence[str]:
    """The words without a beginning that asks for the thing that follows, such as "what is"."""
    return _without(words, _THINGS)


def _without(words: Sequence[str], beginnings: _Wordings) -> Sequence[str]:
    while (taken := _begins_with(words, beginnings)) and taken[0] < len(words):
        words = words[taken[0] :]
    return words


def question_form(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """What is asked for (``how``, ``when``), empty where a thing is, and the words after it."""
    taken = _begins_with(words, _FORMS)
    if taken is None or (taken[1] == ("how",) and words[0] != "how" and not _is_deed(words[taken[0] :])):
        return "", words
    return taken[1][0], words[taken[0] :]


def _is_deed(words: Sequence[str]) -> bool:
    """Whether a clause begins with a verb: steps to install it, and not steps to the door."""
    return bool(words) and (words[0] in KNOWN_VERBS or reworded(words[:4])[0].startswith(RELATION))


def framed(words: Sequence[str]) -> Sequence[str]:
    """The words with every known frame rewritten."""
    text, present = " ".join(words), set(words)
    for needed, pattern, replacement in _FRAMES:
        if needed <= present:
            framed_text = pattern.sub(replacement, text, count=1)
            if framed_text != text:
                text, present = framed_text, set(framed_text.split(" "))
    return text.split(" ")


def reworded(words: Sequence[str]) -> list[str]:
    """The words with every known wording replaced by the name of its meaning; the longest wording wins."""
    made: list[str] = []
    at = 0
    while at < len(words):
        taken = _begins_with(words[at:], _WORDINGS)
        made += taken[1] if taken else (words[at],)
        at += taken[0] if taken else 1
    return made


def _begins_with(words: Sequence[str], wordings: _Wordings) -> tuple[int, tuple[str, ...]] | None:
    """How many words a wording at the beginning takes, and what it becomes."""
    for wording, becomes in wordings.get(words[0], ()) if words else ():
        if tuple(words[: len(wording)]) == wording:
            return len(wording), becomes
    return None


def read_table(table: str) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Each line of a table as its name and all wordings, the name's own among them."""
    found = []
    for line in re.sub(r"\n {4,}", " ", table).strip().splitlines():
        name, _, others = line.partition(":")
        wordings = [name, *filter(str.strip, others.split(","))]
        found.append((tuple(name.split()), [tuple(_base_forms(each.strip()).split()) for each in wordings]))
    return found


def _beginnings(table: str) -> _Wordings:
    listed = filter(str.strip, table.replace("\n", ",").split(","))
    return _by_first_word([(tuple(_base_forms(each.strip()).split()), ()) for each in listed])


def _by_first_word(pairs: Sequence[tuple[tuple[str, ...], tuple[str, ...]]]) -> _Wordings:
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for wording, becomes in pairs:
        found.setdefault(wording[0], []).append((wording, becomes))
    return {first: sorted(each, key=lambda pair: -len(pair[0])) for first, each in found.items()}


_GAP: Final = re.compile(r"\{([0-9#])\}")
_BETWEEN_CLAUSES: Final = frozenset(("and", "or", "but", "not", "if", "then", "because", "while"))
_PARTICLES: Final = frozenset(("on", "off"))


def _frame(pattern: str, replacement: str) -> tuple[frozenset[str], re.Pattern[str], str]:
    """A frame's own words, its pattern, and what it becomes.

    A gap takes as few words as it can, none of them the frame's own or one that begins another clause; one at the end
    takes the rest.
    """
    plain = _base_forms(pattern.removeprefix("^"))
    needed = frozenset(word for word in plain.split(" ") if "{" not in word)
    excluded = needed | _BETWEEN_CLAUSES | (_PARTICLES if needed & _PARTICLES else frozenset())
    written = _GAP.split(plain)
    body = ""
    for at, part in enumerate(written):
        is_last = at == len(written) - 2 and not written[-1]
        body += re.escape(part) if at % 2 == 0 else _gap(part, excluded, takes_rest=is_last)
    begin = "^" if pattern.startswith("^") else r"(?<!\S)"
    return needed, re.compile(rf"{begin}{body}(?!\S)"), _GAP.sub(_gap_again, _base_forms(replacement))


def _gap(name: str, excluded: frozenset[str], *, takes_rest: bool) -> str:
    if name == "#":
        return r"(?P<quantity>[^\s:]+:[\d.,]+)"
    if takes_rest:
        return rf"(?P<g{name}>\S+(?: \S+)*)"
    word = rf"(?!(?:{'|'.join(sorted(map(re.escape, excluded)))})(?!\S))\S+"
    return rf"(?P<g{name}>{word}(?: {word})*?)"


def _gap_again(gap: re.Match[str]) -> str:
    return r"\g<quantity>" if gap[1] == "#" else rf"\g<g{gap[1]}>"


def _base_forms(text: str) -> str:
    return " ".join(map(base_form, text.split(" ")))


_RELATIONS: Final = [
    (wording, (f"{RELATION}{name[0]}", *name[1:]))
    for name, wordings in read_table(tables.RELATIONS)
    for wording in wordings
]
_TERMS: Final = [(wording, name) for name, others in read_table(tables.TERMS) for wording in others]
_WORDINGS: Final = _by_first_word([*_RELATIONS, *_TERMS])
_PREFACES: Final = _beginnings(tables.SAYS_NOTHING)
_THINGS: Final = _beginnings(tables.ASKS_FOR_A_THING)
_FORMS: Final = _by_first_word(
    [(wording, name) for name, others in read_table(tables.QUESTION_FORMS) for wording in others]
)
_FRAMES: Final = [_frame(*frame) for frame in tables.FRAMES]
