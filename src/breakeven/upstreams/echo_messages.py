"""The echo model on Anthropic's wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from breakeven.upstreams.echo_openai import named_event, text_pieces
from breakeven.upstreams.echo_prompt import EchoAnswer, EchoPrompt


def message(prompt: EchoPrompt, answer_id: str) -> bytes:
    """A message."""
    (answer,) = prompt.answers()
    told = {
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": _why(answer),
        "usage": _usage(prompt, len(answer.tokens)),
    }
    return msgspec.json.encode(_message(prompt, answer_id) | told)


def message_events(prompt: EchoPrompt, answer_id: str) -> Iterator[bytes]:
    """The events of a streamed message."""
    (answer,) = prompt.answers()
    begun = _message(prompt, answer_id) | {"usage": _usage(prompt, 0)}
    yield named_event({"type": "message_start", "message": begun})
    yield named_event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    yield named_event({"type": "ping"})
    for piece in text_pieces(answer):
        delta = {"type": "text_delta", "text": piece}
        yield named_event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield named_event({"type": "content_block_stop", "index": 0})
    stopped = {"stop_reason": _why(answer), "stop_sequence": None}
    yield named_event({"type": "message_delta", "delta": stopped, "usage": _usage(prompt, len(answer.tokens))})
    yield named_event({"type": "message_stop"})


def _message(prompt: EchoPrompt, answer_id: str) -> dict[str, Any]:
    return {
        "id": f"msg_{answer_id}",
        "type": "message",
        "role": "assistant",
        "model": prompt.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(prompt: EchoPrompt, output_tokens: int) -> dict[str, int]:
    return {
        "input_tokens": prompt.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    }


def _why(answer: EchoAnswer) -> str:
    return "max_tokens" if answer.cut else "end_turn"
