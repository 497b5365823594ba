"""Images, sounds and files in a prompt: counted, because their tokens are not bounded by their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from breakeven.errors import InputError

_PART: Final = re.compile(
    rb'"type"\s*:\s*"(image_url|input_image|image|input_audio|audio_url|audio|video_url|video|input_video'
    rb"|file|input_file|document|container_upload|image_file|search_result|computer_screenshot"
    rb')"'
)
_TYPE: Final = b'"type"'
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[2-7]")
_EARLIER_AUDIO: Final = re.compile(rb'"audio"\s*:\s*\{')
_SOUNDS: Final = frozenset((b"input_audio", b"audio_url", b"audio"))


class Attachments(NamedTuple):
    """How many parts of a prompt are no text, and how many of them are sound."""

    parts: int
    sounds: int


NO_ATTACHMENTS: Final = Attachments(0, 0)


def attachments_of(prompt: Raw | None) -> Attachments:
    """Count the parts of messages, wherever they are nested.

    Quotes within a text are escaped in JSON, so a text that speaks of ``"type": "image"`` is not counted; a key that is
    itself written with escapes is.

    Raises:
        InputError: the prompt is nested too deeply.
    """
    if prompt is None:
        return NO_ATTACHMENTS
    kinds = list(_kinds(_plain(prompt)))
    return Attachments(len(kinds), sum(kind in _SOUNDS for kind in kinds))


def message_attachments(messages: Raw) -> Attachments:
    """As `attachments_of`, sooner for messages whose contents are all plain texts: parts stand in a list within one.

    Raises:
        InputError: the messages are nested too deeply.
    """
    return attachments_of(messages) if bytes(messages).find(b"[", 1) >= 0 else NO_ATTACHMENTS


def names_earlier_audio(messages: Raw) -> bool:
    """Whether messages name audio of an earlier answer, which the provider keeps (``"audio": {"id": ...}``).

    Raises:
        InputError: the messages are nested too deeply.
    """
    return _EARLIER_AUDIO.search(_plain(messages)) is not None


def _plain(prompt: Raw) -> bytes:
    """A prompt in which no letter is written as an escape."""
    text = bytes(prompt)
    return _without_escapes(text) if text.rfind(b"\\u00") >= 0 and _ESCAPED_LETTER.search(text) else text


def _kinds(text: bytes) -> Iterator[bytes]:
    """The types of the parts, from the last to the first: backwards, a long prompt is searched twice as fast."""
    at = text.rfind(_TYPE)
    while at >= 0:
        if found := _PART.match(text, at):
            yield found[1]
        at = text.rfind(_TYPE, 0, at)


def _without_escapes(text: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError("the prompt is not valid JSON, or nested too deeply") from None
