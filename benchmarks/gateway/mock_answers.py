"""What the mock upstream says, ready to be sent: one JSON answer and one event stream for each kind of endpoint.

All answers name the same usage, so every request of one kind costs the same and a ledger can be checked by counting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

TEXT = "The quick brown fox jumps over the lazy dog while the cost of every token is written to the ledger. " * 4
CREATED = 1_700_000_000
PIECE_CHARACTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The usage that every answer states."""

    input_tokens: int = 480
    cached_tokens: int = 0
    output_tokens: int = 96


@dataclass(frozen=True, slots=True)
class Answers:
    """One endpoint: the body of its JSON answer, and the events of its stream (none: it has no stream)."""

    whole: bytes
    events: tuple[bytes, ...] = ()


def answers(model: str, tokens: Tokens, pieces: int, with_usage: bool) -> dict[bytes, Answers]:
    """Every endpoint's answers by the end of its path; ``pieces`` is how many events of a stream carry text."""
    made: dict[bytes, Callable[[str, Tokens, int, bool], Answers]] = {
        b"/chat/completions": _chat,
        b"/completions": _completions,
        b"/messages": _messages,
        b"/responses": _responses,
        b"/embeddings": _embeddings,
    }
    return {path: make(model, tokens, pieces, with_usage) for path, make in made.items()}


def error_body(kind: str, message: str) -> bytes:
    """An error as OpenAI's and Anthropic's clients both read it."""
    return _json({"type": "error", "error": {"message": message, "type": kind, "code": kind, "param": None}})


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _event(value: object, name: str = "") -> bytes:
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + _json(value) + b"\n\n"


def _piece(number: int) -> str:
    start = number * PIECE_CHARACTERS % len(TEXT)
    return TEXT[start : start + PIECE_CHARACTERS]


def _openai_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
        "prompt_tokens_details": {"cached_tokens": tokens.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _chat(model: str, tokens: Tokens, pieces: int, with_usage: bool) -> Answers:
    base = {"id": "chatcmpl-mock", "created": CREATED, "model": model, "system_fingerprint": "fp_mock"}
    usage = {"usage": _openai_usage(tokens)} if with_usage else {}
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = _json({**base, "object": "chat.completion", "choices": [choice], **usage})

    def chunk(delta: dict[str, str] | None, finish: str | None = None, extra: dict[str, Any] | None = None) -> bytes:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return _event({**base, "object": "chat.completion.chunk", "choices": choices, **(extra or {})})

    events = [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": _piece(number)}) for number in range(pieces)),
        chunk({}, "stop"),
    ]
    if with_usage:
        events.append(chunk(None, None, usage))
    events.append(b"data: [DONE]\n\n")
    return Answers(whole, tuple(events))


def _completions(model: str, tokens: Tokens, pieces: int, with_usage: bool) -> Answers:
    base = {"id": "cmpl-mock", "object": "text_completion", "created": CREATED, "model": model}
    usage = {"usage": _openai_usage(tokens)} if with_usage else {}

    def choice(text: str, finish: str | None) -> list[dict[str, Any]]:
        return [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]

    events = [_event({**base, "choices": choice(_piece(number), None)}) for number in range(pieces)]
    events.append(_event({**base, "choices": choice("", "stop")}))
    if with_usage:
        events.append(_event({**base, "choices": [], **usage}))
    events.append(b"data: [DONE]\n\n")
    whole = _json({**base, "choices": choice(TEXT, "stop"), **usage})
    return Answers(whole, tuple(events))


def _messages(model: str, tokens: Tokens, pieces: int, with_usage: bool) -> Answers:
    fresh = tokens.input_tokens - tokens.cached_tokens  # on this wire the parts do not overlap
    read = {"input_tokens": fresh, "cache_read_input_tokens": tokens.cached_tokens, "cache_creation_input_tokens": 0}
    message = {"id": "msg_mock", "type": "message", "role": "assistant", "model": model}

    def usage(output_tokens: int) -> dict[str, Any]:
        return {"usage": {**read, "output_tokens": output_tokens}} if with_usage else {}

    def delta(number: int) -> bytes:
        text = {"type": "text_delta", "text": _piece(number)}
        return _event({"type": "content_block_delta", "index": 0, "delta": text}, "content_block_delta")

    content = [{"type": "text", "text": TEXT}]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    whole = _json({**message, "content": content, **end, **usage(tokens.output_tokens)})
    opening = {**message, "content": [], "stop_reason": None, "stop_sequence": None, **usage(1)}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    last = {"type": "message_delta", "delta": end}
    spent = {"usage": {"output_tokens": tokens.output_tokens}} if with_usage else {}
    events = (
        _event({"type": "message_start", "message": opening}, "message_start"),
        _event(block, "content_block_start"),
        *(delta(number) for number in range(pieces)),
        _event({"type": "content_block_stop", "index": 0}, "content_block_stop"),
        _event({**last, **spent}, "message_delta"),
        _event({"type": "message_stop"}, "message_stop"),
    )
    return Answers(whole, events)


def _responses(model: str, tokens: Tokens, pieces: int, with_usage: bool) -> Answers:
    usage = {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {"cached_tokens": tokens.cached_tokens},
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
    }
    base = {"id": "resp_mock", "object": "response", "created_at": CREATED, "model": model}
    text = {"type": "output_text", "text": TEXT, "annotations": []}
    item = {"id": "msg_mock", "type": "message", "status": "completed", "role": "assistant", "content": [text]}
    done = {**base, "status": "completed", "output": [item], **({"usage": usage} if with_usage else {})}
    begun = {**base, "status": "in_progress", "output": [], "usage": None}

    def event(number: int, kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, "sequence_number": number, **fields}, kind)

    place = {"item_id": "msg_mock", "output_index": 0, "content_index": 0}
    events = (
        event(0, "response.created", response=begun),
        *(event(number + 1, "response.output_text.delta", delta=_piece(number), **place) for number in range(pieces)),
        event(pieces + 1, "response.output_text.done", text=TEXT, **place),
        event(pieces + 2, "response.completed", response=done),
    )
    return Answers(_json(done), events)


def _embeddings(model: str, tokens: Tokens, _pieces: int, with_usage: bool) -> Answers:
    vector = {"object": "embedding", "index": 0, "embedding": [0.125, -0.25, 0.5, 0.0625]}
    usage = {"usage": {"prompt_tokens": tokens.input_tokens, "total_tokens": tokens.input_tokens}} if with_usage else {}
    whole = _json({"object": "list", "model": model, "data": [vector], **usage})
    return Answers(whole)
