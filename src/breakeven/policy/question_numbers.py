"""Numbers in words as numbers, and numbers with the unit after them as quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from breakeven.policy import question_words as words
from breakeven.policy.question_pieces import NOTHING, Token, amount, unit_of

_PLAIN: Final = re.compile(r"\d+(\.\d+)?\Z")
_NO_NUMBER_BEFORE: Final = words.OPENINGS | {"no", "any", "which", "every", "each", "some", "this", "that"}
"""Words after which "one" is somebody or something."""


def with_numbers(found: Sequence[Token]) -> list[Token]:
    """Numbers in words as numbers: ``two hundred and fifty`` is 250, ``third`` is 3th."""
    made: list[Token] = []
    at = 0
    while at < len(found):
        before = made[-1] if made else NOTHING
        end, value = _spelled(found, at, before)
        made.append(Token("number", value, found[at].surface) if end > at else _ordinal(found[at], before))
        at = max(end, at + 1)
    return made


def _spelled(found: Sequence[Token], at: int, before: Token) -> tuple[int, str]:
    """Where a number that begins here ends, and its value; the end is the beginning where there is none."""
    whole, part, end = Decimal(0), Decimal(0), at
    if found[at].kind == "number" and _PLAIN.match(found[at].text) and _text(found, at + 1) in words.MAGNITUDES:
        part, end = Decimal(found[at].text), at + 1
    elif _text(found, at) not in words.DIGIT_WORDS or (_text(found, at) == "one" and before.text in _NO_NUMBER_BEFORE):
        return at, ""
    while (word := _text(found, end)) and (end == at or _goes_on(word, part, _text(found, end + 1))):
        if word in words.DIGIT_WORDS:
            part += words.DIGIT_WORDS[word]
        elif word == "hundred":
            part *= words.MAGNITUDES[word]
        elif word in words.MAGNITUDES:
            whole, part = whole + part * words.MAGNITUDES[word], Decimal(0)
        end += 1
    return end, format((whole + part).normalize(), "f")


def _goes_on(word: str, part: Decimal, after: str) -> bool:
    """Whether a word continues a number of which ``part`` is said since its last thousand: one two is two numbers."""
    if word == "and":
        return part % 100 == 0 and after in words.DIGIT_WORDS
    if word in words.DIGIT_WORDS:
        digit = words.DIGIT_WORDS[word]
        return part % 100 == 0 or (part % 10 == 0 and part % 100 >= 20 and 0 < digit < 10)
    return word in words.MAGNITUDES and part > 0


def _text(found: Sequence[Token], at: int) -> str:
    return found[at].text if at < len(found) and found[at].kind == "word" else ""


def _ordinal(token: Token, before: Token) -> Token:
    value = words.ORDINALS.get(token.surface.casefold()) if token.kind == "word" else None
    is_unit = token.text == "second" and (before.kind == "number" or before.text in words.EACH)
    return token if value is None or is_unit else Token("number", f"{value}th", token.surface)


def with_quantities(found: Sequence[Token]) -> list[Token]:
    """A number and the unit after it as one; a unit without a number stays a word, under its short name."""
    made: list[Token] = []
    for token in found:
        unit = unit_of(token.surface) if token.kind in {"word", "sign"} else None
        if token.text == "cent" and made and made[-1].text == "per":
            made.pop()
            unit = "percent"
        if unit and made and made[-1].kind == "number" and re.fullmatch(r"[\d.,]+", made[-1].text):
            made[-1] = Token("quantity", f"{unit}:{amount(made[-1].text)}", made[-1].surface)
        elif unit and len(token.text) > 1:
            made.append(Token(token.kind, unit, token.surface))
        else:
            made.append(token)
    return made
