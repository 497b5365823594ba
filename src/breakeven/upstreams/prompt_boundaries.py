"""Where a prompt can be cut: after each block, in the order in which a provider hashes it, read from the bytes to send.

Anthropic's order is tools, system, messages; what else changes its cache (the model, how tools are chosen, thinking) is
in the digests too. OpenAI's is tools and format, then messages. Equal digests mean equal beginnings: the order of a
block's fields and the spaces between them do not matter, nor whether one text stands alone or in a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw

from breakeven.policy.prompt_cache import Prefix
from breakeven.upstreams.json_spans import Unlocatable

ATTACHMENT_TOKENS: Final = 1_500
"""About what an image has, whatever its bytes; only to compare a prefix with a provider's minimum."""

Fields = Mapping[str, Raw]

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_MALFORMED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_MARKABLE_BLOCKS: Final = frozenset(
    b'"%b"' % name
    for name in (b"text", b"image", b"document", b"tool_use", b"tool_result", b"search_result", b"server_tool_use")
)
_ATTACHED: Final = frozenset(b'"%b"' % name for name in (b"image", b"document", b"image_url", b"input_audio", b"file"))
_MARKABLE_PARTS: Final = frozenset(b'"%b"' % name for name in (b"text", b"image_url", b"input_audio", b"file"))
_MARKABLE_ROLES: Final = frozenset(b'"%b"' % name for name in (b"system", b"developer", b"user", b"tool"))
_DIGEST_BYTES: Final = 16
_SYSTEM_ROLES: Final = frozenset({b'"system"', b'"developer"'})
_TEXT_BEGINS, _LIST_BEGINS = b'"['
_TEXT: Final = b'"text"'
_RESULT: Final = b'"tool_result"'
_NOTHING: Final = b'""'
_INLINE: Final = b'"base64"'


class Boundary(NamedTuple):
    """A beginning of the prompt, and where the last block or text is that belongs to it, which can carry a mark.

    ``place`` are names and numbers, from the body's top level on: ``("messages", 0, "content", 2)``.
    """

    prefix: Prefix
    place: tuple[str | int, ...]


class Boundaries(NamedTuple):
    """A prompt's boundaries from its beginning on; ``sized_bytes`` are those that the tokens were estimated from.

    ``section_ends`` are the places in ``found`` of the last tool and of the end of the system prompt, where there are:
    what many prompts share ends there.
    """

    found: tuple[Boundary, ...]
    section_ends: tuple[int, ...]
    sized_bytes: int
    attachments: int


def message_boundaries(body: bytes, tokens_per_byte: float) -> Boundaries:
    """The boundaries of a body for ``POST /v1/messages``.

    Raises:
        Unlocatable: a part of it is not what it must be.
    """
    fields = _object(body)
    walk = _Walk(tokens_per_byte)
    walk.note(fields, ("model", "speed", "container", "mcp_servers"))
    for number, tool in enumerate(_objects(fields["tools"]) if "tools" in fields else ()):
        walk.tool(tool, ("tools", number))
    walk.end_section()
    walk.begin(b"system")
    if "system" in fields:
        walk.content(fields["system"], _MARKABLE_BLOCKS, ("system",))
    walk.end_section()
    walk.note(fields, ("tool_choice", "thinking", "output_config"))
    for number, said in enumerate(_objects(_of(fields, "messages"))):
        walk.begin(bytes(_of(said, "role")))
        walk.content(_of(said, "content"), _MARKABLE_BLOCKS, ("messages", number, "content"))
    return walk.boundaries()


def chat_boundaries(body: bytes, tokens_per_byte: float) -> Boundaries:
    """The boundaries of a body for ``POST /v1/chat/completions``: in what was said to the model, not by it.

    Raises:
        Unlocatable: a part of it is not what it must be.
    """
    fields = _object(body)
    walk = _Walk(tokens_per_byte)
    walk.note(fields, ("model", "tools", "functions", "response_format"))
    is_system = True
    for number, said in enumerate(_objects(_of(fields, "messages"))):
        role = bytes(_of(said, "role"))
        if is_system and role not in _SYSTEM_ROLES:
            is_system = False
            walk.end_section()
        walk.begin(role)
        walk.note(said, sorted(said.keys() - {"role", "content"}))
        if "content" in said:
            markable = _MARKABLE_PARTS if role in _MARKABLE_ROLES else frozenset[bytes]()
            walk.content(said["content"], markable, ("messages", number, "content"))
    return walk.boundaries()


