"""One connection to a Valkey or Redis server that never holds a request up.

Whoever asks waits for a few milliseconds. What is asked at the same time is sent together, so one connection serves all
and none is ever broken off in the middle of an answer. While the server is away nobody asks it: a task of its own tries
to reach it again, each time after twice as long.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Final, NamedTuple

from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from breakeven.errors import InputError

EXCHANGE_S: Final = 1.0
"""How long an exchange may take before the connection is given up; who asked has long stopped waiting."""

FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 30.0
MOST_WAITING: Final = 4_096
BATCH: Final = 256

Argument = bytes | str | int
Reply = Any
Connection = Any
"""The driver's own, whose types are not told."""


class _Asked(NamedTuple):
    command: tuple[Argument, ...]
    reply: asyncio.Future[Reply | None]


class ValkeyLink:
    """Commands on their way to one server. It belongs to the event loop that it was made in."""

    def __init__(self, url: str, *, exchange_s: float = EXCHANGE_S) -> None:
        self._connection = connection_to(url)
        self._exchange_s = exchange_s
        self._waiting: deque[_Asked] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.failure: str | None = "not connected yet"
        self.failures = 0
        self._task = asyncio.create_task(self._run())

    @property
    def is_up(self) -> bool:
        """Whether the server answered last."""
        return self.failure is None

    async def ask(self, budget_s: float, *command: Argument) -> Reply | None:
        """What the server replies within ``budget_s``; None where it does not, is away, or replies with an error."""
        reply = self.send(*command)
        if reply is None:
            return None
        timer = asyncio.get_running_loop().call_later(budget_s, _give_up, reply)
        try:
            return await reply
        finally:
            timer.cancel()

    def send(self, *command: Argument) -> asyncio.Future[Reply | None] | None:
        """Send a command; its reply, in time. None where the server is away, or too much is waiting for it."""
        if not self.is_up or len(self._waiting) >= MOST_WAITING:
            return None
        reply = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(command, reply))
        self._wake.set()
        return reply

    async def connected(self, within_s: float) -> bool:
        """Wait until the server has answered; whether it did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not self.is_up:
                    await asyncio.sleep(0.005)
        return self.is_up

    async def close(self) -> None:
        """Send what is waiting, if the server takes it, and end."""
        self._closing = True
        self._wake.set()
        if not self.is_up:
            self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(Exception):
            await self._connection.disconnect()

    async def _run(self) -> None:
        while not (self._closing and not self._waiting):
            if not self.is_up:
                await self._reach()
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
            if batch:
                await self._exchange(batch)

    async def _exchange(self, batch: list[_Asked]) -> None:
        try:
            async with asyncio.timeout(self._exchange_s):
                replies = await self._sent([asked.command for asked in batch])
        except Exception as error:  # of the driver, of the network, of time: the server is away
            await self._away(error)
            replies = [None] * len(batch)
        for asked, reply in zip(batch, replies, strict=True):
            if not asked.reply.done():
                asked.reply.set_result(reply)

    async def _sent(self, commands: list[tuple[Argument, ...]]) -> list[Reply | None]:
        """The replies; None for one that is an error."""
        connection = self._connection
        await connection.connect()  # if it is not
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        replies: list[Reply | None] = []
        for _ in commands:
            try:
                replies.append(await connection.read_response())
            except ResponseError:
                replies.append(None)
        return replies

    async def _away(self, error: Exception) -> None:
        """Nobody waits any longer, and a reply that still comes is that of nobody."""
        self.failures += 1
        self.failure = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        for asked in self._waiting:
            if not asked.reply.done():
                asked.reply.set_result(None)
        self._waiting.clear()
        with suppress(Exception):
            await self._connection.disconnect(nowait=True)

    async def _reach(self) -> None:
        """Try again until the server answers."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with asyncio.timeout(self._exchange_s):
                    await self._sent([("PING",)])
            except Exception as error:
                await self._away(error)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
            else:
                self.failure = None
                return


def _give_up(reply: asyncio.Future[Reply | None]) -> None:
    if not reply.done():
        reply.set_result(None)


def connection_to(url: str) -> Connection:
    """A connection, not opened yet, by ``valkey://``, ``redis://`` or, with TLS, ``valkeys://`` and ``rediss://``.

    It tries nothing a second time by itself. The driver's client and pool are left out: they take longer than the
    exchange, and a request that stops waiting would break off a connection that others use.

    Raises:
        InputError: the URL is none of a server.
    """
    plain = url.replace("valkey", "redis", 1) if url.startswith(("valkey://", "valkeys://")) else url
    try:
        pool: Any = ConnectionPool.from_url(plain, protocol=2, retry=Retry(NoBackoff(), 0))
    except ValueError as error:
        raise InputError("no URL of a Valkey or Redis server", cause=str(error), hint="valkey://host:6379/0") from None
    connection: Connection = pool.make_connection()
    return connection
