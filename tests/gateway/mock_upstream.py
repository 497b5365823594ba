"""A model server for tests, on a port of its own: OpenAI's wire, and every way in which an upstream fails.

What it does with a request is told in the request: the last message's text is a JSON object of `Order`'s fields.
What it would put on its bill is in ``bills``.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from queue import Queue
from threading import Thread
from typing import Any, NamedTuple

MODEL = "mock-model"
FREE_MODEL = "mock-free"
CHEAP_MODEL = "mock-cheap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How one request is to be treated.

    ``kind``: ok, status (with ``status``), hang, reset, cut (the connection ends early) or raw (``raw`` is the body).
    With ``after`` the failure comes after so many chunks of a stream. ``fails``: the first so many attempts fail, the
    next is ok. ``delay_s`` passes before the answer begins, ``gap_s`` between two chunks.
    """

    name: str = ""
    kind: str = "ok"
    status: int = 500
    after: int = 0
    fails: int = 0
    delay_s: float = 0.0
    gap_s: float = 0.0
    chunks: int = 4
    input_tokens: int = 50
    output_tokens: int = 10
    tells_usage: bool = True
    padding: int = 0
    raw: str = ""
    content_type: str = "application/json"

    @property
    def text(self) -> str:
        """The order as a message's text."""
        own = {slot: getattr(self, slot) for slot in self.__slots__ if getattr(self, slot) != getattr(_USUAL, slot)}
        return json.dumps(own)


_USUAL = Order()


class Bill(NamedTuple):
    """What the upstream counts of one request that it answered, whoever heard it."""

    name: str
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class MockUpstream:
    """Serves orders. ``seen`` counts the requests of each name."""

    port: int = 0
    bills: list[Bill] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    under_way: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-le")
                )
                body = json.loads(await reader.readexactly(length))
                self.under_way += 1
                try:
                    if not await self._answer(body, writer):
                        break
                finally:
                    self.under_way -= 1
        writer.close()

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Treat a request as ordered; whether the connection may be used again."""
        order = ordered(body)
        self.seen[order.name] += 1
        self.bodies.append(body)
        await asyncio.sleep(order.delay_s)
        if self.seen[order.name] <= order.fails or (order.kind == "status" and not order.fails):
            return await _said(writer, order.status, _JSON, _ERROR)
        if order.kind == "raw":
            self._bill(order, body)
            return await _said(writer, 200, order.content_type, order.raw.encode())
        if order.kind != "ok" and not body.get("stream"):
            return await _failed(writer, order)
        self._bill(order, body)
        if body.get("stream"):
            return await _streamed(writer, order, body)
        return await _said(writer, 200, _JSON, json.dumps(_whole(order, body)).encode())

    def _bill(self, order: Order, body: dict[str, Any]) -> None:
        self.bills.append(Bill(order.name, body["model"], order.input_tokens, order.output_tokens))


@asynccontextmanager
async def mock_upstream() -> AsyncIterator[MockUpstream]:
    """A mock upstream that listens in this event loop."""
    mock = MockUpstream()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(mock.connected(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, backlog=1024)
    mock.port = server.sockets[0].getsockname()[1]
    try:
        yield mock
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def mock_upstream_aside() -> Iterator[MockUpstream]:
    """The same in a thread of its own, for a gateway that serves several tests."""
    ready: Queue[tuple[MockUpstream, asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with mock_upstream() as mock:
            ready.put((mock, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    mock, loop, stop = ready.get(timeout=10)
    try:
        yield mock
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


def ordered(body: dict[str, Any]) -> Order:
    """The order in a request's body."""
    messages = body.get("messages") or [{"content": body.get("prompt") or body.get("input")}]
    try:
        told = json.loads(messages[-1]["content"])
    except (TypeError, ValueError):
        return Order()
    return Order(**told) if isinstance(told, dict) else Order()


_JSON = "application/json"
_ERROR = json.dumps({"error": {"message": "the mock fails", "type": "server_error", "code": "mock"}}).encode()


async def _said(writer: asyncio.StreamWriter, status: int, content_type: str, body: bytes) -> bool:
    head = f"HTTP/1.1 {status} Mock\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return True


async def _failed(writer: asyncio.StreamWriter, order: Order) -> bool:
    """Fail without a whole answer."""
    if order.kind == "hang":
        await asyncio.sleep(3600)
    elif order.kind == "cut":
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"id": "x", ')
        await writer.drain()
    elif order.kind == "reset":
        connected = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return False


async def _streamed(writer: asyncio.StreamWriter, order: Order, body: dict[str, Any]) -> bool:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for number in range(order.chunks):
        if order.kind != "ok" and number >= order.after:
            await writer.drain()
            return await _failed_stream(writer, order)
        delta = {"content": f"word {number} " + "x" * order.padding}
        await _event(writer, _chunk(body, [{"index": 0, "delta": delta, "finish_reason": None}]))
        await asyncio.sleep(order.gap_s)
    if order.kind != "ok":
        return await _failed_stream(writer, order)
    await _event(writer, _chunk(body, [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    if order.tells_usage and (body.get("stream_options") or {}).get("include_usage"):
        await _event(writer, {**_chunk(body, []), "usage": _usage(order)})
    await _event(writer, "[DONE]")
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _failed_stream(writer: asyncio.StreamWriter, order: Order) -> bool:
    if order.kind == "cut":
        return False
    return await _failed(writer, order)


async def _event(writer: asyncio.StreamWriter, data: Any) -> None:
    event = b"data: " + (data if isinstance(data, str) else json.dumps(data)).encode() + b"\n\n"
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))
    await writer.drain()


def _chunk(body: dict[str, Any], choices: list[Any]) -> dict[str, Any]:
    same = {"id": "chatcmpl-same", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    return {**same, "choices": choices}


def _usage(order: Order) -> dict[str, int]:
    both = order.input_tokens + order.output_tokens
    return {"prompt_tokens": order.input_tokens, "completion_tokens": order.output_tokens, "total_tokens": both}


def _whole(order: Order, body: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "words " + "x" * order.padding}
    answer = {
        "id": "chatcmpl-same",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "text": "words", "finish_reason": "stop"}],
    }
    return {**answer, "usage": _usage(order)} if order.tells_usage else answer
