"""Take the insignificant whitespace out of a JSON text, and nothing else.

Numbers, strings, escapes, the order of keys and repeated keys stay as they are, so the same value is read. The result
depends on the text alone: what was rewritten once is rewritten to the same again. A prompt whose tool results are all
rewritten this way still begins with the same bytes when messages are added to it, as a provider's prompt cache needs.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

_BLANK: Final = " \t\r\n"
_TOKEN: Final = re.compile(r'([^ \t\r\n"]+|"[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+')
_ANY: Final = msgspec.json.Decoder(Raw)
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeEncodeError, RecursionError)


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
    tokens = _TOKEN.findall(text)
    runs = tokens.count("")
    if not runs:
        return None
    kept = "".join(tokens)
    return Minified(kept, len(text) - len(kept), runs)


def _is_json(text: str) -> bool:
    try:
        _ANY.decode(text)
    except _NOT_JSON:
        return False
    return True
