"""Anthropic's messages, spoken by clients and by Anthropic itself: questions, answers and streams on the same wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from breakeven.policy.decision import Operation
from breakeven.upstreams import error_bodies
from breakeven.upstreams.attachments import message_attachments
from breakeven.upstreams.event_stream import EventRelay, Verdict, event_data
from breakeven.upstreams.openai_chat import answer_of
from breakeven.upstreams.question_fields import (
    count_field,
    flag_field,
    model_field,
    prefix_of,
    read_fields,
    require_field,
    rewritten,
    text_field,
)
from breakeven.upstreams.usage_fields import Message, MessageEvent, MessageUsage, Reader
from breakeven.upstreams.usage_shapes import NOTHING_REPORTED, Reported, message_reported
from breakeven.upstreams.wire import Answer, ExtraKind, Fields, Question

VERSION_HEADER: Final = {b"anthropic-version": b"2023-06-01"}
DEFAULT_OUTPUT_TOKENS: Final = 4_096
"""The limit that is sent where neither the client nor the gateway has one: the wire requires it."""

DELTA_ENVELOPE_BYTES: Final = 130
"""About what a ``content_block_delta`` event is without its text."""

_UNSEEN: Final = ("container", "mcp_servers")
_SERVER_TOOL: Final = re.compile(rb'"type"\s*:\s*"(web_search|web_fetch|code_execution|tool_search|mcp_toolset)')
_LONG_CACHE: Final = re.compile(rb'"ttl"\s*:\s*"1h"')


_ANSWER: Final = Reader(Message)
_EVENT: Final = Reader(MessageEvent)


class MessagesEndpoint:
    """``POST /v1/messages``."""

    operation: Operation = "messages"

    def question(self, body: bytes) -> Question:
        """Read a body.

        Raises:
            InputError: no JSON object, no model, no messages, or a field of the wrong kind.
        """
        fields = read_fields(body)
        messages = require_field(fields, "messages", b"[", "an array of messages")
        tools = bytes(fields.get("tools", b""))
        server_tool = _SERVER_TOOL.search(tools)
        system = fields.get("system")
        return Question(
            operation=self.operation,
            body=body,
            fields=fields,
            model=model_field(fields),
            stream=flag_field(fields, "stream"),
            max_output_tokens=count_field(fields, "max_tokens", least=0),
            choices=1,
            attachments=message_attachments(messages).parts,
            unseen_input=bool(server_tool) or any(name in fields for name in _UNSEEN),
            processing="fast" if "speed" in fields and text_field(fields, "speed") == "fast" else None,
            extras=tuple(_extras(fields, tools)),
            prefix=prefix_of(system, messages),
        )

    def error(self, status: int, message: str, _code: str, request_id: str = "", /) -> bytes:
        """A JSON error body; Anthropic's has no code beside its type."""
        return error_bodies.anthropic_error(status, message, request_id)

    def stream_error(self, message: str, code: str) -> bytes:
        """An error event for a stream that has begun."""
        return error_bodies.anthropic_stream_error(message, code)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesCodec:
    """Messages to an upstream that speaks them too. Answers and streams always state their usage."""

    path: str = "/messages"

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The version of the wire."""
        return VERSION_HEADER

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send."""
        changes: dict[str, bytes] = {}
        if model != question.model:
            changes["model"] = msgspec.json.encode(model)
        if question.max_output_tokens is None and output_limit is not None:
            changes["max_tokens"] = b"%d" % output_limit
        return rewritten(question, changes)

    def answer(self, question: Question, body: bytes, /) -> Answer:
        """An answer that is no stream, as it came."""
        message = _ANSWER.read(body)
        return answer_of(body, reported_of(message.usage if message else None, question))

    def stream(self, question: Question, /) -> MessagesStream:
        """A reader of the streamed answer."""
        return MessagesStream(question)

    def refusal(self, _status: int, body: bytes, /) -> bytes:
        """An upstream's error, as it came."""
        return body


class MessagesStream(EventRelay):
    """Message events on their way: the first states the input, the last but one the output, the last the end."""

    marks: ClassVar[tuple[bytes, ...]] = (b'"message_', b'"error"')

    __slots__ = ("_question", "_usage")

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._usage: MessageUsage | None = None

    def look(self, event: bytes) -> Verdict:
        """Read an event of the message as a whole, or an error."""
        told = _EVENT.read(event_data(event))
        if told is None:
            return "pass"
        if told.type == "message_start":
            self._usage = told.message.usage if told.message else None
        elif told.type == "message_delta":
            self._usage = self._usage.then(told.usage) if self._usage else told.usage
        elif told.type == "error":
            self.failure = error_bodies.error_message(event_data(event))[0]
        return "end" if told.type == "message_stop" else "pass"

    def reported(self) -> Reported:
        """The input that the first event stated, and the output that the last one did."""
        return reported_of(self._usage, self._question)

    def envelope_bytes(self) -> int:
        """About how many bytes of an event are no text."""
        return DELTA_ENVELOPE_BYTES


def reported_of(usage: MessageUsage | None, question: Question) -> Reported:
    """What a message's usage reports, in the light of the cache that the question asked for."""
    if usage is None:
        return NOTHING_REPORTED
    unsplit = bool(usage.cache_creation_input_tokens) and usage.cache_creation is None
    return message_reported(usage, long_writes=unsplit and bool(_LONG_CACHE.search(question.body)))


def _extras(fields: Fields, tools: bytes) -> Iterator[ExtraKind]:
    if tools and tools.find(b'"web_search') >= 0:
        yield "web_searches"
    if "inference_geo" in fields and text_field(fields, "inference_geo") == "us":
        yield "us_inference"
