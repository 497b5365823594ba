"""Whether one question may have another's answer, as far as words tell.

Each question is brought to a normal form, and two may share an answer only where their forms are equal. The world is
closed: a word is passed over only where a list says that it carries nothing, and two words are one only where a list
says that they mean the same. Every other word, number, unit, name and sign has to be in both, in the same order or
bound by the same preposition. So the relation is an equivalence, and what the lists do not know costs a hit only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from breakeven.policy import question_words as words
from breakeven.policy.question_clause import Phrase, clause
from breakeven.policy.question_phrases import (
    RELATION,
    framed,
    question_form,
    reworded,
    thing_asked_for,
    without_preface,
)
from breakeven.policy.question_pieces import Token
from breakeven.policy.question_texts import is_past, texts
from breakeven.policy.question_tokens import tokens

GUARD_VERSION: Final = 1
"""Goes up whenever a list or a rule changes which questions have equal forms: older evidence is of another guard."""

LONGEST: Final = 1_000
"""Characters. What is longer is no question that another wording of would be recognised."""

YES_OR_NO: Final = "yes_or_no"

_MIDDLE: Final = frozenset({"release", "change", "start", "stop", "open", "close"})
"""Relations of which "it is released" and "it comes out" say one thing."""


class Form(NamedTuple):
    """The normal form of a question. Equal forms, equal questions, as far as words tell.

    ``asks`` is what is asked for (``how``, ``when``, ``yes_or_no``), empty for a thing; ``manner`` its modal verb, time
    and voice; ``relation`` is what one asks how to do, wherever it stands ("how can it be hidden", "how do I hide it"),
    empty where that is not one thing: then all stay in place. ``phrases`` begins with the clause itself and is sorted
    beyond it; ``moments`` and ``quantities`` are in the order of the question, those of each unit by themselves.
    """

    asks: str
    manner: tuple[str, ...]
    relation: str
    phrases: tuple[Phrase, ...]
    moments: tuple[str, ...]
    quantities: tuple[str, ...]


def may_share_answer(first: Form, second: Form) -> bool:
    """Whether two questions of these forms may have one answer.

    >>> may_share_answer(form("How do I enable dark mode?"), form("What are the steps to turn on dark mode?"))
    True
    >>> may_share_answer(form("How do I enable dark mode?"), form("How do I disable dark mode?"))
    False
    """
    return first == second


def difference(first: Form, second: Form) -> str:
    """The first part in which two forms differ (``relation``), empty where they are equal."""
    pairs = zip(Form._fields, first, second, strict=True)
    return next((name for name, one, other in pairs if one != other), "")


def form(text: str) -> Form:
    """The normal form of a question; of one that is longer than `LONGEST`, or says nothing that is known, its text."""
    if len(text) > LONGEST:
        return _verbatim(text)
    found = tokens(text.lower() if text.isupper() else text)
    asked = framed(without_preface(texts(found)))
    asks, rest = question_form(thing_asked_for(asked))
    if asked[:1] and asked[0] in words.OPENINGS:
        asks = YES_OR_NO
    told = reworded(rest)
    relations = [word for word in told if word.startswith(RELATION)]
    relation = relations[0] if asks == "how" and len(relations) == 1 else ""
    voice, told = _voice(found, asks, told)
    parts = clause(told, relation)
    if not (relation or parts.moments or parts.quantities or any(phrase.words for phrase in parts.phrases)):
        return _verbatim(text)
    return Form(
        asks="deed" if not asks and list(asked[:2]) == ["what", "do"] else asks,
        manner=(_modal(asks, asked), _tense(found, asks), voice, _subject(asks, asked)),
        relation=relation.removeprefix(RELATION),
        phrases=parts.phrases,
        moments=parts.moments,
        quantities=parts.quantities,
    )


def _verbatim(text: str) -> Form:
    return Form("", (), "", (Phrase("", (text,)),), (), ())


def _modal(asks: str, asked: Sequence[str]) -> str:
    """The modal verb; "how can I" and "how should I" ask what "how do I" asks."""
    return "" if asks == "how" else next((words.MODALS[word] for word in asked if word in words.MODALS), "")


def _tense(found: Sequence[Token], asks: str) -> str:
    written = [token.surface.casefold() for token in found if token.kind == "word"]
    if not words.FUTURE.isdisjoint(written):
        return "future"
    who_did = asks == "who" and len(found) > 1 and is_past(found[1])
    perfect = any(token.text == "have" and any(map(is_past, found[at + 1 :])) for at, token in enumerate(found))
    return "past" if who_did or perfect or not words.PAST.isdisjoint(written) else ""


def _subject(asks: str, asked: Sequence[str]) -> str:
    """Of whom it is asked: may I see it, as against may you, or may my manager."""
    if asks != YES_OR_NO or len(asked) < 2 or asked[1] not in words.ANYBODY:
        return ""
    return "you" if asked[1] == "you" else "self"


def _voice(found: Sequence[Token], asks: str, told: list[str]) -> tuple[str, list[str]]:
    """Who acts and who is acted on: the voice, and the words with a passive's agent and verb where an active's are."""
    of_thing = told[:1] and told[0] in words.THINGS
    told = told[1:] if of_thing else told
    of_which = asks == "who" or (of_thing and told[:1] != ["do"])
    if of_which and "do" in told:
        return "object", told
    if "be" not in told or not any(map(is_past, found)):
        return "", told
    by = next((at for at in range(1, len(told)) if told[at] == "by" and _is_verb(told[at - 1])), None)
    if by is not None:
        end = next((place for place in range(by + 1, len(told)) if told[place] in words.LABELS), len(told))
        agent, subject, verb, rest = told[by + 1 : end], told[: by - 1], told[by - 1], told[end:]
        return ("object", [*subject, *agent, verb, *rest]) if of_which else ("", [*agent, verb, *subject, *rest])
    is_middle = any(word.removeprefix(RELATION) in _MIDDLE for word in told)
    return ("" if asks == "how" or is_middle else "passive"), told


def _is_verb(word: str) -> bool:
    return word.startswith(RELATION) or word in words.KNOWN_VERBS
