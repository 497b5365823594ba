"""Marks for a provider's prompt cache, put into the bytes that are sent; every other byte stays what it was.

A mark says that everything up to here may be written to the cache and read again. Anthropic's is ``cache_control`` on a
block; a text that stands alone becomes a list of one block to carry it. OpenAI's, since GPT-5.6, is
``prompt_cache_breakpoint`` on a part, with the implicit breakpoint turned off. ``prompt_cache_key`` marks nothing: it
says which requests have a beginning in common, so that they meet the same cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from breakeven.upstreams.json_spans import Edit, Span, edited, is_text
from breakeven.upstreams.prompt_boundaries import Boundaries, Boundary, chat_boundaries, message_boundaries

MarkStyle = Literal["cache_control", "prompt_cache_breakpoint"]
"""How a provider is told what to cache."""

Ttl = Literal["5m", "1h"]

MOST_MARKS: Final = 4
"""What Anthropic and OpenAI take in one request."""

_EPHEMERAL: Final[Mapping[Ttl, bytes]] = {
    "5m": b'"cache_control":{"type":"ephemeral"}',
    "1h": b'"cache_control":{"type":"ephemeral","ttl":"1h"}',
}
_BREAKPOINT: Final = b'"prompt_cache_breakpoint":{"mode":"explicit"}'
_EXPLICIT_ONLY: Final = b'"prompt_cache_options":{"mode":"explicit"}'
_TEXT_BLOCK: Final = b'[{"type":"text","text":', b"}]"
_CALLERS: Final = tuple(
    b'"%b"' % name
    for name in (
        *(b"cache_control", b"prompt_cache_key", b"prompt_cache_options"),
        *(b"prompt_cache_breakpoint", b"prompt_cache_retention"),
    )
)


def has_marks(body: bytes) -> bool:
    """Whether a body says anything of a prompt cache itself, anywhere: a mark, a key, or a mode.

    Quotes within a text are escaped in JSON, so a text that speaks of ``"cache_control"`` does not count.
    """
    return any(body.find(name) >= 0 for name in _CALLERS)


def boundaries(body: bytes, style: MarkStyle, tokens_per_byte: float) -> Boundaries:
    """Where a body could be marked.

    Raises:
        Unlocatable: a part of it cannot be told from another.
    """
    read = message_boundaries if style == "cache_control" else chat_boundaries
    return read(body, tokens_per_byte)


def with_marks(body: bytes, style: MarkStyle, marks: Sequence[tuple[Boundary, Ttl]]) -> bytes:
    """The body with marks at these boundaries, in their order; those that are kept longer come first."""
    if style == "cache_control":
        return edited(body, [edit for at, ttl in marks for edit in _carrying(body, at.spot, _EPHEMERAL[ttl])])
    edits = [edit for at, _ in marks for edit in _carrying(body, at.spot, _BREAKPOINT)]
    return edited(body, [*edits, _last_field(body, _EXPLICIT_ONLY)]) if edits else body


def with_key(body: bytes, *parts: bytes) -> bytes:
    """The body with a ``prompt_cache_key`` that is a digest of these parts, so that it tells nothing of them."""
    told = hashlib.sha256()
    for part in parts:
        told.update(b"%d:%b" % (len(part), part))
    return edited(body, [_last_field(body, b'"prompt_cache_key":"%b"' % told.hexdigest()[:32].encode())])


def _carrying(body: bytes, spot: Span, mark: bytes) -> list[Edit]:
    """What makes a block, or a text that becomes one, carry a mark."""
    if not is_text(body, spot):
        return [Edit(spot.end - 1, spot.end - 1, b"," + mark)]
    begin, end = _TEXT_BLOCK
    return [Edit(spot.start, spot.start, begin), Edit(spot.end, spot.end, b"," + mark + end)]


def _last_field(body: bytes, field: bytes) -> Edit:
    """A field after all others of the body, which has some."""
    at = body.rindex(b"}")
    return Edit(at, at, b"," + field)
