"""The top level of a question: read as raw values, and written again where something must change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw

from breakeven.errors import InputError
from breakeven.upstreams.wire import Fields, Question

MOST_OUTPUT_TOKENS: Final = 1_000_000_000
"""More than any model answers; a larger limit would only make a hold meaningless."""

LONGEST_MODEL_NAME: Final = 512
PREFIX_BYTES: Final = 1_024
"""How much of a prompt names the conversation that a deployment may have cached."""

MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading JSON raises. Wrong UTF-8 in a raw value shows only when that is read, since msgspec leaves it unread."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_TEXT: Final[msgspec.json.Decoder[str | None]] = msgspec.json.Decoder(str | None)
_FLAG: Final[msgspec.json.Decoder[bool | None]] = msgspec.json.Decoder(bool | None)
_NUMBER: Final[msgspec.json.Decoder[int | float | None]] = msgspec.json.Decoder(int | float | None)
_GAP: Final = re.compile(rb'[ \t\r\n]*,?[ \t\r\n]*"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*')
_END: Final = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")


def read_fields(body: bytes) -> dict[str, Raw]:
    """The top level of a body; of a name that occurs twice, the last value.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        return _OBJECT.decode(body)
    except msgspec.ValidationError:
        raise InputError("the request body is not a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the request body is not valid JSON: {error}") from None
    except RecursionError:
        raise InputError("the request body is nested too deeply") from None


def object_fields(fields: Fields, name: str) -> dict[str, Raw]:
    """A field that is an object itself, as `read_fields`; empty where it is missing or null.

    Raises:
        InputError: it is something else.
    """
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _OBJECT.decode(raw)
    except MALFORMED:
        raise InputError(f"{name} must be an object") from None


def text_field(fields: Fields, name: str) -> str | None:
    """A field that is a text; None where it is missing or null.

    Raises:
        InputError: it is something else.
    """
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _TEXT.decode(raw)
    except MALFORMED:
        raise InputError(f"{name} must be a string") from None


def flag_field(fields: Fields, name: str) -> bool:
    """A field that is true or false; false where it is missing or null.

    Raises:
        InputError: it is something else.
    """
    raw = fields.get(name)
    if raw is None:
        return False
    try:
        return bool(_FLAG.decode(raw))
    except MALFORMED:
        raise InputError(f"{name} must be true or false") from None


def count_field(fields: Fields, name: str, *, least: int, most: int = MOST_OUTPUT_TOKENS) -> int | None:
    """A field that is a whole number between ``least`` and ``most``; None where it is missing or null.

    Raises:
        InputError: it is something else.
    """
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value = _NUMBER.decode(raw)
    except MALFORMED:
        value = 0.5
    if value is None:
        return None
    if not least <= value <= most or value != int(value):
        raise InputError(f"{name} must be a whole number from {least} to {most}")
    return int(value)


def model_field(fields: Fields) -> str:
    """The model's name.

    Raises:
        InputError: there is none, or it is no name.
    """
    model = text_field(fields, "model")
    if not model:
        raise InputError("model is missing")
    if len(model) > LONGEST_MODEL_NAME:
        raise InputError(f"model is longer than {LONGEST_MODEL_NAME} characters")
    return model


def require_field(fields: Fields, name: str, begins: bytes, what: str) -> Raw:
    """A field whose JSON begins with one of the bytes ``begins``.

    Raises:
        InputError: it is missing, or no ``what``.
    """
    raw = fields.get(name)
    if raw is None:
        raise InputError(f"{name} is missing")
    if memoryview(raw)[0] not in begins:
        raise InputError(f"{name} must be {what}")
    return raw


def prefix_of(*parts: Raw | None) -> bytes:
    """The first bytes of a prompt that is made of these fields, in their order."""
    prefix = b""
    for part in parts:
        if part is not None and len(prefix) < PREFIX_BYTES:
            prefix += bytes(memoryview(part)[: PREFIX_BYTES - len(prefix)])
    return prefix


def rewritten(question: Question, changes: Mapping[str, bytes]) -> bytes:
    """The question's body with some fields set; the very bytes that were sent where nothing changes.

    Of a field that was sent twice only the last is in what is sent on, so that no one reads another than we did.
    """
    if not changes and _is_read_whole(question.body, question.fields):
        return question.body
    return write_fields({**question.fields, **changes})


def write_fields(fields: Mapping[str, Raw | bytes]) -> bytes:
    """A JSON object of raw values."""
    parts: list[bytes | Raw] = []
    for name, raw in fields.items():
        parts += (b"," if parts else b"{", _key(name), raw)
    parts.append(b"}" if parts else b"{}")
    return b"".join(parts)


def _is_read_whole(body: bytes, fields: Fields) -> bool:
    """Whether the body is these fields once each, in this order, and nothing else.

    Written without spaces it is, if it is no longer than its fields with the quotes, colon and comma of each: a field
    that is repeated, a space, or a name that is not written a byte a letter makes it longer, and then it is looked at.
    """
    values_bytes = sum([memoryview(raw).nbytes for raw in fields.values()])
    least_bytes = 1 + sum(map(len, fields)) + 4 * len(fields) + values_bytes
    if len(body) == least_bytes:
        return True
    position = len(body) - len(body.lstrip()) + 1
    for name, raw in fields.items():
        gap = _GAP.match(body, position)
        if gap is None or gap[1] != name.encode() or not body.startswith(bytes(raw), gap.end()):
            return False
        position = gap.end() + memoryview(raw).nbytes
    return _END.fullmatch(body, position) is not None


def _key(name: str) -> bytes:
    return _plain_key(name) if name.isidentifier() and len(name) < 64 else msgspec.json.encode(name) + b":"


@lru_cache(maxsize=256)
def _plain_key(name: str) -> bytes:
    return msgspec.json.encode(name) + b":"
