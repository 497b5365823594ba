"""Take the insignificant whitespace out of a JSON text, and nothing else.

Numbers, strings, escapes, the order of keys and repeated keys stay as they are, so the same value is read. The result
depends on the text alone: what was rewritten once is rewritten to the same again. A prompt whose tool results are all
rewritten this way still begins with the same bytes when messages are added to it, as a provider's prompt cache needs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

_BLANK: Final = " \t\r\n"
_ANY: Final = msgspec.json.Decoder(Raw)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeEncodeError, RecursionError)

# JSON has no control characters but blanks, so these stand for what must not be taken for the end of a string.
_STRING, _BACKSLASH, _QUOTE = "\x00", "\x01", "\x02"


class Minified(NamedTuple):
    """A JSON text without its insignificant whitespace; how many characters that was, and in how many runs."""

    text: str
    removed_chars: int
    removed_runs: int


def minified(text: str) -> Minified | None:
    """A text that is one JSON object or array, without whitespace between its tokens; None where nothing is removed.

    Nor is anything removed from what is not strictly JSON, such as lines of JSON, or the ``NaN`` that some write.

    >>> minified('{ "a": [1.0, "x y"] }')
    Minified(text='{"a":[1.0,"x y"]}', removed_chars=4, removed_runs=4)
    """
    if text.lstrip(_BLANK)[:1] not in ("{", "[") or not _is_json(text):
        return None
    escaped = "\\" in text
    hidden = text.replace("\\\\", _BACKSLASH).replace('\\"', _QUOTE) if escaped else text
    parts = hidden.split('"')  # by turns between strings and within one
    between = _STRING.join(parts[::2])
    pieces = between.split()
    kept = "".join(pieces)
    if len(kept) == len(between):
        return None
    parts[::2] = kept.split(_STRING)
    short = '"'.join(parts)
    if escaped:
        short = short.replace(_QUOTE, '\\"').replace(_BACKSLASH, "\\\\")
    runs = len(pieces) - 1 + (between[0] in _BLANK) + (between[-1] in _BLANK)
    return Minified(short, len(between) - len(kept), runs)


def _is_json(text: str) -> bool:
    try:
        _ANY.decode(text)
    except _NOT_JSON:
        return False
    return True
