"""Months, days, weekdays and quarters as moments, however they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from breakeven.policy import question_words as words
from breakeven.policy.question_pieces import NOTHING, Token

_HOURS: Final = {"noon": "12:00", "midnight": "00:00"}


def with_moments(found: Sequence[Token]) -> list[Token]:
    """All moments in one notation: ``June 29th`` and ``29 June`` are 06-29, ``second quarter`` is q2."""
    made: list[Token] = []
    at = 0
    while at < len(found):
        taken, moment = _of_several(found, at) or _of_one(found, at) or (1, "")
        made.append(Token("time", moment, found[at].surface) if moment else found[at])
        at += taken
    return made


def _of_several(found: Sequence[Token], at: int) -> tuple[int, str] | None:
    """A moment of two or three tokens that begins here, and how many they are."""
    token, after = found[at], _at(found, at + 1)
    if (month := _month(found, at)) and (day := _day(after)):
        return 2, f"{month:02}-{day:02}"
    of = 1 if after.text == "of" else 0
    if (day := _day(token)) and (month := _month(found, at + 1 + of)):
        return 2 + of, f"{month:02}-{day:02}"
    quarter = re.fullmatch(r"quarter ([1-4])|([1-4])th quarter", f"{token.text} {after.text}")
    return (2, f"q{quarter[1] or quarter[2]}") if quarter else None


def _of_one(found: Sequence[Token], at: int) -> tuple[int, str] | None:
    token = found[at]
    if token.kind != "word":
        return None
    if month := _month(found, at):
        return 1, f"{month:02}"
    written = token.surface.casefold()
    day = words.WEEKDAYS.get(written) or words.WEEKDAYS.get(written.removesuffix("s"))
    if day and (written not in words.ALSO_WORDS or token.surface[0].isupper()):
        return 1, day
    return (1, _HOURS.get(token.text, token.text)) if token.text in words.ADVERBS_OF_TIME else None


def _month(found: Sequence[Token], at: int) -> int | None:
    """The number of the month that stands here. "May" and "march" are months beside a number, or written large."""
    token = _at(found, at)
    written = token.surface.casefold()
    month = words.MONTHS.get(written) if token.kind == "word" else None
    is_dated = "number" in (_at(found, at - 1).kind, _at(found, at + 1).kind)
    is_sure = written not in words.ALSO_WORDS or is_dated or (at > 0 and token.surface[0].isupper())
    return month if is_sure else None


def _day(token: Token) -> int | None:
    digits = token.text.removesuffix("th")
    return int(digits) if token.kind == "number" and digits.isdecimal() and 1 <= int(digits) <= 31 else None


def _at(found: Sequence[Token], at: int) -> Token:
    return found[at] if 0 <= at < len(found) else NOTHING
