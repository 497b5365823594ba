"""The echo model on the wire of OpenAI's responses."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec

from breakeven.upstreams.echo_openai import named_event, text_pieces
from breakeven.upstreams.echo_prompt import EchoAnswer, EchoPrompt


def response(prompt: EchoPrompt, answer_id: str) -> bytes:
    """A response."""
    return msgspec.json.encode(_whole(prompt, answer_id, prompt.answers()[0]))


def response_events(prompt: EchoPrompt, answer_id: str) -> Iterator[bytes]:
    """The events of a streamed response."""
    (answer,) = prompt.answers()
    numbers = count()
    begun = _response(prompt, answer_id) | {"status": "in_progress"}
    whole = _whole(prompt, answer_id, answer)
    (item,) = whole["output"]
    (part,) = item["content"]
    at_item = {"output_index": 0}
    at_part = {"item_id": item["id"], "output_index": 0, "content_index": 0}

    def event(kind: str, fields: dict[str, Any]) -> bytes:
        return named_event({"type": f"response.{kind}", "sequence_number": next(numbers)} | fields)

    yield event("created", {"response": begun})
    yield event("in_progress", {"response": begun})
    yield event("output_item.added", at_item | {"item": item | {"status": "in_progress", "content": []}})
    yield event("content_part.added", at_part | {"part": part | {"text": ""}})
    for piece in text_pieces(answer):
        yield event("output_text.delta", at_part | {"delta": piece, "logprobs": []})
    yield event("output_text.done", at_part | {"text": answer.text, "logprobs": []})
    yield event("content_part.done", at_part | {"part": part})
    yield event("output_item.done", at_item | {"item": item})
    yield event(whole["status"], {"response": whole})


def _whole(prompt: EchoPrompt, answer_id: str, answer: EchoAnswer) -> dict[str, Any]:
    status = "incomplete" if answer.cut else "completed"
    part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
    item = {"type": "message", "id": f"msg_{answer_id}", "status": status, "role": "assistant", "content": [part]}
    output = len(answer.tokens)
    return _response(prompt, answer_id) | {
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.cut else None,
        "output": [item],
        "usage": {
            "input_tokens": prompt.input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt.input_tokens + output,
        },
    }


def _response(prompt: EchoPrompt, answer_id: str) -> dict[str, Any]:
    return {
        "id": f"resp_{answer_id}",
        "object": "response",
        "created_at": 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": prompt.limit,
        "metadata": {},
        "model": prompt.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