def _object(raw: bytes) -> Fields:
    try:
        return _OBJECT.decode(raw)
    except _MALFORMED:
        raise Unlocatable from None


def _objects(raw: Raw) -> list[dict[str, Raw]]:
    try:
        return _OBJECTS.decode(raw)
    except _MALFORMED:
        raise Unlocatable from None


def _of(fields: Fields, name: str) -> Raw:
    if name not in fields:
        raise Unlocatable
    return fields[name]


class _Walk:
    """One pass over a prompt: everything so far in a hash, and about how many tokens that was."""

    __slots__ = ("_attachments", "_found", "_hash", "_section_ends", "_sized_bytes", "_tokens_per_byte")

    def __init__(self, tokens_per_byte: float) -> None:
        self._tokens_per_byte = tokens_per_byte
        self._hash = hashlib.sha256()
        self._found: list[Boundary] = []
        self._section_ends: list[int] = []
        self._sized_bytes = self._attachments = 0

    def begin(self, name: bytes) -> None:
        """A section or a turn begins, which the next boundary is in."""
        self._hash.update(b"\n" + name)

    def note(self, fields: Fields, names: Iterable[str]) -> None:
        """Fields that belong to the prompt, or change what a provider has cached of it, where they are there."""
        for name in names:
            if name in fields:
                self._take(name, fields[name])

    def content(self, raw: Raw, markable: frozenset[bytes], place: tuple[str | int, ...]) -> None:
        """A text alone, or a list of blocks."""
        begins = memoryview(raw)[0]
        if begins == _TEXT_BEGINS:
            self._take("text", raw)
            self._hash.update(b'type"text"')
            self._end(place, can_carry=_TEXT in markable and memoryview(raw).nbytes > len(_NOTHING))
        elif begins == _LIST_BEGINS:
            for number, block in enumerate(_objects(raw)):
                self.block(block, markable, (*place, number))

    def block(self, fields: Fields, markable: frozenset[bytes], place: tuple[str | int, ...]) -> None:
        """A block of content, or a part."""
        kind = bytes(fields["type"]) if "type" in fields else b""
        seen_by_a_tool = kind == _RESULT and "content" in fields and bytes(fields["content"]).find(_INLINE) >= 0
        if kind in _ATTACHED or seen_by_a_tool:
            self._attachments += 1
            for name in sorted(fields):
                self._hash.update(name.encode())
                self._hash.update(fields[name])
        else:
            self.note(fields, sorted(fields))
        empty = kind == _TEXT and "text" in fields and bytes(fields["text"]) == _NOTHING
        self._end(place, can_carry=kind in markable and not empty)

    def tool(self, fields: Fields, place: tuple[str | int, ...]) -> None:
        """A tool's definition; one that is loaded later is no part of the beginning, and cannot be marked."""
        self.note(fields, sorted(fields))
        self._end(place, can_carry="input_schema" in fields and "defer_loading" not in fields)

    def end_section(self) -> None:
        """What many prompts may share ends here."""
        if self._found:
            self._section_ends.append(len(self._found) - 1)

    def boundaries(self) -> Boundaries:
        """All that were found."""
        return Boundaries(tuple(self._found), tuple(self._section_ends), self._sized_bytes, self._attachments)

    def _take(self, name: str, raw: Raw) -> None:
        self._hash.update(name.encode())
        self._hash.update(raw)
        self._sized_bytes += memoryview(raw).nbytes

    def _end(self, place: tuple[str | int, ...], *, can_carry: bool) -> None:
        if can_carry:
            tokens = int(self._sized_bytes * self._tokens_per_byte) + self._attachments * ATTACHMENT_TOKENS
            self._found.append(Boundary(Prefix(self._hash.copy().digest()[:_DIGEST_BYTES], tokens), place))
