"""An Anthropic message as a chat completion: whole, or event by event as chunks."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from breakeven.catalog.usage import Usage
from breakeven.upstreams.usage_fields import MessageUsage

FINISH_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Why a message stopped, as OpenAI says it; a reason that is not known is ``stop``."""

_TIERS: Final = {"standard": "default", "priority": "priority"}


class Block(Struct):
    """A block of a message's content, or of the event that begins one."""

    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class Content(Struct):
    """What is read of a message."""

    id: str = ""
    model: str = ""
    content: list[Raw] = []
    stop_reason: str | None = None
    usage: MessageUsage | None = None


_BLOCK: Final = msgspec.json.Decoder(Block)


def chat_completion(message: Content, usage: Usage | None) -> bytes:
    """A message as a chat completion. Thoughts are in ``reasoning_content``, as DeepSeek and vLLM give theirs."""
    blocks = [(_BLOCK.decode(raw), raw) for raw in message.content]
    said: dict[str, Any] = {"role": "assistant", "content": _joined(blocks, "text"), "refusal": None}
    if thoughts := [raw for block, raw in blocks if block.type in {"thinking", "redacted_thinking"}]:
        said["reasoning_content"] = _joined(blocks, "thinking")
        said["thinking_blocks"] = thoughts
    if calls := [tool_call(block) for block, _ in blocks if block.type == "tool_use"]:
        said["tool_calls"] = calls
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason(message.stop_reason)}
    answer: dict[str, Any] = {
        "id": message.id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": message.model,
        "choices": [choice],
    }
    if usage is not None:
        answer["usage"] = chat_usage(usage)
    if message.usage is not None and message.usage.service_tier in _TIERS:
        answer["service_tier"] = _TIERS[message.usage.service_tier]
    return msgspec.json.encode(answer)


def finish_reason(stop_reason: str | None) -> str:
    """Why the model stopped, as OpenAI says it."""
    return FINISH_REASONS.get(stop_reason or "", "stop")


def tool_call(block: Block) -> dict[str, Any]:
    """A block that calls a tool, as a tool call."""
    function = {"name": block.name, "arguments": bytes(block.input).decode()}
    return {"id": block.id, "type": "function", "function": function}


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Token counts as a chat completion states them, the cached ones within the prompt."""
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _joined(blocks: list[tuple[Block, Raw]], kind: str) -> str | None:
    """The texts of the blocks of a kind; None where there is none, as where a model only calls tools."""
    texts = [getattr(block, kind) for block, _ in blocks if block.type == kind]
    return "".join(texts) if texts else None
