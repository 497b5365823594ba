"""Marks for a provider's prompt cache, put into the bytes that are sent; every other byte stays what it was.

A mark says that everything up to here may be written to the cache and read again. Anthropic's is ``cache_control`` on a
block; a text that stands alone becomes a list of one block to carry it. OpenAI's, since GPT-5.6, is
``prompt_cache_breakpoint`` on a part. Its own implicit breakpoint, at the newest message, stays: up to there everything
is written anyway, so a breakpoint before it costs nothing and is one more place from which a later request can read.
``prompt_cache_key`` marks nothing: it brings requests with a common beginning to the same cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from breakeven.catalog.prompt_caches import CacheControl
from breakeven.upstreams.json_spans import Edit, Span, edited, is_text, place_spans
from breakeven.upstreams.prompt_boundaries import Boundaries, Boundary, chat_boundaries, message_boundaries
from breakeven.upstreams.wire import Fields

MarkStyle = Literal["cache_control", "prompt_cache_breakpoint"]
"""How a provider is told what to cache."""

Ttl = Literal["5m", "1h"]

_EPHEMERAL: Final[Mapping[Ttl, bytes]] = {
    "5m": b'"cache_control":{"type":"ephemeral"}',
    "1h": b'"cache_control":{"type":"ephemeral","ttl":"1h"}',
}
_BREAKPOINT: Final = b'"prompt_cache_breakpoint":{"mode":"explicit"}'
_TEXT_BLOCK: Final = b'[{"type":"text","text":', b"}]"
_CACHE_CONTROL: Final = b'"cache_control"'
_BREAKPOINTS: Final = b'"prompt_cache_breakpoint"'
_OPENAI_FIELDS: Final = frozenset({"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"})


def says_what_to_cache(body: bytes, fields: Fields, control: CacheControl) -> bool:
    """Whether a caller's own words on the provider's cache are in a body that is to be sent: marks, a key, or a mode.

    ``fields`` are the top level of what the caller sent. Quotes within a text are escaped in JSON, so a text that
    speaks of ``"cache_control"`` does not count.
    """
    if control == "cache_control":
        return body.rfind(_CACHE_CONTROL) >= 0
    if not _OPENAI_FIELDS.isdisjoint(fields):
        return True
    return control == "prompt_cache_breakpoint" and body.rfind(_BREAKPOINTS) >= 0


def boundaries(body: bytes, style: MarkStyle, tokens_per_byte: float) -> Boundaries:
    """Where a body could be marked.

    Raises:
        Unlocatable: a part of it cannot be told from another.
    """
    read = message_boundaries if style == "cache_control" else chat_boundaries
    return read(body, tokens_per_byte)


def with_marks(body: bytes, style: MarkStyle, marks: Sequence[tuple[Boundary, Ttl]]) -> bytes:
    """The body with marks at these boundaries, in their order; those that are kept longer come first.

    Raises:
        Unlocatable: a part of it cannot be told from another, such as a field that is named twice.
    """
    edits: list[Edit] = []
    for spot, (_, ttl) in zip(place_spans(body, [at.place for at, _ in marks]), marks, strict=True):
        edits += _carrying(body, spot, _EPHEMERAL[ttl] if style == "cache_control" else _BREAKPOINT)
    return edited(body, edits)


def with_key(body: bytes, *parts: bytes) -> bytes:
    """The body with a ``prompt_cache_key`` that is a digest of these parts, so that it tells nothing of them."""
    told = hashlib.sha256()
    for part in parts:
        told.update(b"%d:%b" % (len(part), part))
    at = body.rindex(b"}")
    return edited(body, [Edit(at, at, b',"prompt_cache_key":"%b"' % told.hexdigest()[:32].encode())])


def _carrying(body: bytes, spot: Span, mark: bytes) -> list[Edit]:
    """What makes a block, or a text that becomes one, carry a mark."""
    if not is_text(body, spot):
        return [Edit(spot.end - 1, spot.end - 1, b"," + mark)]
    begin, end = _TEXT_BLOCK
    return [Edit(spot.start, spot.start, begin), Edit(spot.end, spot.end, b"," + mark + end)]
