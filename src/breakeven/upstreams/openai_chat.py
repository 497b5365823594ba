"""OpenAI's chat completions, spoken by clients and by most upstreams: questions, answers and streams on one wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import msgspec

from breakeven.policy.decision import Operation
from breakeven.upstreams import error_bodies
from breakeven.upstreams.attachments import message_attachments, names_earlier_audio
from breakeven.upstreams.event_stream import DONE, EventRelay, Verdict, event_data
from breakeven.upstreams.question_fields import (
    MALFORMED,
    count_field,
    flag_field,
    model_field,
    object_fields,
    prefix_of,
    read_fields,
    require_field,
    rewritten,
    text_field,
)
from breakeven.upstreams.usage_fields import ChatAnswer, Reader
from breakeven.upstreams.usage_shapes import NOTHING_REPORTED, Reported, chat_reported, processing_of
from breakeven.upstreams.wire import Answer, Fields, Question

MOST_CHOICES: Final = 128
"""OpenAI's limit for ``n``."""

_RENAMED_LIMIT: Final = re.compile(r"(?:.*/)?(?:o\d|gpt-[5-9]|gpt-\d\d)")


_ANSWER: Final = Reader(ChatAnswer)


class OpenAIErrors:
    """The errors of OpenAI's wires."""

    def error(self, status: int, message: str, code: str, _request_id: str = "", /) -> bytes:
        """A JSON error body; OpenAI's carries no request id, which is in a header."""
        return error_bodies.openai_error(status, message, code)

    def stream_error(self, message: str, code: str) -> bytes:
        """An error event for a stream that has begun."""
        return error_bodies.openai_stream_error(message, code)


