"""A chat completion as an Anthropic message: what is read of it, and the message that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from breakeven.catalog.usage import Usage
from breakeven.upstreams.question_fields import MALFORMED

STOP_REASONS: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""Why an answer stopped, as Anthropic says it; a reason that is not known is ``end_turn``."""


class CalledFunction(Struct):
    """A function that was called, or a piece of the call."""

    name: str | None = None
    arguments: str | None = None


class Call(Struct):
    """A call of a tool, or a piece of it."""

    index: int = 0
    id: str | None = None
    function: CalledFunction | None = None


class Said(Struct):
    """What an answer or a chunk says. Thoughts have two names on this wire, after DeepSeek and OpenRouter."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Call] | None = None

    @property
    def thoughts(self) -> str:
        """What was thought aloud."""
        return self.reasoning_content or self.reasoning or ""

    @property
    def text(self) -> str:
        """What was said, a refusal too."""
        return self.content or self.refusal or ""


class Choice(Struct):
    """One choice, whole or a piece."""

    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None


class Completion(Struct):
    """What is read of a chat completion or a chunk."""

    id: str = ""
    model: str = ""
    choices: list[Choice] = []


def message(answer: Completion, usage: Usage | None) -> bytes:
    """A chat completion as a message."""
    choice = answer.choices[0] if answer.choices else Choice()
    return msgspec.json.encode(
        {
            **message_head(answer),
            "content": list(_blocks(choice.message or Said())),
            "stop_reason": stop_reason(choice.finish_reason),
            "stop_sequence": None,
            "usage": message_usage(usage or Usage()),
        }
    )


def message_head(answer: Completion) -> dict[str, Any]:
    """What a message begins with."""
    return {"id": answer.id, "type": "message", "role": "assistant", "model": answer.model}


def stop_reason(finish_reason: str | None) -> str:
    """Why the model stopped, as Anthropic says it."""
    return STOP_REASONS.get(finish_reason or "", "end_turn")


def message_usage(usage: Usage) -> dict[str, Any]:
    """Token counts as a message states them, the cached ones beside the input."""
    written = {
        "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
        "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
    }
    return {
        "input_tokens": usage.uncached_input_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": sum(written.values()),
        "cache_creation": written,
        "output_tokens": usage.output_tokens,
    }


def _blocks(said: Said) -> Iterator[dict[str, Any]]:
    if said.thoughts:
        yield {"type": "thinking", "thinking": said.thoughts, "signature": ""}
    if said.text:
        yield {"type": "text", "text": said.text}
    for call in said.tool_calls or ():
        function = call.function or CalledFunction()
        yield {"type": "tool_use", "id": call.id, "name": function.name, "input": _input(function.arguments or "{}")}


def _input(arguments: str) -> Raw:
    """Arguments as an object; what a model wrote that is none is kept as ``arguments``, for its caller to judge."""
    try:
        read: dict[str, Any] = msgspec.json.decode(arguments, type=dict[str, Raw])
    except MALFORMED:
        read = {"arguments": arguments}
    return Raw(msgspec.json.encode(read))
