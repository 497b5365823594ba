"""A real server on loopback that behaves as badly as a test says, and a receiver that writes down what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from breakeven.upstreams.base_url import read_base_url
from breakeven.upstreams.connection_pool import PoolLimits
from breakeven.upstreams.credential import Credential
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Timeouts, UpstreamFailed

Run = Callable[[Coroutine[None, None, None]], None]
"""Runs a coroutine on an event loop of its own."""

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


class Heard:
    """A `Receiver`. ``over`` is set by either end; whatever comes after it is a fault that it notes."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self.failure: UpstreamFailed | None = None
        self.whole = False
        self.over = asyncio.Event()
        self.faults: list[str] = []
        self.on_piece: Callable[[bytes], None] = lambda _piece: None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def head(self, status: int, headers: Mapping[bytes, bytes]) -> None:
        self._note("head", too_late=bool(self.status))
        self.status, self.headers = status, dict(headers)

    def data(self, piece: bytes) -> None:
        self._note("data", too_late=not self.status)
        self.pieces.append(piece)
        self.on_piece(piece)

    def complete(self) -> None:
        self._note("complete", too_late=not self.status)
        self.whole = True
        self.over.set()

    def failed(self, failure: UpstreamFailed) -> None:
        self._note("failed", too_late=False)
        self.failure = failure
        self.over.set()

    def _note(self, call: str, *, too_late: bool) -> None:
        if too_late or self.over.is_set():
            self.faults.append(call)

    async def end(self) -> Heard:
        async with asyncio.timeout(20):
            await self.over.wait()
        assert self.faults == []
        return self


@dataclass
class Caller:
    """One connection as the server sees it: which one it is, and how many requests came on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    requests: list[bytes] = field(default_factory=list)

    async def request(self) -> bytes:
        """The next request, head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        self.requests.append(head + await self.reader.readexactly(length))
        return self.requests[-1]

    async def answer(self, answer: bytes) -> None:
        """Read a request and write these bytes."""
        await self.request()
        self.writer.write(answer)
        await self.writer.drain()


Behaviour = Callable[[Caller], Awaitable[None]]


@dataclass
class Server:
    port: int
    callers: list[Caller] = field(default_factory=list)

    @property
    def requests(self) -> list[bytes]:
        return [request for caller in self.callers for request in caller.requests]


@contextlib.asynccontextmanager
async def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server whose connections each run ``behaviour``, and are closed when it returns."""
    server = Server(0)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        caller = Caller(reader, writer, len(server.callers))
        server.callers.append(caller)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await behaviour(caller)
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def always(answer: bytes) -> Behaviour:
    """Every request on every connection gets this answer."""

    async def behave(caller: Caller) -> None:
        while True:
            await caller.answer(answer)

    return behave


def once(answer: bytes) -> Behaviour:
    """One answer, and the connection is closed."""
    return lambda caller: caller.answer(answer)


def upstream(
    port: int, timeouts: Timeouts | None = None, limits: PoolLimits | None = None, credential: Credential | None = None
) -> HttpUpstream:
    url = read_base_url(f"http://127.0.0.1:{port}")
    return HttpUpstream("test", "openai", url, credential, timeouts or Timeouts(), limits or PoolLimits())


async def ask(server: HttpUpstream, body: bytes = b"{}", headers: Mapping[bytes, bytes] | None = None) -> Heard:
    heard = Heard()
    server.send("/chat/completions", headers or {}, body, heard)
    return await heard.end()