class ChatEndpoint(OpenAIErrors):
    """``POST /v1/chat/completions``."""

    operation: Operation = "chat"

    def question(self, body: bytes) -> Question:
        """Read a body.

        Raises:
            InputError: no JSON object, no model, no messages, or a field of the wrong kind.
        """
        fields = read_fields(body)
        messages = require_field(fields, "messages", b"[", "an array of messages")
        wants_usage(fields)  # refused now, if it is malformed, and not when the answer comes
        attached = message_attachments(messages)
        asks_audio = "modalities" in fields and bytes(fields["modalities"]).find(b'"audio"') >= 0
        kept = (asks_audio or attached.sounds > 0) and names_earlier_audio(messages)
        searches = "web_search_options" in fields
        has_audio, unseen_input = attached.sounds > 0 or kept, searches or kept
        # In the order of the fields: named one by one, they take five times as long.
        return Question(
            self.operation,
            body,
            fields,
            model_field(fields),
            flag_field(fields, "stream"),
            output_limit_of(fields, "max_completion_tokens", "max_tokens"),
            count_field(fields, "n", least=1, most=MOST_CHOICES) or 1,
            attached.parts,
            unseen_input,
            asked_processing(fields),
            ("web_searches",) if searches else (),
            prefix_of(messages),
            has_audio,
            asks_audio,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCodec:
    """Chat completions to an upstream that speaks them too.

    ``asks_usage`` is off for an upstream that refuses ``stream_options``. ``limit_field`` is its name for a limit of
    output tokens; None chooses by the model, since OpenAI's newer ones refuse the older name and others the newer.
    """

    path: str = "/chat/completions"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    asks_usage: bool = True
    limit_field: str | None = None

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send."""
        changes: dict[str, bytes] = {}
        if model != question.model:
            changes["model"] = msgspec.json.encode(model)
        if output_limit is not None and question.max_output_tokens is None:
            changes[self.limit_field or limit_field_of(model)] = b"%d" % output_limit
        if question.stream and self.asks_usage and not wants_usage(question.fields):
            options = object_fields(question.fields, "stream_options")
            changes["stream_options"] = msgspec.json.encode({**options, "include_usage": True})
        return rewritten(question, changes)

    def answer(self, question: Question, body: bytes, /) -> Answer:
        """An answer that is no stream, as it came."""
        told = _ANSWER.read(body)
        return answer_of(body, NOTHING_REPORTED if told is None else _reported(told, question))

    def stream(self, question: Question, /) -> ChatStream:
        """A reader of the streamed answer."""
        return ChatStream(question)

    def refusal(self, _status: int, body: bytes, /) -> bytes:
        """An upstream's error, as it came."""
        return body


class ChatStream(EventRelay):
    """Chat chunks on their way. The chunk with the usage leaves only where the client asked for it."""

    marks: ClassVar[tuple[bytes, ...]] = (b'"usage":{', b'"usage": {', b'"error"', DONE)

    __slots__ = ("_question", "_shows_usage", "_told")

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._shows_usage = wants_usage(question.fields)
        self._told: ChatAnswer | None = None

    def look(self, event: bytes) -> Verdict:
        """Read an event that may state usage, an error or the end."""
        data = event_data(event).strip()
        if data == DONE:
            return "end"
        chunk = _ANSWER.read(data)
        if chunk is None:
            return "pass"
        if chunk.error:
            self.failure = error_bodies.error_message(data)[0]
            return "pass"
        if chunk.usage is not None or chunk.x_groq is not None:
            self._told = chunk
        withheld = chunk.usage is not None and not self._shows_usage and bytes(chunk.choices) == b"[]"
        return "withhold" if withheld else "pass"

    def reported(self) -> Reported:
        """What the last chunk with usage said; the tier may stand only in the first chunk."""
        told = _reported(self._told, self._question) if self._told is not None else NOTHING_REPORTED
        if told.processing is not None or not self.head_may_hold(b'"service_tier"'):
            return told
        first = _ANSWER.read(event_data(self.first_event()))
        processing = processing_of(first.service_tier) if first is not None else None
        return Reported(usage=told.usage, processing=processing, extras=told.extras)

    def envelope_bytes(self) -> int:
        """The first event without the text in it."""
        first = self.first_event()
        return len(first) - sum(map(len, _texts(event_data(first))))


def _reported(told: ChatAnswer, question: Question) -> Reported:
    return chat_reported(told, has_audio=question.has_audio, asks_audio=question.asks_audio)


def answer_of(body: bytes, reported: Reported) -> Answer:
    """An answer with what its upstream said of it."""
    return Answer(body=body, usage=reported.usage, processing=reported.processing, extras=reported.extras)


def asked_processing(fields: Fields) -> str | None:
    """The processing that a question asks for; None where the provider chooses.

    Raises:
        InputError: ``service_tier`` is no text.
    """
    tier = text_field(fields, "service_tier") if "service_tier" in fields else None
    return None if tier == "auto" else processing_of("priority" if tier == "fast" else tier)


def output_limit_of(fields: Fields, *names: str) -> int | None:
    """The client's limit of output tokens: the largest, where several names of it are given.

    Raises:
        InputError: one is no whole number, or less than zero.
    """
    most = None
    for name in names:
        limit = count_field(fields, name, least=0)
        most = limit if most is None or (limit is not None and limit > most) else most
    return most


def limit_field_of(model: str) -> str:
    """What a model's upstream calls the limit of its output: OpenAI renamed it with its reasoning models."""
    return "max_completion_tokens" if _RENAMED_LIMIT.match(model) else "max_tokens"


def wants_usage(fields: Fields) -> bool:
    """Whether the client asked for the usage of a stream.

    Raises:
        InputError: ``stream_options`` is no object, or its ``include_usage`` neither true nor false.
    """
    return "stream_options" in fields and flag_field(object_fields(fields, "stream_options"), "include_usage")


def _texts(data: bytes) -> Iterator[str]:
    """The texts of a chunk's choices: what their ``delta`` or ``text`` says, without the role."""
    chunk = _ANSWER.read(data)
    try:
        choices = None if chunk is None else msgspec.json.decode(chunk.choices)
    except MALFORMED:
        choices = None
    for choice in choices if isinstance(choices, list) else ():
        delta = choice.get("delta", choice) if isinstance(choice, dict) else {}
        for name in ("content", "text", "reasoning_content", "reasoning"):
            if isinstance(text := delta.get(name) if isinstance(delta, dict) else None, str):
                yield text
