"""Anthropic's messages answered by an upstream that speaks OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from breakeven.catalog.usage import Usage
from breakeven.errors import Unavailable
from breakeven.upstreams import error_bodies
from breakeven.upstreams.chat_as_message import (
    Call,
    CalledFunction,
    Choice,
    Completion,
    Said,
    message,
    message_head,
    message_usage,
    stop_reason,
)
from breakeven.upstreams.error_bodies import event
from breakeven.upstreams.event_stream import DONE, EventReader, event_data, split_events
from breakeven.upstreams.messages_as_chat import chat_body
from breakeven.upstreams.openai_chat import answer_of
from breakeven.upstreams.question_fields import MALFORMED
from breakeven.upstreams.usage_fields import ChatAnswer, Reader
from breakeven.upstreams.usage_shapes import NOTHING_REPORTED, Reported, chat_reported
from breakeven.upstreams.wire import Answer, Question

_COMPLETION: Final = msgspec.json.Decoder(Completion)
_TOLD: Final = Reader(ChatAnswer)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesOverChat:
    """Messages of an upstream that speaks OpenAI's wire."""

    path: str = "/chat/completions"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send.

        Raises:
            InputError: the question asks for something that OpenAI's wire does not have.
        """
        return chat_body(question, model, output_limit)

    def answer(self, _question: Question, body: bytes, /) -> Answer:
        """A chat completion as a message.

        Raises:
            Unavailable: what the upstream sent is no chat completion.
        """
        told = _TOLD.read(body)
        reported = NOTHING_REPORTED if told is None else chat_reported(told)
        try:
            return answer_of(message(_COMPLETION.decode(body), reported.usage), reported)
        except MALFORMED:
            raise Unavailable("the upstream's answer is no chat completion") from None

    def stream(self, _question: Question, /) -> MessagesOverChatStream:
        """A reader of the streamed chunks, which gives a message's events."""
        return MessagesOverChatStream()

    def refusal(self, status: int, body: bytes, /) -> bytes:
        """An upstream's error in Anthropic's shape."""
        return error_bodies.anthropic_error(status, error_bodies.error_message(body)[0], "")


class MessagesOverChatStream(EventReader):
    """Chat chunks on their way as a message's events: one block at a time, its index counted here."""

    __slots__ = ("_block", "_blocks", "_calls", "_deltas", "_reason", "_started", "_text_bytes", "_told")

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._block = ""
        self._blocks = 0
        self._calls: dict[int, int] = {}
        self._deltas = 0
        self._text_bytes = 0
        self._reason: str | None = None
        self._told: ChatAnswer | None = None

    def leaving(self, whole: bytes) -> bytes:
        """The events that some chunks make."""
        return b"".join(self._events(raw) for raw in split_events(whole) if not self.ended)

    def reported(self) -> Reported:
        """What the last chunk with usage said."""
        return chat_reported(self._told) if self._told is not None else NOTHING_REPORTED

    def delivered_tokens(self) -> int:
        """The number of chunks with text, or a quarter of their bytes."""
        return max(self._deltas, self._text_bytes // 4)

    def _events(self, raw: bytes) -> bytes:
        data = event_data(raw).strip()
        if data == DONE:
            self.ended, self.ending = True, event("message_stop", {"type": "message_stop"})
            return b"".join(self._finished())
        told = _TOLD.read(data) if data else None
        if told is None:
            return b""
        if told.error:
            self.failure, _ = error_bodies.error_message(data)
            return error_bodies.anthropic_stream_error(self.failure, "api_error")
        if told.usage is not None or told.x_groq is not None:
            self._told = told
        try:
            return b"".join(self._said(_COMPLETION.decode(data)))
        except MALFORMED:
            return b""

    def _said(self, chunk: Completion) -> Iterator[bytes]:
        if not self._started:
            self._started = True
            yield from self._begun(chunk)
        choice = chunk.choices[0] if chunk.choices else Choice()
        said = choice.delta or Said()
        if said.thoughts:
            yield from self._opened("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            yield self._delta(self._blocks - 1, "thinking_delta", "thinking", said.thoughts)
        if said.text:
            yield from self._opened("text", {"type": "text", "text": ""})
            yield self._delta(self._blocks - 1, "text_delta", "text", said.text)
        for call in said.tool_calls or ():
            yield from self._called(call)
        self._reason = choice.finish_reason or self._reason

    def _begun(self, chunk: Completion) -> Iterator[bytes]:
        usage = message_usage(self.usage() or Usage())
        begun = {**message_head(chunk), "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
        yield event("message_start", {"type": "message_start", "message": begun})

    def _called(self, call: Call) -> Iterator[bytes]:
        function = call.function or CalledFunction()
        if call.index not in self._calls:
            tool = {"type": "tool_use", "id": call.id or f"call_{call.index}", "name": function.name or "", "input": {}}
            yield from self._opened(f"call {call.index}", tool)
            self._calls[call.index] = self._blocks - 1
        if function.arguments:
            yield self._delta(self._calls[call.index], "input_json_delta", "partial_json", function.arguments)

    def _opened(self, block: str, content: Mapping[str, Any]) -> Iterator[bytes]:
        if self._block == block:
            return
        yield from self._closed()
        self._block = block
        self._blocks += 1
        begun = {"type": "content_block_start", "index": self._blocks - 1, "content_block": content}
        yield event("content_block_start", begun)

    def _closed(self) -> Iterator[bytes]:
        if self._block:
            self._block = ""
            yield event("content_block_stop", {"type": "content_block_stop", "index": self._blocks - 1})

    def _delta(self, index: int, kind: str, name: str, text: str) -> bytes:
        self._deltas += 1
        self._text_bytes += len(text)
        added = {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: text}}
        return event("content_block_delta", added)

    def _finished(self) -> Iterator[bytes]:
        """The end of the last block, and the message's; its output is about what passed where no usage was stated."""
        yield from self._closed()
        used = self.usage()
        usage = {"output_tokens": self.delivered_tokens()} if used is None else message_usage(used)
        usage.pop("cache_creation", None)
        delta = {"stop_reason": stop_reason(self._reason), "stop_sequence": None}
        yield event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
