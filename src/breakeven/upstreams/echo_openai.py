"""The echo model on OpenAI's wire: chat and legacy completions, whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from breakeven.upstreams.echo_prompt import EchoAnswer, EchoPrompt

DONE: Final = b"data: [DONE]\n\n"
_MOST_EVENTS: Final = 200


def text_pieces(answer: EchoAnswer) -> Iterator[str]:
    """The text of an answer as its stream's events carry it: a token each, more where it would be too many events."""
    step = -(-len(answer.tokens) // _MOST_EVENTS) or 1
    for start in range(0, len(answer.tokens), step):
        yield "".join(answer.tokens[start : start + step])


def data_event(value: object) -> bytes:
    """An event without a name."""
    return b"data: %b\n\n" % msgspec.json.encode(value)


def named_event(value: dict[str, Any]) -> bytes:
    """An event named by the type of what it carries, as Anthropic's wire and OpenAI's responses have it."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), msgspec.json.encode(value))


def chat(prompt: EchoPrompt, answer_id: str) -> bytes:
    """A chat completion."""
    answers = prompt.answers()
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "logprobs": None,
            "finish_reason": _why(answer),
        }
        for index, answer in enumerate(answers)
    ]
    told = {"choices": choices, "usage": _usage(prompt, answers)}
    return msgspec.json.encode(_head(prompt, f"chatcmpl-{answer_id}", "chat.completion") | told)


def chat_events(prompt: EchoPrompt, answer_id: str) -> Iterator[bytes]:
    """The events of a streamed chat completion."""
    head = _head(prompt, f"chatcmpl-{answer_id}", "chat.completion.chunk")
    if prompt.shows_usage:
        head |= {"usage": None}

    def chunk(index: int, delta: dict[str, str], why: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": why}
        return data_event(head | {"choices": [choice]})

    answers = prompt.answers()
    for index, answer in enumerate(answers):
        yield chunk(index, {"role": "assistant", "content": ""})
        for piece in text_pieces(answer):
            yield chunk(index, {"content": piece})
        yield chunk(index, {}, _why(answer))
    yield from _ending(prompt, head, answers)


def completion(prompt: EchoPrompt, answer_id: str) -> bytes:
    """A legacy completion."""
    answers = prompt.answers()
    choices = [
        {"text": answer.text, "index": index, "logprobs": None, "finish_reason": _why(answer)}
        for index, answer in enumerate(answers)
    ]
    told = {"choices": choices, "usage": _usage(prompt, answers)}
    return msgspec.json.encode(_head(prompt, f"cmpl-{answer_id}", "text_completion") | told)


def completion_events(prompt: EchoPrompt, answer_id: str) -> Iterator[bytes]:
    """The events of a streamed legacy completion."""
    head = _head(prompt, f"cmpl-{answer_id}", "text_completion")

    def chunk(index: int, text: str, why: str | None = None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": None, "finish_reason": why}
        return data_event(head | {"choices": [choice]})

    answers = prompt.answers()
    for index, answer in enumerate(answers):
        for piece in text_pieces(answer):
            yield chunk(index, piece)
        yield chunk(index, "", _why(answer))
    yield from _ending(prompt, head, answers)


def _ending(prompt: EchoPrompt, head: dict[str, Any], answers: list[EchoAnswer]) -> Iterator[bytes]:
    if prompt.shows_usage:
        yield data_event(head | {"choices": [], "usage": _usage(prompt, answers)})
    yield DONE


def _head(prompt: EchoPrompt, answer_id: str, kind: str) -> dict[str, Any]:
    """What every body begins with. ``created`` is 0: equal requests get equal answers, to the byte."""
    return {"id": answer_id, "object": kind, "created": 0, "model": prompt.model, "system_fingerprint": "echo"}


def _usage(prompt: EchoPrompt, answers: list[EchoAnswer]) -> dict[str, Any]:
    output = sum(len(answer.tokens) for answer in answers)
    return {
        "prompt_tokens": prompt.input_tokens,
        "completion_tokens": output,
        "total_tokens": prompt.input_tokens + output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _why(answer: EchoAnswer) -> str:
    return "length" if answer.cut else "stop"
