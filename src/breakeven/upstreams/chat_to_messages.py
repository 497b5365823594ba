"""A chat question as an Anthropic message request. What the other wire cannot carry is refused, not dropped.

Hints that change no answer are left out: who asks and why (``metadata``, ``store``), and how OpenAI caches
(``prompt_cache_key``, ``prediction``). System messages move to the top, where Anthropic has its one system prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from breakeven.errors import InputError
from breakeven.upstreams.chat_content import Block, system_blocks, turns
from breakeven.upstreams.chat_questions import (
    MESSAGES,
    NUMBER,
    RESPONSE_FORMAT,
    STOP,
    TOOL_CHOICE,
    TOOLS,
    NamedTool,
    Tool,
    given,
    read_field,
)
from breakeven.upstreams.question_fields import flag_field, text_field
from breakeven.upstreams.thinking import thinking_of
from breakeven.upstreams.wire import Fields, Question

DEFAULT_OUTPUT_TOKENS: Final = 4_096
"""The limit that is sent where neither the client nor the gateway has one: Anthropic's wire requires it."""

_CARRIED: Final = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "stop"),
        *("temperature", "top_p", "top_k", "tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("reasoning_effort", "thinking", "cache_control", "user", "safety_identifier", "service_tier"),
    }
)
_HINTS: Final = frozenset(
    {"metadata", "store", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}
)
_TIERS: Final = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}


def message_body(question: Question, model: str, output_limit: int | None) -> bytes:
    """The body of ``POST /v1/messages`` that asks the same.

    Raises:
        InputError: the question asks for something that Anthropic's wire does not have.
    """
    fields = question.fields
    _refuse_foreign(question)
    messages = read_field(fields, "messages", MESSAGES) or []
    limit = question.max_output_tokens or output_limit or DEFAULT_OUTPUT_TOKENS
    asked = {"model": model, "max_tokens": limit, "messages": turns(messages), **dict(_settings(fields))}
    if system := system_blocks(messages):
        asked["system"] = system
    if question.stream:
        asked["stream"] = True
    for name, value in thinking_of(fields, model, limit, messages):
        asked[name] = {**asked[name], **value} if name in asked else value
    return msgspec.json.encode(asked)


def _refuse_foreign(question: Question) -> None:
    fields = question.fields
    foreign = sorted(name for name in fields if name not in _CARRIED and name not in _HINTS and given(fields, name))
    if foreign:
        raise InputError(f"{', '.join(foreign)}: not available, because this model is served by Anthropic's API")
    if question.choices > 1:
        raise InputError("n: this model is served by Anthropic's API, which gives one choice")


def _settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    yield from _sampling_settings(fields)
    if "cache_control" in fields and bytes(fields["cache_control"]) != b"null":
        yield "cache_control", fields["cache_control"]
    if stop := read_field(fields, "stop", STOP):
        yield "stop_sequences", [stop] if isinstance(stop, str) else stop
    yield from _tool_settings(fields)
    yield from _format_settings(fields)
    if user := text_field(fields, "user") or text_field(fields, "safety_identifier"):
        yield "metadata", {"user_id": user}
    if tier := text_field(fields, "service_tier"):
        if tier not in _TIERS:
            raise InputError(f"service_tier: this model is served by Anthropic's API, which has no {tier!r}")
        yield "service_tier", _TIERS[tier]


def _sampling_settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    """What differs from the default 1; models since Claude 4.7 refuse any other, and say so themselves."""
    for name in ("temperature", "top_p"):
        value = read_field(fields, name, NUMBER)
        if value is None or value == 1:
            continue
        if not 0 <= value <= 1:
            raise InputError(f"{name}: this model is served by Anthropic's API, which takes 0 to 1")
        yield name, value
    if given(fields, "top_k"):
        yield "top_k", fields["top_k"]


def _tool_settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    tools = read_field(fields, "tools", TOOLS)
    if not tools:
        return
    yield "tools", [_tool(tool) for tool in tools]
    choice = _tool_choice(read_field(fields, "tool_choice", TOOL_CHOICE))
    alone = "parallel_tool_calls" in fields and not flag_field(fields, "parallel_tool_calls")
    if alone and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    if choice:
        yield "tool_choice", choice


def _tool(tool: Tool) -> Block:
    function = tool.function
    if tool.type != "function" or function is None:
        raise InputError(f"tools: this model is served by Anthropic's API, which has no tool of type {tool.type!r}")
    described: Block = {"name": function.name, "input_schema": function.parameters or {"type": "object"}}
    if function.description is not None:
        described["description"] = function.description
    if function.strict:
        described["strict"] = True
    return described


def _tool_choice(choice: str | NamedTool | None) -> Block:
    if choice is None:
        return {}
    if isinstance(choice, NamedTool):
        if choice.function is None:
            raise InputError(f"tool_choice: this model is served by Anthropic's API, which has no {choice.type!r}")
        return {"type": "tool", "name": choice.function.name}
    kinds = {"auto": "auto", "none": "none", "required": "any"}
    if choice not in kinds:
        raise InputError(f"tool_choice: {choice!r} is none of {', '.join(kinds)}")
    return {"type": kinds[choice]}


def _format_settings(fields: Fields) -> Iterator[tuple[str, Any]]:
    asked = read_field(fields, "response_format", RESPONSE_FORMAT)
    if asked is None or asked.type == "text":
        return
    if asked.type != "json_schema" or asked.json_schema is None:
        raise InputError(
            f"response_format: this model is served by Anthropic's API, which has no {asked.type!r}",
            hint='"response_format": {"type": "json_schema", ...}, or "text"',
        )
    yield "output_config", {"format": {"type": "json_schema", "schema": asked.json_schema.schema}}
