"""A server in this event loop, and a client that sends bytes as they are."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import uvloop

from breakeven.gateway.http_request import Handler, Request
from breakeven.gateway.http_server import HttpServer
from breakeven.gateway.limits import Limits
from breakeven.pipeline.reply import Reply

JSON = ((b"content-type", b"application/json"),)
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [uvloop.new_event_loop, asyncio.new_event_loop]
RESPONSE = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")


async def echo(request: Request, reply: Reply) -> None:
    """Says what it was asked."""
    said = {"method": request.method, "path": request.path, "body": request.body.decode("latin-1")}
    reply.whole(200, JSON, json.dumps(said).encode())


def run(main: Coroutine[Any, Any, None], loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop) -> None:
    """Run a scenario; what a protocol or task let slip through to the loop fails it."""
    slipped: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: slipped.append(context))
        async with asyncio.timeout(30):
            await main

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(watched())
    assert slipped == []


@asynccontextmanager
async def serving(handler: Handler = echo, limits: Limits | None = None) -> AsyncIterator[HttpServer]:
    server = HttpServer(handler, limits or Limits(sweep_s=0.02))
    await server.listen("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.close()


class Client:
    """One connection. Everything that is read is kept in ``heard``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard = b""

    @classmethod
    async def connect(cls, server: HttpServer) -> Client:
        return cls(*await asyncio.open_connection(*server.addresses[0], limit=2**20))

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if len(parts) > 1:
                await asyncio.sleep(0.001)

    async def until(self, mark: bytes) -> bytes:
        """Read until a mark; give what came."""
        async with asyncio.timeout(10):
            got = await self.reader.readuntil(mark)
        self.heard += got
        return got

    async def to_end(self) -> bytes:
        """Read until the server closes; a reset counts as the end."""
        async with asyncio.timeout(10):
            try:
                while part := await self.reader.read(2**16):
                    self.heard += part
            except ConnectionError:
                pass
        return self.heard

    def pause_reading(self) -> None:
        """Take nothing more from the system: what the server sends stays with it."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Go without a farewell: the server gets RST, not FIN."""
        connected = self.writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def exchange(server: HttpServer, *parts: bytes) -> bytes:
    """Send, close our side, and read all that comes back."""
    client = await Client.connect(server)
    try:
        await client.send(*parts)
        client.writer.write_eof()
    except (ConnectionError, RuntimeError):  # the latter is uvloop's
        pass  # the server would hear no more; what it said is still there to be read
    heard = await client.to_end()
    client.close()
    return heard


def statuses(heard: bytes) -> list[int]:
    return [status for status, _ in responses(heard)]


def responses(heard: bytes) -> list[tuple[int, bytes]]:
    """The answers in what was heard, bodies by content-length; anything else than answers fails."""
    found = []
    while heard:
        head = RESPONSE.match(heard)
        assert head, heard[:200]
        length = re.search(rb"content-length: (\d+)", head[2])
        stop = head.end() + (int(length[1]) if length else 0)
        if int(head[1]) >= 200:
            found.append((int(head[1]), heard[head.end() : stop]))
        heard = heard[stop:]
    return found


def paths(heard: bytes) -> list[str]:
    return [json.loads(body)["path"] for status, body in responses(heard) if status == 200]


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def post(path: str, body: bytes, *lines: str) -> bytes:
    return (
        "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""]).encode()
        + body
    )


def chunked(path: str, *chunks: bytes, trailer: bytes = b"") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailer + b"\r\n"


async def eventually(true: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(timeout_s):
        while not true():
            await asyncio.sleep(0.005)


class Held:
    """A handler that answers when it is told to, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Request, Reply], Awaitable[None]] = echo) -> None:
        self.go = asyncio.Event()
        self.replies: list[Reply] = []
        self.requests: list[Request] = []
        self._answer = answer

    async def __call__(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        self.replies.append(reply)
        await self.go.wait()
        await self._answer(request, reply)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in pairwise(bounds) if stop > start]
