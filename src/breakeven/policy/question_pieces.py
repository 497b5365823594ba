"""A question cut into pieces: words in base form, digits, moments as they are written, quoted text, signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from breakeven.policy import question_words as words
from breakeven.policy.word_forms import base_form

Kind = Literal["word", "name", "number", "quantity", "time", "quote", "sign"]


class Token(NamedTuple):
    """One piece of a question. ``text`` is normal (``1250``, ``kg:18``, ``buy``); ``surface`` as it was written."""

    kind: Kind
    text: str
    surface: str = ""


NOTHING: Final = Token("sign", "")
"""What stands before the first token and after the last."""

_PIECE: Final = re.compile(
    r"""
      (?P<quote> "[^"]+" | «[^»]+» | `[^`]+` | (?<!\w)'[^']+(?:'\w[^']*)*'(?!\w) )
    | (?P<address> \w+://\S+ | [\w.+-]+@[\w-]+\.\w[\w.]* )
    | (?P<date> \d{4}-\d{2}-\d{2}(?!\d) | \d+/\d+/\d+ )
    | (?P<clock> \d{1,2}(?::\d{2}){1,2}(?:\s?[ap]\.?m\b)? | \d{1,2}\s?[ap]\.?m\b )
    | (?P<version> \bv\.?\s?\d+(?:\.\d+)*\b )
    | (?P<money> [$€£¥₹]\s?\d+(?:[.,]\d+)* (?!\w) )
    | (?P<number> \d+(?:[.,]\d+)*(?:[^\W\d_]\w* | % | °[cf]\b)? )
    | (?P<word> [^\W\d_]\w*(?:\+\+|\#)? (?:'[^\W\d_]+)? | \.net\b )
    | (?P<hyphen> (?<=\w)-(?=[^\W\d_]) | (?<=[^\W\d_])-(?=\w) )
    | (?P<sign> [^\s\w.,?!;:'"] | _ | (?<=\d)[!'"] )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?\Z")
_PLAIN_MARKS: Final = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{MODIFIER LETTER APOSTROPHE}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
    }
)
_CONTRACTED: Final = re.compile("|".join(rf"{each}\b" for each in words.CONTRACTIONS), re.IGNORECASE)
_ORDINAL_ENDINGS: Final = frozenset({"st", "nd", "rd", "th"})
_SMALL_WORDS: Final = words.DETERMINERS | words.LIGHT | words.OPENINGS | words.ALSO_ACRONYMS | set(words.LABELS)


def pieces(text: str) -> list[Token]:
    """All that is written, in order. Only marks between sentences and hyphens inside words are left out."""
    plain = " ".join(unicodedata.normalize("NFKC", text).translate(_PLAIN_MARKS).split())
    plain = _CONTRACTED.sub(lambda short: words.CONTRACTIONS[short.group().casefold()], plain)
    return [token for piece in _PIECE.finditer(plain) for token in _READERS[str(piece.lastgroup)](piece.group())]


def amount(digits: str) -> str:
    """The number of a quantity, without what its notation adds: 1,250.50 is 1250.5."""
    value = _value(digits)
    return format(Decimal(value).normalize(), "f") if re.fullmatch(r"\d+(\.\d+)?", value) else value


def unit_of(written: str) -> str | None:
    """The short name of a unit, None for a word that is none; MB and Mb are two."""
    return words.BITS.get(written) or words.QUANTITY_UNITS.get(base_form(written.casefold()))


def _value(digits: str) -> str:
    """A bare number without thousands separators. Its zeros stay: 3.1 and 3.10 may be versions."""
    return digits.replace(",", "") if _GROUPED.match(digits) else digits


def _number(written: str) -> list[Token]:
    found = _DIGITS.match(written)
    digits = found.group() if found else written
    ending = written.removeprefix(digits)
    if not ending:
        return [Token("number", _value(digits), digits)]
    if ending.casefold() in _ORDINAL_ENDINGS:
        return [Token("number", f"{digits}th", written)]
    unit = unit_of(ending)
    if unit is None:
        return [Token("name", written.casefold(), written)]
    return [Token("quantity", f"{unit}:{amount(digits)}", written)]


def _money(written: str) -> list[Token]:
    return [Token("quantity", f"{unit_of(written[0])}:{amount(written[1:].strip())}", written)]


def _clock(written: str) -> list[Token]:
    hours, *rest = re.findall(r"\d+", written)
    half = re.search(r"([ap])\.?m", written, re.IGNORECASE)
    hour = int(hours)
    if half and hour <= 12:
        hour = hour % 12 + (12 if half[1].lower() == "p" else 0)
    return [Token("time", ":".join([f"{hour:02}", *(rest or ["00"])]), written)]


def _date(written: str) -> list[Token]:
    if "/" in written:
        return [Token("time", written, written)]  # which part is the day depends on the writer's country
    year, month, day = written.split("-")
    return [Token("time", f"{month}-{day}", written), Token("number", year, written)]


def _word(surface: str) -> list[Token]:
    stem, apostrophe, rest = surface.partition("'")
    folded = stem.casefold()
    if apostrophe and rest.casefold() != "s":
        return [Token("name", surface.casefold(), surface)]
    is_after = [Token("word", "be", "is")] if apostrophe and folded in words.IS_AFTER else []
    return [_single(stem, folded), *is_after]


def _single(surface: str, folded: str) -> Token:
    if len(surface) > 1 and surface.isupper() and folded in _SMALL_WORDS:
        return Token("name", surface, surface)  # US, IT, WHO
    if re.fullmatch(r"q[1-4]", folded):
        return Token("time", folded, surface)
    if any(map(str.isdigit, surface)):
        return Token("name", folded, surface)
    if folded in words.CASED and surface[0].isupper():
        return Token("name", surface, surface)
    return Token("word", base_form(folded), surface)


_READERS: Final[Mapping[str, Callable[[str], list[Token]]]] = {
    "quote": lambda written: [Token("quote", written[1:-1], written)],
    "address": lambda written: [Token("name", written, written)],
    "date": _date,
    "clock": _clock,
    "version": lambda written: [Token("word", "version", written), Token("number", written.lstrip("vV. "), written)],
    "money": _money,
    "number": _number,
    "word": _word,
    "hyphen": lambda _: [],
    "sign": lambda written: [Token("word", "and", written) if written == "&" else Token("sign", written, written)],
}
