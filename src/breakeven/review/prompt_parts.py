"""The parts of a prompt, in the order in which a provider reads them: tools, system, messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

Role = Literal["tool_definition", "system", "user", "assistant", "tool_result"]

_SYSTEM: Final = frozenset(("system", "developer"))
_RESULTS: Final = frozenset(("tool", "function"))
_encode = msgspec.json.Encoder(order="deterministic").encode


class Part(NamedTuple):
    """One piece of a prompt. ``name`` is a tool's; ``text`` what is billed, as text or as JSON."""

    role: Role
    text: str
    name: str = ""


def prompt_parts(body: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a request's body, of OpenAI's chat, responses and completions or Anthropic's messages."""
    return tuple(part for part in _parts(body) if part.text)


def called_tools(messages: object) -> Iterator[str]:
    """The names of the tools that messages, or an answer's content, call."""
    for item in messages if isinstance(messages, list) else ():
        if not isinstance(item, Mapping):
            continue
        if item.get("type") in ("tool_use", "function_call") and isinstance(item.get("name"), str):
            yield item["name"]
        for call in _list(item.get("tool_calls")):
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping) and isinstance(function.get("name"), str):
                yield function["name"]
        yield from called_tools(item.get("content"))


def _parts(body: Mapping[str, Any]) -> Iterator[Part]:
    for tool in _list(body.get("tools")):
        yield Part("tool_definition", _text(tool), _tool_name(tool))
    for name in ("system", "instructions"):
        yield Part("system", _text(body.get(name)))
    asked = body.get("messages", body.get("input", body.get("prompt")))
    if isinstance(asked, str):
        yield Part("user", asked)
    for message in _list(asked):
        yield from _message_parts(message)


def _message_parts(message: object) -> Iterator[Part]:
    """A message's text, and each tool result in it as a part of its own: they are billed alike, and grow apart."""
    if not isinstance(message, Mapping):
        yield Part("user", _text(message))
        return
    if message.get("type") == "function_call_output":
        yield Part("tool_result", _text(message.get("output")))
        return
    role = _role(str(message.get("role", "user")))
    content = message.get("content")
    blocks = _list(content)
    results = [block for block in blocks if isinstance(block, Mapping) and block.get("type") == "tool_result"]
    for block in results:
        yield Part("tool_result", _text(block.get("content")))
    others = [block for block in blocks if block not in results] if results else content
    yield Part(role, _text(others))
    yield Part(role, _text(message.get("tool_calls")))


def _role(role: str) -> Role:
    if role in _SYSTEM:
        return "system"
    if role in _RESULTS:
        return "tool_result"
    return "assistant" if role == "assistant" else "user"


def _text(value: object) -> str:
    """What a value says: its text, the texts of its blocks, or its JSON."""
    if value is None or value == []:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(_is_text_block(block) for block in value):
        return "\n".join(block["text"] for block in value)
    return _encode(value).decode()


def _is_text_block(block: object) -> bool:
    return isinstance(block, Mapping) and isinstance(block.get("text"), str)


def _tool_name(tool: object) -> str:
    """OpenAI's chat has it under ``function``, its responses and Anthropic at the top."""
    if not isinstance(tool, Mapping):
        return ""
    function = tool.get("function")
    name = function.get("name") if isinstance(function, Mapping) else tool.get("name", tool.get("type"))
    return name if isinstance(name, str) else ""


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
