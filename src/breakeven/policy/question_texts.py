"""Tokens as the words that rewriting works on: without articles, and with what their neighbours decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from breakeven.policy import question_words as words
from breakeven.policy.question_clause import MOMENT
from breakeven.policy.question_pieces import NOTHING, Token

_PAST_ENDINGS: Final = ("ed", "t", "n", "d", "m", "e", "g", "k", "w")
"""Of regular and irregular past forms: paid, sent, broken, swum, done, sang, drank, knew."""


def texts(found: Sequence[Token]) -> list[str]:
    """One word a token. Moments begin with `MOMENT` and quoted texts with a quotation mark; neither has a blank."""
    made: list[str] = []
    for at, token in enumerate(found):
        before = found[at - 1] if at else NOTHING
        if _is_age(token, before):
            made[-1] = f"old-{made[-1]}"
        else:
            made += _text(token, before, found[at + 1 :])
    return made


def is_past(token: Token) -> bool:
    """Whether a word is written as a past form or participle of a verb: bought, and not buys, buying or buy."""
    written = token.surface.casefold()
    if token.kind != "word" or written == token.text or token.text in {"be", "do", "have"}:
        return written == "been"
    return written.endswith(_PAST_ENDINGS) and not written.endswith("ing")


def _text(token: Token, before: Token, rest: Sequence[Token]) -> tuple[str, ...]:
    """What a token becomes, empty where it says nothing."""
    after = rest[0] if rest else NOTHING
    if token.kind == "time":
        return (MOMENT + token.text,)
    if token.kind == "quote":
        return ('"' + token.text.replace(" ", "\N{OPEN BOX}"),)
    if token.kind != "word":
        return (token.text,)
    if token.text in words.DETERMINERS | {"i"} | words.EACH:
        return _article(token, before, after)
    if _goes_without_saying(token, after):
        return ()
    return (_word(token, before, rest),)


def _article(token: Token, before: Token, after: Token) -> tuple[str, ...]:
    """An article is dropped, unless it is a rate (five a day), a letter (plan A), or part of "a few"."""
    if token.text in words.EACH and after.text in words.PERIODS:
        return ("per",)
    if _is_letter(token, before, after):
        return (token.surface.upper(),)
    is_article = token.text in words.DETERMINERS and after.text not in words.FEW
    return () if is_article else (token.text,)


def _word(token: Token, before: Token, rest: Sequence[Token]) -> str:
    written = token.surface.casefold()
    if written == "using":
        return "with"
    if token.text == "have" and any(map(is_past, rest)):
        return "do"  # an auxiliary
    if before.text in words.DETERMINERS and is_past(token) and rest and rest[0].kind == "word":
        return written  # the blocked users are not the blocking ones
    return token.text


def _is_letter(token: Token, before: Token, after: Token) -> bool:
    """Whether an "a" or "I" is a name: plan A, Type I."""
    if not before.surface or token.text not in {"a", "i"}:
        return False
    if token.text == "a":
        return token.surface == "A" or not after.surface
    is_named = before.surface[0].isupper() and before.text not in words.OPENINGS
    return (token.surface == "I" and is_named) or not after.surface


def _goes_without_saying(token: Token, after: Token) -> bool:
    """Words that a number after them says already: version 2, weighing 10 kg."""
    return (token.text == "version" and after.kind == "number") or (token.text == "weigh" and after.kind == "quantity")


def _is_age(token: Token, before: Token) -> bool:
    return token.text == "old" and before.kind == "quantity" and before.text.partition(":")[0] in words.PERIODS
