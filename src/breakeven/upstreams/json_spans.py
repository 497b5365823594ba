"""Where the parts of a JSON body stand in its bytes, so that something is put beside them and all else stays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ARRAY: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BEFORE_FIELD: Final = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_BEFORE_ITEM: Final = re.compile(rb"[ \t\r\n]*,?[ \t\r\n]*")
_AFTER_OBJECT: Final = re.compile(rb"[ \t\r\n]*\}")
_BLANK: Final = b" \t\r\n"


class Span(NamedTuple):
    """A value's place in a body: from its first byte to after its last."""

    start: int
    end: int


class Edit(NamedTuple):
    """Bytes to put in the place of a body's bytes from ``start`` to ``end``; where those are equal, between others."""

    start: int
    end: int
    bytes: bytes


class Unlocatable(Exception):
    """A value is not of the kind that was looked for, or names a field twice or with escapes: nothing is done to it."""


def whole(body: bytes) -> Span:
    """The place of the body's one value, without the whitespace around it."""
    return Span(len(body) - len(body.lstrip(_BLANK)), len(body.rstrip(_BLANK)))


def field_spans(body: bytes, span: Span) -> dict[str, Span]:
    """Where the fields of an object are.

    Raises:
        Unlocatable: it is no object, or one field cannot be told from another.
    """
    try:
        fields = _OBJECT.decode(memoryview(body)[span.start : span.end])
    except _MALFORMED:
        raise Unlocatable from None
    found: dict[str, Span] = {}
    position = span.start + 1
    for name, raw in fields.items():
        gap = _BEFORE_FIELD.match(body, position)
        # A name that comes twice is there once, with its last value: then the bytes are not those of the value.
        if gap is None or gap[1] != name.encode() or not body.startswith(bytes(raw), gap.end()):
            raise Unlocatable
        position = gap.end() + memoryview(raw).nbytes
        found[name] = Span(gap.end(), position)
    if _AFTER_OBJECT.fullmatch(body, position, span.end) is None:
        raise Unlocatable
    return found


def item_spans(body: bytes, span: Span) -> list[Span]:
    """Where the items of an array are.

    Raises:
        Unlocatable: it is no array.
    """
    try:
        items = _ARRAY.decode(memoryview(body)[span.start : span.end])
    except _MALFORMED:
        raise Unlocatable from None
    found: list[Span] = []
    position = span.start + 1
    for raw in items:
        gap = _BEFORE_ITEM.match(body, position)
        start = position if gap is None else gap.end()
        position = start + memoryview(raw).nbytes
        found.append(Span(start, position))
    return found


def place_spans(body: bytes, places: Iterable[tuple[str | int, ...]]) -> list[Span]:
    """Where the values are that names and numbers lead to, from the body's top level on.

    Raises:
        Unlocatable: there is none, or its way cannot be told from another.
    """
    fields: dict[Span, dict[str, Span]] = {}
    items: dict[Span, list[Span]] = {}

    def step(span: Span, name: str | int) -> Span:
        if isinstance(name, int):
            if span not in items:
                items[span] = item_spans(body, span)
            return items[span][name]
        if span not in fields:
            fields[span] = field_spans(body, span)
        return fields[span][name]

    try:
        return [reduce(step, place, whole(body)) for place in places]
    except LookupError:
        raise Unlocatable from None


def text_at(body: bytes, span: Span) -> str:
    """A text's characters.

    Raises:
        Unlocatable: it is no text.
    """
    try:
        return _TEXT.decode(memoryview(body)[span.start : span.end])
    except _MALFORMED:
        raise Unlocatable from None


def is_text(body: bytes, span: Span) -> bool:
    """Whether a value is a text."""
    return body.startswith(b'"', span.start)


def is_array(body: bytes, span: Span) -> bool:
    """Whether a value is an array."""
    return body.startswith(b"[", span.start)


def edited(body: bytes, edits: Iterable[Edit]) -> bytes:
    """The body with some bytes replaced, by edits that do not overlap."""
    parts: list[bytes | memoryview] = []
    position, whole_body = 0, memoryview(body)  # so that a long body is copied once
    for edit in sorted(edits):
        parts += (whole_body[position : edit.start], edit.bytes)
        position = edit.end
    parts.append(whole_body[position:])
    return b"".join(parts)
