"""How much an Anthropic model is to think, from OpenAI's ``reasoning_effort``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from breakeven.errors import InputError
from breakeven.upstreams.chat_questions import ChatMessage
from breakeven.upstreams.question_fields import text_field
from breakeven.upstreams.wire import Fields

LEAST_BUDGET_TOKENS: Final = 1_024
"""Anthropic's smallest thinking budget."""

_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_BUDGET_TOKENS: Final = {"low": 1_024, "medium": 4_096, "high": 16_384, "xhigh": 32_768, "max": 65_536}
_BUDGETED: Final = re.compile(r".*claude-(3-7-|(opus|sonnet|haiku)-4(-[0-5])?(-?\d{8}|$|[-@:]))")


def thinking_of(
    fields: Fields, model: str, output_limit: int, messages: Sequence[ChatMessage]
) -> Iterator[tuple[str, Any]]:
    """The fields of a message request that say how much to think; the client's own ``thinking`` is passed on as it is.

    Models up to Claude 4.5 are given a budget of tokens within the output limit. Within a round of tool calls they
    would ask for their thoughts back, which a chat does not keep: they do not think there.

    Raises:
        InputError: an effort that is none.
    """
    if "thinking" in fields and bytes(fields["thinking"]) != b"null":
        yield "thinking", fields["thinking"]
        return
    asked = text_field(fields, "reasoning_effort") if "reasoning_effort" in fields else None
    if asked is None:
        return
    if asked == "none":
        yield "thinking", {"type": "disabled"}
        return
    if asked not in _EFFORTS:
        raise InputError(f"reasoning_effort: {asked!r} is none of none, {', '.join(_EFFORTS)}")
    effort = _EFFORTS[asked]
    if not _BUDGETED.match(model):
        yield "thinking", {"type": "adaptive"}
        yield "output_config", {"effort": effort}
        return
    budget_tokens = min(_BUDGET_TOKENS[effort], output_limit - 1)
    if budget_tokens >= LEAST_BUDGET_TOKENS and not _calls_without_thoughts(messages):
        yield "thinking", {"type": "enabled", "budget_tokens": budget_tokens}


def _calls_without_thoughts(messages: Sequence[ChatMessage]) -> bool:
    last = next((message for message in reversed(messages) if message.role == "assistant"), None)
    in_round = bool(messages) and messages[-1].role == "tool"
    return in_round and last is not None and not last.thinking_blocks
