"""A question as tokens: words in their base form, numbers as values, quantities with units, moments, quoted text."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from breakeven.policy import question_words as words

Kind = Literal["word", "name", "number", "quantity", "time", "quote", "sign"]


class Token(NamedTuple):
    """One piece of a question. ``text`` is normal (``1250``, ``kg:18``, ``buy``); ``surface`` as it was written."""

    kind: Kind
    text: str
    surface: str = ""


_PIECE: Final = re.compile(
    r"""
      (?P<quote> "[^"]+" | “[^”]+” | «[^»]+» | `[^`]+` | (?<!\w)['‘][^'’]+(?:['’]\w[^'’]*)*['’](?!\w) )
    | (?P<address> \w+://\S+ | [\w.+-]+@[\w-]+\.\w[\w.]* )
    | (?P<date> \d{4}-\d{2}-\d{2}(?!\d) | \d+/\d+/\d+ )
    | (?P<clock> \d{1,2}(?::\d{2}){1,2}(?:\s?[ap]\.?m\b)? | \d{1,2}\s?[ap]\.?m\b )
    | (?P<version> \bv\.?\s?\d+(?:\.\d+)*\b )
    | (?P<money> [$€£¥₹]\s?\d+(?:[.,]\d+)* (?!\w) )
    | (?P<number> \d+(?:[.,]\d+)* ) (?P<suffix> [^\W\d_][\w]* | % | °[cf]\b )?
    | (?P<word> [^\W\d_]\w*(?:\+\+|\#)? (?:['’][^\W\d_]+)? | \.net\b )
    | (?P<joint> (?<=\w)-(?=[^\W\d_]) | (?<=[^\W\d_])-(?=\w) )
    | (?P<sign> [^\s\w.,?!;:'’"] | _ | (?<=\d)[!'"] )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GROUPED: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?\Z")
_BITS: Final = {"Mb": "mbit", "Gb": "gbit"}
"""Where large and small letters are different units."""

_ORDINAL_SUFFIXES: Final = frozenset({"st", "nd", "rd", "th"})


def tokens(text: str) -> list[Token]:
    """All that a question says, in order. Only marks between sentences and hyphens inside words are left out.

    >>> [token.text for token in tokens("Is 1,250 mg too much?")]
    ['be', 'mg:1250', 'too', 'much']
    """
    found = [token for piece in _PIECE.finditer(_plain(text)) for token in _read(piece)]
    return _with_dates(_with_quantities(_with_number_words(found)))


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("ʼ", "'").replace("−", "-").replace("–", "-")
    for short, long in words.CONTRACTIONS:
        text = re.sub(rf"{short}\b", long, text, flags=re.IGNORECASE)
    return text


def _read(piece: re.Match[str]) -> list[Token]:
    kind, whole = piece.lastgroup, piece.group()
    if kind == "suffix" or kind == "number":
        return _number(piece["number"], piece["suffix"])
    if kind == "word":
        return _word(whole)
    if kind == "joint":
        return []
    if kind == "money":
        return [Token("quantity", f"{words.QUANTITY_UNITS[whole[0]]}:{_amount(whole[1:].strip())}", whole)]
    if kind == "clock":
        return [Token("time", _clock(whole), whole)]
    if kind == "date":
        return _iso_date(whole)
    if kind == "version":
        return [Token("word", "version", whole), Token("number", whole.lstrip("vV. "), whole)]
    if kind == "sign":
        return [Token("word", "and", "&")] if whole == "&" else [Token("sign", whole, whole)]
    return [Token("quote", whole.strip("\"“”«»`'‘"), whole)]


def _number(digits: str, suffix: str | None) -> list[Token]:
    if suffix is None:
        return [Token("number", _value(digits), digits)]
    if suffix.casefold() in _ORDINAL_SUFFIXES:
        return [Token("number", f"{digits}th", digits)]
    unit = _BITS.get(suffix) or words.QUANTITY_UNITS.get(base_form(suffix.casefold()))
    if unit is None:
        return [Token("name", (digits + suffix).casefold(), digits + suffix)]
    return [Token("quantity", f"{unit}:{_amount(digits)}", digits + suffix)]


def _value(digits: str) -> str:
    """A bare number: without thousands separators; its zeros stay, for 3.1 and 3.10 may be versions."""
    return digits.replace(",", "") if _GROUPED.match(digits) else digits


def _amount(digits: str) -> str:
    """The number of a quantity: 1.50 is 1.5."""
    value = _value(digits)
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        return value
    return format(Decimal(value).normalize(), "f")


def _clock(text: str) -> str:
    hours, *rest = re.findall(r"\d+", text)
    half = re.search(r"([ap])\.?m", text, re.IGNORECASE)
    hour = int(hours)
    if half and hour <= 12:
        hour = hour % 12 + (12 if half[1].lower() == "p" else 0)
    return ":".join([f"{hour:02}", *(rest or ["00"])])


def _iso_date(text: str) -> list[Token]:
    if "/" in text:
        return [Token("time", text, text)]  # which part is the day depends on the writer's country
    year, month, day = text.split("-")
    return [Token("time", f"{month}-{day}", text), Token("number", year, text)]


def _word(surface: str) -> list[Token]:
    stem, apostrophe, rest = surface.partition("'")
    if apostrophe and rest.casefold() == "s":
        after = [Token("word", "be", "is")] if stem.casefold() in words.IS_AFTER else []
        return [*_word(stem), *after]
    if apostrophe:
        return [Token("name", surface.casefold(), surface)]
    folded = surface.casefold()
    if len(surface) > 1 and surface.isupper() and folded in _SMALL_WORDS:
        return [Token("name", surface, surface)]  # US, IT, WHO
    if any(map(str.isdigit, surface)):
        quarter = re.fullmatch(r"q([1-4])", folded)
        return [Token("time", folded, surface) if quarter else Token("name", folded, surface)]
    if folded in words.CASED and surface[0].isupper():
        return [Token("name", surface, surface)]
    return [Token("word", base_form(folded), surface)]


_SMALL_WORDS: Final = words.DETERMINERS | words.LIGHT | words.OPENINGS | set(words.LABELS) | {
    "us", "it", "who", "or", "not", "no", "all", "any", "me", "he", "this", "off",
}  # fmt: skip


def base_form(word: str) -> str:
    """A word without its ending, where the ending says nothing: buys, bought and buying are buy.

    >>> [base_form(word) for word in ("cities", "bought", "changing", "cancelled", "marketing", "summarize")]
    ['city', 'buy', 'change', 'cancel', 'marketing', 'summarise']
    """
    if word in words.IRREGULAR:
        return words.IRREGULAR[word]
    if word in words.KEEP_AS_WRITTEN or word in words.BASE_S or len(word) <= 3:
        return word
    word = re.sub(r"iz(e|ed|es|ing|ation|ations|er|ers)\Z", r"is\1", word) if len(word) > 5 else word
    word = re.sub(r"(col|fav|behavi|neighb|lab|hon|hum)or", r"\1our", word)
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            return _verb(word[: -len(ending)]) or word
    return _verb_or_noun(word) if word.endswith("s") else word


def _verb(stem: str) -> str | None:
    for candidate in (stem, f"{stem}e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem):
        if candidate in words.KNOWN_VERBS:
            return candidate
    return f"{stem[:-1]}y" if stem.endswith("i") and f"{stem[:-1]}y" in words.KNOWN_VERBS else None


def _verb_or_noun(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if re.search(r"(ss|us|is)\Z", word):
        return word
    if re.search(r"(ss|x|z|ch|sh)es\Z", word) and word[:-1] not in words.KNOWN_VERBS:
        return word[:-2]
    return word[:-1]


def _with_number_words(found: list[Token]) -> list[Token]:
    """Numbers in words as numbers: ``two hundred and fifty`` is 250."""
    made: list[Token] = []
    at = 0
    while at < len(found):
        end, value = _spelled(found, at)
        if end > at:
            made.append(Token("number", value, found[at].surface))
            at = end
            continue
        made.append(_ordinal(found, at))
        at += 1
    return made


def _spelled(found: list[Token], at: int) -> tuple[int, str]:
    """Where a number that begins here ends, and its value; the end is the beginning where there is none."""
    total, part, end, begun = Decimal(0), Decimal(0), at, False
    first = found[at]
    if first.kind == "number" and re.fullmatch(r"\d+(\.\d+)?", first.text):
        part, begun, end = Decimal(first.text), True, at + 1
        if not _is_magnitude(found, end):
            return at, ""
    while end < len(found):
        word = found[end].text if found[end].kind == "word" else ""
        if word in words.DIGIT_WORDS and not (word == "one" and not begun and not _counts_one(found, end)):
            part += words.DIGIT_WORDS[word]
        elif word == "hundred" and begun:
            part *= 100
        elif word in words.MAGNITUDES and begun:
            total, part = total + part * words.MAGNITUDES[word], Decimal(0)
        elif not (word == "and" and begun and found[end - 1].text in words.MAGNITUDES and _is_digit(found, end + 1)):
            break
        begun, end = True, end + 1
    return end, format((total + part).normalize(), "f")


def _is_magnitude(found: list[Token], at: int) -> bool:
    return at < len(found) and found[at].text in words.MAGNITUDES


def _is_digit(found: list[Token], at: int) -> bool:
    return at < len(found) and found[at].text in words.DIGIT_WORDS


def _counts_one(found: list[Token], at: int) -> bool:
    """Whether ``one`` is a number here, and not "one" as in "how does one"."""
    before = found[at - 1].text if at else ""
    return before not in {"do", "can", "could", "should", "would", "must", "may", "be", "have", "no", "any", "which"}


def _ordinal(found: list[Token], at: int) -> Token:
    token = found[at]
    if token.kind != "word" or token.surface.casefold() not in words.ORDINALS:
        return token
    before = found[at - 1] if at else Token("sign", "")
    if token.text == "second" and (before.kind == "number" or before.text in {"per", "a", "each", "every"}):
        return token
    return Token("number", f"{words.ORDINALS[token.surface.casefold()]}th", token.surface)


def _with_quantities(found: list[Token]) -> list[Token]:
    """A number and the unit after it as one quantity; a unit without a number stays a word, in its short form."""
    made: list[Token] = []
    for token in found:
        unit = words.QUANTITY_UNITS.get(token.text) if token.kind in {"word", "sign"} else None
        if token.surface in _BITS:
            unit = _BITS[token.surface]
        if token.surface.casefold() == "cent" and made and made[-1].text == "per":
            made.pop()
            unit = "percent"
        if unit is None:
            made.append(token)
        elif made and made[-1].kind == "number" and re.fullmatch(r"[\d.,]+", made[-1].text):
            made[-1] = Token("quantity", f"{unit}:{_amount(made[-1].text)}", made[-1].surface)
        elif token.text in {"s", "h", "l", "g", "w", "min", "ms"}:
            made.append(token)
        else:
            made.append(Token(token.kind, unit, token.surface))
    return made


def _with_dates(found: list[Token]) -> list[Token]:
    """Months, days of the month, weekdays and quarters as moments."""
    made: list[Token] = []
    at = 0
    while at < len(found):
        taken, token = _moment(found, at)
        made.append(token)
        at += taken
    return made


def _moment(found: list[Token], at: int) -> tuple[int, Token]:
    """How many tokens make a moment here, and the moment; else one token, as it is."""
    token = found[at]
    following = found[at + 1 : at + 3]
    month = _month(found, at)
    if month and following and (day := _day(following[0])):
        return 2, Token("time", f"{month:02}-{day:02}", token.surface)
    if month:
        return 1, Token("time", f"{month:02}", token.surface)
    if day := _day(token):
        skipped = 1 if following and following[0].text == "of" else 0
        if at + 1 + skipped < len(found) and (month := _month(found, at + 1 + skipped)):
            return 2 + skipped, Token("time", f"{month:02}-{day:02}", token.surface)
    if token.text == "quarter" and following and following[0].text in {"1", "2", "3", "4"}:
        return 2, Token("time", f"q{following[0].text}", token.surface)
    if token.text in {"1th", "2th", "3th", "4th"} and following and following[0].text == "quarter":
        return 2, Token("time", f"q{token.text[0]}", token.surface)
    folded = token.surface.casefold()
    day_name = words.WEEKDAYS.get(folded) or words.WEEKDAYS.get(folded.removesuffix("s"))
    if token.kind == "word" and day_name and (folded not in words.ALSO_WORDS or token.surface[0].isupper()):
        return 1, Token("time", day_name, token.surface)
    if token.kind == "word" and token.text in words.ADVERBS_OF_TIME:
        return 1, Token("time", {"noon": "12:00", "midnight": "00:00"}.get(token.text, token.text), token.surface)
    return 1, token


def _month(found: list[Token], at: int) -> int | None:
    token = found[at]
    folded = token.surface.casefold()
    if token.kind != "word" or folded not in words.MONTHS:
        return None
    if folded not in words.ALSO_WORDS:
        return words.MONTHS[folded]
    beside = [found[near] for near in (at - 1, at + 1) if 0 <= near < len(found)]
    dated = any(each.kind == "number" for each in beside)
    return words.MONTHS[folded] if dated or (at and token.surface[0].isupper()) else None


def _day(token: Token) -> int | None:
    digits = token.text.removesuffix("th")
    return int(digits) if token.kind == "number" and digits.isdigit() and 1 <= int(digits) <= 31 else None
