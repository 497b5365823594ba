"""The server: listens, keeps the connections, looks at their deadlines, and drains."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final

from breakeven.gateway.http_connection import HttpConnection
from breakeven.gateway.http_head import DateLine
from breakeven.gateway.http_request import Handler
from breakeven.gateway.limits import Limits
from breakeven.gateway.refusal import ErrorBody, json_error
from breakeven.gateway.work import Work

LOG = logging.getLogger("breakeven.gateway")
TURNED_AWAY: Final = 64
"""Connections beyond the limit that are told so; still more are cut off without a word."""
TLS_HANDSHAKE_S: Final = 10.0


class HttpServer:
    """An HTTP/1.1 server for one handler. Make it inside a running event loop.

    ``error_body`` shapes the bodies of the answers that the server gives by itself. ``addresses`` are the hosts and
    ports that it listens at.
    """

    def __init__(self, handler: Handler, limits: Limits | None = None, error_body: ErrorBody = json_error) -> None:
        self.limits = limits or Limits()
        self.error_body = error_body
        self.work = Work(handler, self.limits, error_body)
        self.date = DateLine()
        self.draining = False
        self.addresses: list[tuple[str, int]] = []
        self._connections: set[HttpConnection] = set()
        self._listeners: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None, backlog: int = 4096) -> None:
        """Accept connections; ``port`` 0 takes a free one. May be called for several addresses.

        Raises:
            OSError: the address is taken or not this machine's.
        """
        handshake_s = None if tls is None else TLS_HANDSHAKE_S
        listener = await asyncio.get_running_loop().create_server(
            lambda: HttpConnection(self), host, port, ssl=tls, backlog=backlog, ssl_handshake_timeout=handshake_s
        )
        self._listeners.append(listener)
        self.addresses += [bound.getsockname()[:2] for bound in listener.sockets]
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def begin_drain(self) -> None:
        """Accept no more, close what is idle, and let each answer be the last of its connection."""
        self.draining = True
        for listener in self._listeners:
            listener.close()
        for connection in list(self._connections):
            connection.close_if_idle()

    async def drained(self, timeout_s: float) -> bool:
        """Wait until all is answered, at most so long; what is left is cut off. True: nothing was."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
                while not self.work.idle:
                    await asyncio.sleep(0.01)
            whole = True
        except TimeoutError:
            whole = False
        await self._stop()
        return whole

    async def close(self) -> None:
        """Stop at once."""
        self.begin_drain()
        await self.drained(0)

    async def _stop(self) -> None:
        self.work.cancel()
        for connection in list(self._connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        await asyncio.sleep(0)

    # -- called by connections ----------------------------------------------------------------------------------------

    def enter(self, connection: HttpConnection) -> bool:
        """Keep a new connection. False: there are too many, turn it away."""
        count = len(self._connections)
        self._connections.add(connection)
        self._empty.clear()
        if count >= self.limits.connections + TURNED_AWAY:
            connection.abort()
        return count < self.limits.connections

    def leave(self, connection: HttpConnection) -> None:
        """A connection is no more."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def _sweep(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(self.limits.sweep_s)
            self.date.refresh()
            now_s = clock()
            for connection in [connection for connection in self._connections if connection.deadline_s < now_s]:
                try:
                    connection.expire()
                except Exception:
                    LOG.exception("a connection could not be ended")
