"""One request of a log: what it asked, what it used, and how much of that each part of its prompt was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Literal

import msgspec

from breakeven.catalog.usage import Usage
from breakeven.errors import InputError, Unavailable
from breakeven.policy.decision import Operation
from breakeven.review.prompt_parts import Part, called_tools, prompt_parts
from breakeven.upstreams.codecs import ENDPOINTS, codec_of

BYTES_PER_TOKEN: Final = 4
"""Typical of English text; only for requests whose usage the log does not have, which the audit says."""

_PATHS: Final[tuple[tuple[str, Operation], ...]] = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/embeddings", "embeddings"),
    ("/messages", "messages"),
)
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_TIMES: Final = ("at", "timestamp", "started_at", "created_at", "time")
_LATEST_EPOCH_S: Final = 1e11
"""Larger numbers are milliseconds: in seconds it is the year 5138."""


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """A request as it was logged. ``at_s`` is seconds since 1970, None where the log has no times."""

    at_s: float | None
    operation: Operation
    model: str
    provider: str
    body: Mapping[str, Any]
    usage: Usage
    usage_basis: Literal["reported", "estimated"]
    answer: Mapping[str, Any] | None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts of its prompt, in the order in which they are billed."""
        return prompt_parts(self.body)

    @cached_property
    def tokens_per_character(self) -> float:
        """Of this very prompt, so that the parts' tokens add up to its input."""
        characters = sum(len(part.text) for part in self.parts)
        return self.usage.input_tokens / characters if characters else 0.0

    def tokens(self, text: str) -> int:
        """About how many of the input's tokens a piece of it is."""
        return round(len(text) * self.tokens_per_character)

    @property
    def output_limit(self) -> int | None:
        """The most output tokens that the request allowed; None where it set no limit."""
        limits = [self.body[name] for name in _LIMITS if isinstance(self.body.get(name), int)]
        return max(limits, default=None)

    @cached_property
    def tools_called(self) -> frozenset[str]:
        """The tools that its answer, or the conversation so far, calls."""
        spoken = [*_list(self.body.get("messages")), *_list(self.body.get("input"))]
        return frozenset(called_tools([*spoken, *_answer_items(self.answer)]))


def logged_request(line: Mapping[str, Any]) -> LoggedRequest:
    """Read one object of a log: a body, a line of a batch file, or an object with ``request`` and ``response``.

    Raises:
        InputError: there is no body in it, or none that names a model.
    """
    body = next((line[name] for name in ("body", "request") if isinstance(line.get(name), Mapping)), line)
    body = body["body"] if isinstance(body.get("body"), Mapping) else body
    operation = _operation(str(line.get("url", line.get("path", ""))), body)
    question = ENDPOINTS[operation].question(msgspec.json.encode(body))
    answer = _answer(line)
    usage = _reported(operation, question.body, answer) or _stated(line.get("usage"))
    return LoggedRequest(
        at_s=_moment(next((line[name] for name in _TIMES if line.get(name) is not None), None)),
        operation=operation,
        model=question.model,
        provider=str(line.get("provider", "")),
        body=body,
        usage=usage or _estimated(body, answer),
        usage_basis="estimated" if usage is None else "reported",
        answer=answer,
    )


def _operation(path: str, body: Mapping[str, Any]) -> Operation:
    """By the path, else by what only one endpoint has."""
    for ending, operation in _PATHS:
        if path.endswith(ending):
            return operation
    if "messages" in body:
        model = str(body.get("model", ""))
        return "messages" if "system" in body or "claude" in model else "chat"
    return "responses" if "input" in body else "completions" if "prompt" in body else "chat"


def _answer(line: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = next((line[name] for name in ("response", "answer") if isinstance(line.get(name), Mapping)), None)
    return found["body"] if found is not None and isinstance(found.get("body"), Mapping) else found


def _reported(operation: Operation, body: bytes, answer: Mapping[str, Any] | None) -> Usage | None:
    """The usage in an answer, by the reader that the gateway prices with."""
    codec = codec_of(operation, "anthropic" if operation == "messages" else "openai")
    if answer is None or codec is None:
        return None
    try:
        return codec.answer(ENDPOINTS[operation].question(body), msgspec.json.encode(answer)).usage
    except (InputError, Unavailable):
        return None


def _stated(usage: object) -> Usage | None:
    """Usage that stands beside the request, by our names or OpenAI's."""
    if not isinstance(usage, Mapping):
        return None
    counts = {name: usage[name] for name in Usage.__struct_fields__ if isinstance(usage.get(name), int)}
    counts.setdefault("input_tokens", usage.get("prompt_tokens", 0))
    counts.setdefault("output_tokens", usage.get("completion_tokens", 0))
    return Usage(**counts)


def _estimated(body: Mapping[str, Any], answer: Mapping[str, Any] | None) -> Usage:
    asked = sum(len(part.text.encode()) for part in prompt_parts(body))
    answered = len(msgspec.json.encode(_answer_items(answer))) if answer is not None else 0
    return Usage(input_tokens=max(asked // BYTES_PER_TOKEN, 1), output_tokens=answered // BYTES_PER_TOKEN)


def _answer_items(answer: Mapping[str, Any] | None) -> list[Any]:
    """What an answer says: chat's choices, Anthropic's content, responses' output."""
    if answer is None:
        return []
    choices = [choice.get("message") for choice in _list(answer.get("choices")) if isinstance(choice, Mapping)]
    return [*choices, *_list(answer.get("content")), *_list(answer.get("output"))]


def _moment(value: object) -> float | None:
    """Seconds since 1970, from seconds, milliseconds or ISO 8601 (UTC where it names no zone)."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1e3 if value > _LATEST_EPOCH_S else float(value)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InputError(f"{value!r} is no time", cause="a time is ISO 8601, or seconds since 1970") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
