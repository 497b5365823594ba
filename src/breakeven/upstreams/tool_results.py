"""The texts that tools gave back, in a body that is about to be sent, and the body with some of them written anew.

Each text is looked at by itself: what is done to one depends on no other, so a prompt that grows keeps its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from breakeven.upstreams.json_spans import (
    Edit,
    Span,
    Unlocatable,
    edited,
    field_spans,
    is_array,
    is_text,
    item_spans,
    text_at,
    whole,
)

Rewrite = Callable[[str], str | None]
"""Another way to write a text; None to leave it."""


class _Wire(NamedTuple):
    """Where a wire has the results of tools: the list of turns, and the value of a field that says it is one."""

    turns: str
    field: str
    kind: bytes
    content: str


_CHAT: Final = _Wire("messages", "role", b'"tool"', "content")
_RESPONSES: Final = _Wire("input", "type", b'"function_call_output"', "output")
_MESSAGES: Final = _Wire("messages", "type", b'"tool_result"', "content")
_WIRES: Final[Mapping[str, _Wire]] = {
    "/chat/completions": _CHAT,
    "/responses": _RESPONSES,
    "/messages": _MESSAGES,
}


def with_rewritten_results(body: bytes, path: str, rewrite: Rewrite) -> bytes:
    """The body for an upstream's ``path`` with every tool's result rewritten; the same bytes where none is.

    What cannot be told apart, such as a field that is named twice, is left as it is.
    """
    wire = _WIRES.get(path)
    if wire is None or body.rfind(wire.kind) < 0:  # backwards, a long body is searched twice as fast
        return body
    edits = list(_edits(body, wire, rewrite))
    return edited(body, edits) if edits else body


def _edits(body: bytes, wire: _Wire, rewrite: Rewrite) -> Iterator[Edit]:
    try:
        turns = item_spans(body, field_spans(body, whole(body))[wire.turns])
    except (Unlocatable, KeyError):
        return
    for turn in turns:
        if body.find(wire.kind, *turn) < 0:
            continue
        for text in _texts(body, turn, wire):
            try:
                written = rewrite(text_at(body, text))
            except Unlocatable:
                continue
            if written is not None:
                yield Edit(text.start, text.end, msgspec.json.encode(written))


def _texts(body: bytes, turn: Span, wire: _Wire) -> list[Span]:
    """The texts of the results in a turn; none where it cannot be read."""
    try:
        return list(_result_texts(body, turn, wire))
    except Unlocatable:
        return []


def _result_texts(body: bytes, turn: Span, wire: _Wire) -> Iterator[Span]:
    fields = field_spans(body, turn)
    if wire is _MESSAGES:
        blocks = item_spans(body, fields["content"]) if "content" in fields else []
        results = [field_spans(body, block) for block in blocks]
    else:
        results = [fields]
    for result in results:
        if wire.field in result and body[slice(*result[wire.field])] == wire.kind and wire.content in result:
            yield from _texts_of(body, result[wire.content])


def _texts_of(body: bytes, content: Span) -> Iterator[Span]:
    if is_text(body, content):
        yield content
    elif is_array(body, content):
        for part in item_spans(body, content):
            fields = field_spans(body, part)
            if "text" in fields and is_text(body, fields["text"]):
                yield fields["text"]
