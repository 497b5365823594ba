"""OpenAI's responses: a question with hosted tools and remembered turns, answered by one object or by named events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from breakeven.errors import InputError
from breakeven.policy.decision import Operation
from breakeven.upstreams import error_bodies
from breakeven.upstreams.attachments import attachments_of
from breakeven.upstreams.event_stream import EventRelay, Verdict, event_data
from breakeven.upstreams.openai_chat import OpenAIErrors, answer_of, asked_processing, output_limit_of
from breakeven.upstreams.question_fields import flag_field, model_field, prefix_of, read_fields, rewritten
from breakeven.upstreams.usage_fields import Reader, ResponseAnswer, Text
from breakeven.upstreams.usage_shapes import NOTHING_REPORTED, Reported, response_reported
from breakeven.upstreams.wire import Answer, ExtraKind, Fields, Question

ENDINGS: Final = frozenset({"response.completed", "response.failed", "response.incomplete", "response.cancelled"})
DELTA_ENVELOPE_BYTES: Final = 260
"""About what a ``response.output_text.delta`` event is without its text, with its name, item id and obfuscation."""

_REMEMBERED: Final = ("previous_response_id", "conversation", "prompt")
_HOSTED_TOOL: Final = re.compile(rb'"type"\s*:\s*"(?!function"|custom"|namespace")')
_IMAGE_TOOL: Final = re.compile(rb'"type"\s*:\s*"image_generation"')
_SEARCH_TOOL: Final = re.compile(rb'"type"\s*:\s*"web_search')


class ResponseEvent(msgspec.Struct):
    """An event that carries a response, or an error."""

    type: Text = None
    response: ResponseAnswer | None = None
    error: Any = None


_ANSWER: Final = Reader(ResponseAnswer)
_EVENT: Final = Reader(ResponseEvent)


class ResponsesEndpoint(OpenAIErrors):
    """``POST /v1/responses``."""

    operation: Operation = "responses"

    def question(self, body: bytes) -> Question:
        """Read a body.

        Raises:
            InputError: no JSON object, no model, a field of the wrong kind, or an answer in the background, whose
                usage would never pass here.
        """
        fields = read_fields(body)
        if flag_field(fields, "background"):
            raise InputError(
                "background responses are not served here",
                cause="their usage is in no answer to this request, so they could not be paid for",
                hint="leave background out, or stream the answer",
            )
        attached = attachments_of(fields.get("input"))
        tools = bytes(fields.get("tools", b""))
        return Question(
            operation=self.operation,
            body=body,
            fields=fields,
            model=model_field(fields),
            stream=flag_field(fields, "stream"),
            max_output_tokens=output_limit_of(fields, "max_output_tokens"),
            choices=1,
            attachments=attached.parts,
            unseen_input=any(_stated(fields, name) for name in _REMEMBERED) or bool(_HOSTED_TOOL.search(tools)),
            processing=asked_processing(fields),
            extras=tuple(_extras(tools)),
            has_audio=attached.sounds > 0,
            prefix=prefix_of(fields.get("instructions"), fields.get("input")),
        )

    def stream_error(self, message: str, code: str) -> bytes:
        """An error event for a stream that has begun."""
        return error_bodies.responses_stream_error(message, code)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesCodec:
    """Responses of an upstream that speaks them too. Its streams always end with their usage."""

    path: str = "/responses"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send."""
        changes: dict[str, bytes] = {}
        if model != question.model:
            changes["model"] = msgspec.json.encode(model)
        if output_limit is not None and question.max_output_tokens is None:
            changes["max_output_tokens"] = b"%d" % output_limit
        return rewritten(question, changes)

    def answer(self, question: Question, body: bytes, /) -> Answer:
        """An answer that is no stream, as it came."""
        told = _ANSWER.read(body)
        reported = NOTHING_REPORTED if told is None else response_reported(told, has_audio=question.has_audio)
        return answer_of(body, reported)

    def stream(self, question: Question, /) -> ResponsesStream:
        """A reader of the streamed answer."""
        return ResponsesStream(has_audio=question.has_audio)

    def refusal(self, _status: int, body: bytes, /) -> bytes:
        """An upstream's error, as it came."""
        return body


class ResponsesStream(EventRelay):
    """Response events on their way; the one with the whole response is the last."""

    marks: ClassVar[tuple[bytes, ...]] = (b'"response":', b'"error"')

    __slots__ = ("_has_audio", "_told")

    def __init__(self, *, has_audio: bool = False) -> None:
        super().__init__()
        self._has_audio = has_audio
        self._told: ResponseAnswer | None = None

    def look(self, event: bytes) -> Verdict:
        """Read an event that carries a response or an error."""
        data = event_data(event)
        told = _EVENT.read(data)
        if told is None:
            return "pass"
        if told.type == "error" or (told.error and not told.type):
            self.failure = error_bodies.error_message(data)[0]
        if told.response is not None:
            self._told = told.response
            if isinstance(told.response.error, dict):
                self.failure = str(told.response.error.get("message"))
        return "end" if told.type in ENDINGS else "pass"

    def reported(self) -> Reported:
        """What the last event with a response said."""
        if self._told is None:
            return NOTHING_REPORTED
        return response_reported(self._told, has_audio=self._has_audio)

    def envelope_bytes(self) -> int:
        """About how many bytes of an event are no text."""
        return DELTA_ENVELOPE_BYTES


def _stated(fields: Fields, name: str) -> bool:
    return name in fields and bytes(fields[name]) != b"null"


def _extras(tools: bytes) -> Iterator[ExtraKind]:
    if _IMAGE_TOOL.search(tools):
        yield "output_image_tokens"
    if _SEARCH_TOOL.search(tools):
        yield "web_searches"
