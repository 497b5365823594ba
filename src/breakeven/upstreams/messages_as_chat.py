"""An Anthropic question as a chat request. What the other wire cannot carry is refused, not dropped.

Hints that change no answer are left out: what to cache (``cache_control``) and whether to think aloud (``thinking``);
how hard to try (``output_config.effort``) is carried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from breakeven.errors import InputError
from breakeven.upstreams.chat_questions import NUMBER, given, read_field
from breakeven.upstreams.message_content import chat_messages
from breakeven.upstreams.message_questions import (
    MESSAGE_TOOL_CHOICE,
    MESSAGE_TOOLS,
    METADATA,
    OUTPUT_CONFIG,
    STOP_SEQUENCES,
    SYSTEM,
    TURNS,
    MessageTool,
)
from breakeven.upstreams.openai_chat import limit_field_of
from breakeven.upstreams.wire import Fields, Question

_CARRIED: Final = frozenset(
    {
        *("model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p"),
        *("tools", "tool_choice", "output_config", "metadata"),
    }
)
_HINTS: Final = frozenset({"cache_control", "thinking", "service_tier", "diagnostics"})
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


def chat_body(question: Question, model: str, output_limit: int | None) -> bytes:
    """The body of ``POST /v1/chat/completions`` that asks the same.

    Raises:
        InputError: the question asks for something that OpenAI's wire does not have.
    """
    fields = question.fields
    foreign = sorted(name for name in fields if name not in _CARRIED and name not in _HINTS and given(fields, name))
    if foreign:
        raise InputError(f"{', '.join(foreign)}: not available, because this model is served by OpenAI's wire")
    turns = read_field(fields, "messages", TURNS)
    messages = chat_messages(read_field(fields, "system", SYSTEM), turns or [])
    limit = question.max_output_tokens if question.max_output_tokens is not None else output_limit
    asked: dict[str, Any] = {"model": model, "messages": messages, **dict(_settings(fields))}
    if limit is not None:
        asked[limit_field_of(model)] = limit
    if question.stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(asked)


def _settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    for name in ("temperature", "top_p"):
        if (value := read_field(fields, name, NUMBER)) is not None:
            yield name, value
    if stop := read_field(fields, "stop_sequences", STOP_SEQUENCES):
        yield "stop", stop
    metadata = read_field(fields, "metadata", METADATA)
    if metadata is not None and metadata.user_id:
        yield "user", metadata.user_id
    yield from _tool_settings(fields)
    yield from _output_settings(fields)


def _tool_settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    tools = read_field(fields, "tools", MESSAGE_TOOLS)
    if not tools:
        return
    yield "tools", [{"type": "function", "function": _function(tool)} for tool in tools]
    choice = read_field(fields, "tool_choice", MESSAGE_TOOL_CHOICE)
    if choice is None:
        return
    if choice.type == "tool":
        yield "tool_choice", {"type": "function", "function": {"name": choice.name}}
    elif choice.type in _CHOICES:
        yield "tool_choice", _CHOICES[choice.type]
    else:
        raise InputError(f"tool_choice: {choice.type!r} is none of {', '.join(_CHOICES)} and tool")
    if choice.disable_parallel_tool_use:
        yield "parallel_tool_calls", False


def _function(tool: MessageTool) -> dict[str, Any]:
    if tool.type not in {None, "custom"} or tool.input_schema is None:
        raise InputError(f"tools: this model is served by OpenAI's wire, which has no tool {tool.type or tool.name!r}")
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict:
        function["strict"] = True
    return function


def _output_settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    config = read_field(fields, "output_config", OUTPUT_CONFIG)
    if config is None:
        return
    if config.effort:
        yield "reasoning_effort", config.effort
    if config.format is not None:
        schema = {"name": "answer", "schema": config.format.schema, "strict": True}
        yield "response_format", {"type": "json_schema", "json_schema": schema}
