"""An upstream's answer on its way to the client: streams leave as they come, whole answers wait for their price."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Final

from breakeven.pipeline.passed_headers import passed_on
from breakeven.pipeline.reply import Headers, Reply
from breakeven.upstreams.upstream import Exchange, UpstreamFailed
from breakeven.upstreams.wire import AnswerStream, Codec, Question

MOST_ANSWER_BYTES: Final = 64 << 20
"""A whole answer is kept in memory until it is priced; a longer one is given up."""


class Relay:
    """Hears one attempt. ``finished`` is done when nothing more of the answer matters.

    That is at the event which ends a stream, before it has left: the ledger is written in between. What the upstream
    sends afterwards is heard and dropped, so that its connection can be used again.
    """

    __slots__ = (
        "_codec",
        "_exchange",
        "_headers_out",
        "_parts",
        "_question",
        "_received_bytes",
        "_reply",
        "begun",
        "client_gone",
        "failure",
        "finished",
        "first_data_at",
        "headers",
        "status",
        "stream",
    )

    def __init__(self, question: Question, codec: Codec, reply: Reply, headers_out: Headers) -> None:
        self._question, self._codec, self._reply, self._headers_out = question, codec, reply, headers_out
        self._parts: list[bytes] = []
        self._received_bytes = 0
        self._exchange: Exchange | None = None
        self.status = 0
        self.headers: Mapping[bytes, bytes] = {}
        self.stream: AnswerStream | None = None
        self.begun = False
        self.client_gone = False
        self.failure: UpstreamFailed | None = None
        self.first_data_at: float | None = None
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connect(self, exchange: Exchange) -> None:
        """Let the client's pace govern the exchange, and hear of its going."""
        self._exchange = exchange
        self._reply.on_full = exchange.pause
        self._reply.on_drained = exchange.resume

    def head(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        """Status and headers have come; a stream is one only if the upstream says so."""
        self.status, self.headers = status, headers
        if (
            self._question.stream
            and status == 200
            and headers.get(b"content-type", b"").startswith(b"text/event-stream")
        ):
            self.stream = self._codec.stream(self._question)

    def data(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if self.first_data_at is None:
            self.first_data_at = perf_counter()
        stream = self.stream
        if stream is None:
            self._keep(piece)
        elif not stream.ended:
            if leaving := stream.feed(piece):
                self._pass_on(leaving)
            if stream.ended:
                self._finish()

    def complete(self) -> None:
        """The upstream has sent all it will."""
        stream = self.stream
        if stream is not None and not stream.ended and (leaving := stream.finish()):
            self._pass_on(leaving)
        self._finish()

    def failed(self, failure: UpstreamFailed) -> None:
        """The answer will not be whole."""
        if not self.finished.done():
            self.failure = failure
            self._finish()

    def hear_out(self) -> None:
        """The client has gone, and its pace with it: an exchange that was paused for it goes on."""
        if self._exchange is not None:
            self._exchange.resume()

    def give_up(self) -> None:
        """Drop the exchange: the client has gone, and the bound for hearing the rest is reached.

        Or the task that waits for it was cancelled, and ``finished`` with it.
        """
        if not self.finished.done() or self.finished.cancelled():
            self.client_gone = True
            if self._exchange is not None:
                self._exchange.abort()
            self._finish()

    def body(self) -> bytes:
        """The whole body that was kept."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    @property
    def received_bytes(self) -> int:
        """Bytes of the body so far."""
        return self._received_bytes

    def _keep(self, piece: bytes) -> None:
        self._received_bytes += len(piece)
        if self._received_bytes > MOST_ANSWER_BYTES:
            if self._exchange is not None:
                self._exchange.abort()
            self.failed(UpstreamFailed("protocol", "the answer is larger than 64 MiB", sent=True))
            return
        self._parts.append(piece)

    def _pass_on(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if not self.begun:
            self.begun = True
            self._reply.begin(self.status, [*self._headers_out, *passed_on(self.headers)])
        self._reply.piece(data)

    def _finish(self) -> None:
        """Nothing more goes to the client: what still comes is heard at the upstream's pace, whatever the client's."""
        if not self.finished.done():
            self.finished.set_result(None)
            exchange = self._exchange
            self._exchange = None  # each knows the other: kept, they would outlive the request
            if exchange is not None:
                exchange.resume()
