"""Chat completions answered by an upstream that speaks Anthropic's messages."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from breakeven.errors import Unavailable
from breakeven.upstreams import error_bodies
from breakeven.upstreams.anthropic_messages import VERSION_HEADER, reported_of
from breakeven.upstreams.chat_to_messages import message_body
from breakeven.upstreams.event_stream import EventReader, event_data, split_events
from breakeven.upstreams.messages_to_chat import Block, Content, chat_completion, chat_usage, finish_reason
from breakeven.upstreams.openai_chat import answer_of, wants_usage
from breakeven.upstreams.usage_fields import MessageUsage
from breakeven.upstreams.usage_shapes import Reported
from breakeven.upstreams.wire import Answer, Question


class Delta(Struct):
    """What an event adds to a block, or to the message as a whole."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class Event(Struct):
    """What is read of an event."""

    type: str = ""
    index: int = 0
    message: Content | None = None
    content_block: Block | None = None
    delta: Delta | None = None
    usage: MessageUsage | None = None


_ANSWER: Final = msgspec.json.Decoder(Content)
_EVENT: Final = msgspec.json.Decoder(Event)
_FIRST: Final = {"role": "assistant", "content": "", "refusal": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOverMessages:
    """Chat completions of an upstream that speaks Anthropic's wire."""

    path: str = "/messages"

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The version of the wire."""
        return VERSION_HEADER

    def request(self, question: Question, model: str, output_limit: int | None, /) -> bytes:
        """The body to send.

        Raises:
            InputError: the question asks for something that Anthropic's wire does not have.
        """
        return message_body(question, model, output_limit)

    def answer(self, question: Question, body: bytes, /) -> Answer:
        """A message as a chat completion.

        Raises:
            Unavailable: what the upstream sent is no message.
        """
        try:
            message = _ANSWER.decode(body)
            reported = reported_of(message.usage, question)
            return answer_of(chat_completion(message, reported.usage), reported)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unavailable("the upstream's answer is no message") from None

    def stream(self, question: Question, /) -> ChatOverMessagesStream:
        """A reader of the streamed message, which gives chunks."""
        return ChatOverMessagesStream(question)

    def refusal(self, status: int, body: bytes, /) -> bytes:
        """An upstream's error in OpenAI's shape."""
        message, kind = error_bodies.error_message(body)
        return error_bodies.openai_error(status, message, kind)


class ChatOverMessagesStream(EventReader):
    """A streamed message on its way as chat chunks; its own ``message_stop`` becomes ``[DONE]``."""

    __slots__ = ("_calls", "_deltas", "_head", "_question", "_shows_usage", "_silent_call", "_text_bytes", "_usage")

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._shows_usage = wants_usage(question.fields)
        self._head: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        self._silent_call = False
        self._deltas = 0
        self._text_bytes = 0
        self._usage: MessageUsage | None = None

    def leaving(self, whole: bytes) -> bytes:
        """The chunks that some events make."""
        return b"".join(self._chunks(event) for event in split_events(whole) if not self.ended)

    def reported(self) -> Reported:
        """The input that the first event stated, and the output that the last one did."""
        return reported_of(self._usage, self._question)

    def delivered_tokens(self) -> int:
        """The number of events with text, or a quarter of their bytes."""
        return max(self._deltas, self._text_bytes // 4)

    def _chunks(self, raw: bytes) -> bytes:
        data = event_data(raw)
        try:
            event = _EVENT.decode(data) if data.strip() else Event()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event = Event()
        chunks = b""
        if event.type == "content_block_delta" and event.delta is not None:
            chunks = self._added(event.index, event.delta)
        elif event.type == "content_block_start" and event.content_block is not None:
            chunks = self._begun(event.index, event.content_block)
        elif event.type == "content_block_stop":
            chunks = self._stopped(event.index)
        elif event.type == "message_start" and event.message is not None:
            chunks = self._started(event.message)
        elif event.type == "message_delta":
            chunks = self._finished(event)
        elif event.type == "message_stop":
            self.ended, self.ending = True, b"data: [DONE]\n\n"
        elif event.type == "error":
            self.failure, kind = error_bodies.error_message(data)
            chunks = error_bodies.openai_stream_error(self.failure, kind)
        return chunks

    def _started(self, message: Content) -> bytes:
        self._usage = message.usage
        self._head = {
            "id": message.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": message.model,
        }
        return self._chunk(_FIRST)

    def _begun(self, index: int, block: Block) -> bytes:
        if block.type == "tool_use":
            self._calls[index] = call = len(self._calls)
            self._silent_call = True
            function = {"name": block.name, "arguments": ""}
            return self._chunk(
                {"tool_calls": [{"index": call, "id": block.id, "type": "function", "function": function}]}
            )
        return self._added(index, Delta(text=block.text, thinking=block.thinking))

    def _added(self, index: int, delta: Delta) -> bytes:
        text = delta.text or delta.thinking or delta.partial_json
        if not text:
            return b""
        self._deltas += 1
        self._text_bytes += len(text)
        if delta.text:
            return self._chunk({"content": text})
        if delta.thinking:
            return self._chunk({"reasoning_content": text})
        self._silent_call = False
        return self._arguments(index, text)

    def _stopped(self, index: int) -> bytes:
        """A call without arguments has said none; a client reads them as JSON, so they are an empty object."""
        if not self._silent_call:
            return b""
        self._silent_call = False
        return self._arguments(index, "{}")

    def _arguments(self, index: int, text: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls.get(index, 0), "function": {"arguments": text}}]})

    def _finished(self, event: Event) -> bytes:
        self._usage = self._usage.then(event.usage) if self._usage else event.usage
        reason = finish_reason(event.delta.stop_reason if event.delta else None)
        chunk = self._chunk({}, reason)
        usage = self.usage()
        if not self._shows_usage or usage is None:
            return chunk
        return chunk + error_bodies.event("", {**self._head, "choices": [], "usage": chat_usage(usage)})

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self._shows_usage else {}
        return error_bodies.event("", {**self._head, "choices": [choice], **usage})
