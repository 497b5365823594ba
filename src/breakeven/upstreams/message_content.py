"""Anthropic's turns as a chat's messages: results of tools become messages of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from breakeven.errors import InputError
from breakeven.upstreams.message_questions import Block, Source, Turn

Message = dict[str, Any]
Part = dict[str, Any]

_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


def chat_messages(system: str | list[Block] | None, turns: Sequence[Turn]) -> list[Message]:
    """The system prompt and the turns as messages.

    Thoughts are left out: only the model that had them can read them. Images that a tool found follow its result as
    the user's, since a result is text on OpenAI's wire.

    Raises:
        InputError: a block or a role that OpenAI's wire does not have.
    """
    messages: list[Message] = []
    if system:
        texts = [system] if isinstance(system, str) else [_text(block) for block in system]
        messages.append({"role": "system", "content": "\n\n".join(texts)})
    for turn in turns:
        messages += _said(turn)
    return messages


def _said(turn: Turn) -> Iterator[Message]:
    match turn.role:
        case "user":
            results = [block for block in turn.blocks if block.type == "tool_result"]
            for result in results:
                yield {"role": "tool", "tool_call_id": result.tool_use_id, "content": _result_text(result)}
            parts = [part for result in results for part in _pictures(result)]
            parts += [_part(block) for block in turn.blocks if block.type != "tool_result"]
            if parts:
                yield {"role": "user", "content": _plainly(parts)}
        case "assistant":
            yield from _assistant(turn.blocks)
        case "system":
            yield {"role": "system", "content": "\n\n".join(map(_text, turn.blocks))}
        case role:
            raise InputError(f"messages: {role!r} is no role; it must be user or assistant")


def _assistant(blocks: Sequence[Block]) -> Iterator[Message]:
    calls = [_call(block) for block in blocks if block.type == "tool_use"]
    texts = [_text(block) for block in blocks if block.type != "tool_use" and block.type not in _THOUGHTS]
    if texts or calls:
        message: Message = {"role": "assistant", "content": "".join(texts) or None}
        yield {**message, "tool_calls": calls} if calls else message


def _call(block: Block) -> dict[str, Any]:
    try:
        arguments = msgspec.json.encode(block.input).decode()
    except UnicodeDecodeError:
        raise InputError("messages: the input of a tool_use is not UTF-8") from None
    function = {"name": block.name, "arguments": arguments}
    return {"id": block.id, "type": "function", "function": function}


def _result_text(result: Block) -> str:
    if isinstance(result.content, str):
        return result.content
    return "\n".join(_text(block) for block in result.content or () if block.type != "image")


def _pictures(result: Block) -> Iterator[Part]:
    if isinstance(result.content, list):
        yield from (_part(block) for block in result.content if block.type == "image")


def _text(block: Block) -> str:
    if block.type != "text":
        raise InputError(f"messages: this model is served by OpenAI's wire, which cannot carry a {block.type!r} here")
    return block.text


def _part(block: Block) -> Part:
    match block:
        case Block(type="text"):
            return {"type": "text", "text": block.text}
        case Block(type="image", source=Source(type="base64" | "url") as source):
            return {"type": "image_url", "image_url": {"url": _url(source)}}
        case Block(type="document", source=Source(type="text") as source):
            return {"type": "text", "text": source.data}
        case Block(type="document", source=Source(type="base64") as source):
            return {"type": "file", "file": {"filename": block.title or "document.pdf", "file_data": _url(source)}}
        case _:
            raise InputError(f"messages: this model is served by OpenAI's wire, which cannot carry this {block.type!r}")


def _url(source: Source) -> str:
    return source.url or f"data:{source.media_type};base64,{source.data}"


def _plainly(parts: list[Part]) -> str | list[Part]:
    """One text as a plain string, which every server takes."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts
