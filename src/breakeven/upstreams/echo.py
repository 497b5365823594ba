"""The built-in model: says the last user message back, on every wire, with exact usage and without a network."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from breakeven.errors import InputError
from breakeven.policy.decision import Operation
from breakeven.upstreams import echo_embeddings, echo_messages, echo_openai, echo_responses
from breakeven.upstreams.echo_prompt import EchoPrompt, echo_usage, read_prompt
from breakeven.upstreams.question_fields import MALFORMED
from breakeven.upstreams.upstream import Receiver
from breakeven.upstreams.wire import WireName

__all__ = ["EchoExchange", "EchoUpstream", "echo_usage"]

_Whole = Callable[[EchoPrompt, str], bytes]
_Events = Callable[[EchoPrompt, str], Iterator[bytes]]


def _no_events(_prompt: EchoPrompt, _answer_id: str) -> Iterator[bytes]:
    return iter(())


_WIRES: Final[Mapping[str, tuple[Operation, _Whole, _Events]]] = {
    "/chat/completions": ("chat", echo_openai.chat, echo_openai.chat_events),
    "/completions": ("completions", echo_openai.completion, echo_openai.completion_events),
    "/responses": ("responses", echo_responses.response, echo_responses.response_events),
    "/messages": ("messages", echo_messages.message, echo_messages.message_events),
    "/embeddings": ("embeddings", echo_embeddings.embeddings, _no_events),
}
_BODY: Final = msgspec.json.Decoder(dict[str, Raw])
_JSON: Final = {b"content-type": b"application/json"}
_EVENTS: Final = {b"content-type": b"text/event-stream; charset=utf-8"}


class EchoUpstream:
    """An `Upstream` that answers in this process: equal requests get equal answers, to the byte.

    The answer is the text of the last user message, cut to the limit of output tokens; an embedding is a unit vector
    drawn from a hash. What it cannot read it refuses with 400, as a provider would; a path it does not know with 404.
    """

    def __init__(self, name: str = "echo") -> None:
        self.name = name
        self.wire: WireName = "echo"

    def send(self, path: str, headers: Mapping[bytes, bytes], body: bytes, receiver: Receiver) -> EchoExchange:
        """Answer a body; the receiver hears it from the event loop's next turn on."""
        del headers  # an answer depends on the body alone
        status, headers, pieces = _answer(path, body)
        return EchoExchange(status, headers, pieces, receiver)

    async def close(self) -> None:
        """Nothing is open."""


class EchoExchange:
    """An `Exchange`: one piece a turn of the event loop, none while paused."""

    __slots__ = ("_headers", "_loop", "_over", "_paused", "_pieces", "_receiver", "_scheduled", "_status")

    def __init__(
        self, status: int, headers: Mapping[bytes, bytes], pieces: Iterator[bytes], receiver: Receiver
    ) -> None:
        self._status, self._pieces, self._receiver = status, pieces, receiver
        self._headers: Mapping[bytes, bytes] | None = headers
        self._paused = self._over = self._scheduled = False
        self._loop = asyncio.get_running_loop()
        self._schedule()

    def pause(self) -> None:
        """Say no more until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._schedule()

    def abort(self) -> None:
        """Say nothing more."""
        self._over = True

    def _schedule(self) -> None:
        if not (self._scheduled or self._over or self._paused):
            self._scheduled = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        """Say the head, a piece or the end."""
        self._scheduled = False
        if self._over or self._paused:
            return
        if self._headers is not None:
            headers, self._headers = self._headers, None
            self._receiver.head(self._status, headers)
        elif (piece := next(self._pieces, None)) is not None:
            self._receiver.data(piece)
        else:
            self._over = True
            self._receiver.complete()
        self._schedule()


def _answer(path: str, body: bytes) -> tuple[int, Mapping[bytes, bytes], Iterator[bytes]]:
    if path not in _WIRES:
        return 404, _JSON, iter((_error(path, f"the echo model has no {path}"),))
    operation, whole, events = _WIRES[path]
    try:
        prompt = read_prompt(operation, _fields(body))
    except InputError as error:
        return 400, _JSON, iter((_error(path, error.message),))
    answer_id = hashlib.blake2b(body, digest_size=12).hexdigest()
    if prompt.stream:
        return 200, _EVENTS, events(prompt, answer_id)
    return 200, _JSON, iter((whole(prompt, answer_id),))


def _fields(body: bytes) -> Mapping[str, Raw]:
    try:
        return _BODY.decode(body)
    except MALFORMED:
        raise InputError("the request is no JSON object") from None


def _error(path: str, message: str) -> bytes:
    told = {"type": "invalid_request_error", "message": message}
    if path == "/messages":
        return msgspec.json.encode({"type": "error", "error": told})
    return msgspec.json.encode({"error": told | {"param": None, "code": None}})
