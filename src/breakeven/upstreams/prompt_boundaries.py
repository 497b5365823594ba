"""Where a prompt can be cut: after each block, in the order in which a provider hashes it, read from the bytes to send.

Anthropic's order is tools, system, messages; what else changes its cache (the model, how tools are chosen, thinking) is
in the digests too. OpenAI's is tools and format, then messages. Equal digests mean equal beginnings: the order of a
block's fields and the spaces between them do not matter, nor whether one text stands alone or in a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from breakeven.policy.prompt_cache import Prefix
from breakeven.upstreams.json_spans import Span, Unlocatable, field_spans, is_array, is_text, item_spans, whole

ATTACHMENT_TOKENS: Final = 1_500
"""About what an image has, whatever its bytes; only to compare a prefix with a provider's minimum."""

_MARKABLE_BLOCKS: Final = frozenset(
    b'"%b"' % name
    for name in (b"text", b"image", b"document", b"tool_use", b"tool_result", b"search_result", b"server_tool_use")
)
_ATTACHED: Final = frozenset(b'"%b"' % name for name in (b"image", b"document", b"image_url", b"input_audio", b"file"))
_MARKABLE_PARTS: Final = frozenset(b'"%b"' % name for name in (b"text", b"image_url", b"input_audio", b"file"))
_MARKABLE_ROLES: Final = frozenset(b'"%b"' % name for name in (b"system", b"developer", b"user", b"tool"))
_INLINE: Final = b'"base64"'
_NOTHING: Final = b'""'


class Boundary(NamedTuple):
    """A beginning of the prompt, and the last block or text that belongs to it, which can carry a mark."""

    prefix: Prefix
    spot: Span


class Boundaries(NamedTuple):
    """A prompt's boundaries from its beginning on; ``sized_bytes`` are those that the tokens were estimated from."""

    found: tuple[Boundary, ...]
    sized_bytes: int
    attachments: int


def message_boundaries(body: bytes, tokens_per_byte: float) -> Boundaries:
    """The boundaries of a body for ``POST /v1/messages``.

    Raises:
        Unlocatable: a part of it cannot be told from another.
    """
    fields = field_spans(body, whole(body))
    walk = _Walk(body, tokens_per_byte)
    walk.note(fields, ("model", "speed", "container", "mcp_servers"))
    if "tools" in fields:
        for tool in item_spans(body, fields["tools"]):
            walk.tool(tool)
    walk.begin(b"system")
    if "system" in fields:
        walk.content(fields["system"], _MARKABLE_BLOCKS)
    walk.note(fields, ("tool_choice", "thinking", "output_config"))
    for message in item_spans(body, _of(fields, "messages")):
        said = field_spans(body, message)
        walk.begin(body[slice(*_of(said, "role"))])
        walk.content(_of(said, "content"), _MARKABLE_BLOCKS)
    return walk.boundaries()


def chat_boundaries(body: bytes, tokens_per_byte: float) -> Boundaries:
    """The boundaries of a body for ``POST /v1/chat/completions``: in what was said to the model, not by it.

    Raises:
        Unlocatable: a part of it cannot be told from another.
    """
    fields = field_spans(body, whole(body))
    walk = _Walk(body, tokens_per_byte)
    walk.note(fields, ("model", "tools", "functions", "response_format"))
    for message in item_spans(body, _of(fields, "messages")):
        said = field_spans(body, message)
        role = body[slice(*_of(said, "role"))]
        walk.begin(role)
        walk.note(said, sorted(said.keys() - {"role", "content"}))
        if "content" in said:
            walk.content(said["content"], _MARKABLE_PARTS if role in _MARKABLE_ROLES else frozenset())
    return walk.boundaries()


def _of(fields: Mapping[str, Span], name: str) -> Span:
    if name not in fields:
        raise Unlocatable
    return fields[name]


class _Walk:
    """One pass over a prompt: everything so far in a hash, and about how many tokens that was."""

    __slots__ = ("_attachments", "_body", "_found", "_has_inline", "_hash", "_sized_bytes", "_tokens_per_byte")

    def __init__(self, body: bytes, tokens_per_byte: float) -> None:
        self._body, self._tokens_per_byte = body, tokens_per_byte
        self._has_inline = body.rfind(_INLINE) >= 0
        self._hash = hashlib.sha256()
        self._found: list[Boundary] = []
        self._sized_bytes = self._attachments = 0

    def begin(self, name: bytes) -> None:
        """A section or a turn begins, which the next boundary is in."""
        self._hash.update(b"\n" + name)

    def note(self, fields: Mapping[str, Span], names: Iterable[str]) -> None:
        """Fields that belong to the prompt, or change what a provider has cached of it, where they are there."""
        for name in names:
            if name in fields:
                self._take(name, fields[name])

    def content(self, span: Span, markable: frozenset[bytes]) -> None:
        """A text alone, or a list of blocks."""
        if is_text(self._body, span):
            self._take("text", span)
            self._hash.update(b'type"text"')
            self._end(span, can_carry=b'"text"' in markable and self._body[slice(*span)] != _NOTHING)
        elif is_array(self._body, span):
            for block in item_spans(self._body, span):
                self.block(block, markable)

    def block(self, span: Span, markable: frozenset[bytes]) -> None:
        """A block of content, or a part."""
        fields = field_spans(self._body, span)
        kind = self._body[slice(*fields["type"])] if "type" in fields else b""
        if kind in _ATTACHED or (self._has_inline and self._body.find(_INLINE, *span) >= 0):
            self._attachments += 1
            self._hash.update(self._body[slice(*span)])
        else:
            self.note(fields, sorted(fields))
        empty = kind == b'"text"' and "text" in fields and self._body[slice(*fields["text"])] == _NOTHING
        self._end(span, can_carry=kind in markable and not empty)

    def tool(self, span: Span) -> None:
        """A tool's definition; one that is loaded later is no part of the beginning, and cannot be marked."""
        fields = field_spans(self._body, span)
        self.note(fields, sorted(fields))
        self._end(span, can_carry="input_schema" in fields and "defer_loading" not in fields)

    def boundaries(self) -> Boundaries:
        """All that were found."""
        return Boundaries(tuple(self._found), self._sized_bytes, self._attachments)

    def _take(self, name: str, span: Span) -> None:
        self._hash.update(name.encode())
        self._hash.update(self._body[slice(*span)])
        self._sized_bytes += span.end - span.start

    def _end(self, span: Span, *, can_carry: bool) -> None:
        if can_carry:
            tokens = int(self._sized_bytes * self._tokens_per_byte) + self._attachments * ATTACHMENT_TOKENS
            self._found.append(Boundary(Prefix(self._hash.copy().digest(), tokens), span))
