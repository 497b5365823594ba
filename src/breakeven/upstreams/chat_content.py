"""A chat's messages as Anthropic's turns: what was said, seen, called and found, in content blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from breakeven.errors import InputError
from breakeven.upstreams.chat_questions import ChatMessage, Part, ToolCall
from breakeven.upstreams.question_fields import MALFORMED

Block = dict[str, Any]

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=-]+)*;base64,(.*)", re.DOTALL)
_SYSTEM: Final = frozenset({"system", "developer"})
_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})


def system_blocks(messages: Sequence[ChatMessage]) -> list[Block]:
    """The texts of all system and developer messages.

    Raises:
        InputError: one contains something else than text.
    """
    blocks = [_block(part) for message in messages if message.role in _SYSTEM for part in message.parts]
    if any(block["type"] != "text" for block in blocks):
        raise InputError("messages: a system message must be text")
    return blocks


def turns(messages: Sequence[ChatMessage]) -> list[Block]:
    """The other messages, those of one side that follow each other as one turn: results of parallel calls must be.

    Raises:
        InputError: a role, part or call that Anthropic's wire does not have.
    """
    told: list[Block] = []
    for message in messages:
        if message.role in _SYSTEM:
            continue
        side, blocks = _said(message)
        if told and told[-1]["role"] == side:
            told[-1]["content"] += blocks
        elif blocks:
            told.append({"role": side, "content": blocks})
    return told


def _said(message: ChatMessage) -> tuple[str, list[Block | Raw]]:
    match message.role:
        case "user":
            return "user", [_block(part) for part in message.parts]
        case "assistant":
            if message.function_call is not None or message.audio is not None:
                raise InputError("messages: function_call and audio are not available; use tool_calls and text")
            calls = [_call(call) for call in message.tool_calls or ()]
            return "assistant", [*(message.thinking_blocks or ()), *map(_block, message.parts), *calls]
        case "tool":
            return "user", [_result(message)]
        case role:
            raise InputError(f"messages: {role!r} is no role; it must be system, user, assistant or tool")


def _block(part: Part) -> Block:
    return {**_content(part), **({} if part.cache_control is None else {"cache_control": part.cache_control})}


def _content(part: Part) -> Block:
    match part.type:
        case "text" | "refusal":
            return {"type": "text", "text": part.text or part.refusal or ""}
        case "image_url" if part.image_url is not None:
            url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            return {"type": "image", "source": _image_source(url)}
        case "file" if part.file is not None and part.file.file_data is not None:
            document = _inline(part.file.file_data)
            named = {"title": part.file.filename} if part.file.filename else {}
            return {"type": "document", "source": document, **named}
        case kind:
            raise InputError(f"messages: this model is served by Anthropic's API, which cannot read this {kind!r}")


def _image_source(url: str) -> Block:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    source = _inline(url)
    if source["media_type"] not in _IMAGES:
        raise InputError(f"messages: images must be {', '.join(sorted(_IMAGES))}, not {source['media_type']}")
    return source


def _inline(url: str) -> Block:
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise InputError("messages: an image or file must be an http(s) address or a base64 data: URL")
    return {"type": "base64", "media_type": found[1], "data": found[2]}


def _call(call: ToolCall) -> Block:
    if call.function is None:
        raise InputError("messages: tool_calls must be calls of functions")
    return {"type": "tool_use", "id": call.id, "name": call.function.name, "input": _arguments(call.function.arguments)}


def _arguments(text: str) -> Raw:
    """Arguments as JSON; a function without any is called with an empty object."""
    try:
        read = msgspec.json.decode(text or "{}", type=dict[str, Raw])
    except MALFORMED:
        raise InputError("messages: the arguments of a tool call must be a JSON object") from None
    return Raw(msgspec.json.encode(read))


def _result(message: ChatMessage) -> Block:
    if not message.tool_call_id:
        raise InputError("messages: a tool message must have a tool_call_id")
    content: str | list[Block] = message.content if isinstance(message.content, str) else list(_blocks(message.parts))
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}


def _blocks(parts: Sequence[Part]) -> Iterator[Block]:
    return map(_block, parts)
