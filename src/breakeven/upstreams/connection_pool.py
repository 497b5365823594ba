"""The connections to one upstream: kept alive, used again, bounded, and watched by one timer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import Final

from breakeven.upstreams.dialer import Dialer, reason_of
from breakeven.upstreams.http_connection import HttpConnection
from breakeven.upstreams.http_exchange import HttpExchange
from breakeven.upstreams.upstream import Failure, Timeouts

_LOOKS_PER_TIMEOUT: Final = 20
_SHORTEST_LOOK_S: Final = 0.01
_LONGEST_LOOK_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """The most connections, the most exchanges that wait for one, and how old and how long idle a kept one may be.

    A server closes what idles too long for it; one that says how long (``keep-alive: timeout=5``) is believed.
    """

    max_connections: int = 256
    max_waiting: int = 1024
    max_idle_s: float = 30.0
    max_age_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCounts:
    """Connections that carry an exchange, that idle, that are being made; and exchanges that wait for one."""

    active: int
    idle: int
    opening: int
    waiting: int


class ConnectionPool:
    """Gives each exchange a connection: the one most lately used, a new one, or the next that becomes free.

    A timeout is noticed by a timer that looks at all exchanges, at most a twentieth of the shortest timeout or a
    second late; so a request costs no timer of its own.
    """

    def __init__(self, dialer: Dialer, timeouts: Timeouts, limits: PoolLimits) -> None:
        self._dialer, self._timeouts, self._limits = dialer, timeouts, limits
        self._active: set[HttpConnection] = set()
        self._idle: list[HttpConnection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._waiting: OrderedDict[HttpExchange, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        shortest_s = min(timeouts.connect_s, timeouts.first_byte_s, timeouts.idle_s, limits.max_idle_s)
        self._look_s = min(max(shortest_s / _LOOKS_PER_TIMEOUT, _SHORTEST_LOOK_S), _LONGEST_LOOK_S)

    @property
    def counts(self) -> PoolCounts:
        """What is going on now."""
        return PoolCounts(
            active=len(self._active), idle=len(self._idle), opening=len(self._opening), waiting=len(self._waiting)
        )

    def submit(self, exchange: HttpExchange) -> None:
        """Send an exchange as soon as there is a connection for it. The receiver is not called before this returns."""
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._look_s, self._look)
        while self._idle:
            connection = self._idle.pop()
            if connection.alive():
                self._begin(connection, exchange)
                return
            connection.close()
        if self._closed or len(self._waiting) >= self._limits.max_waiting:
            what = "is closed" if self._closed else f"has {len(self._waiting)} requests waiting for a connection"
            loop.call_soon(lambda: exchange.fail("busy", what, sent=False))
            return
        exchange.queued_s = loop.time()
        self._waiting[exchange] = None
        self._open()

    async def close(self) -> None:
        """Close every connection; what is under way fails."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        self._opening.clear()
        for connection in self._idle:
            connection.close()
        self._idle.clear()
        while self._waiting:
            self._waiting.popitem(last=False)[0].fail("busy", "is closed", sent=False)
        for connection in list(self._active):
            self._give_up(connection, "broken", "is closed")
        await asyncio.sleep(0)  # transports close in the event loop's next turn

    # What connections and exchanges say

    def ready(self, connection: HttpConnection) -> None:
        """A connection is free: it goes to whoever waits longest, or is kept."""
        self._active.discard(connection)
        connection.kept = True
        if self._closed or connection.heard_s - connection.opened_s > self._limits.max_age_s:
            connection.close()
            self._open()
        elif not self._waiting:
            self._idle.append(connection)
        elif connection.alive():
            self._begin(connection, self._waiting.popitem(last=False)[0])
        else:
            connection.close()
            self._open()

    def lost(self, connection: HttpConnection) -> None:
        """A connection is gone; its place is free."""
        if connection in self._active:
            self._active.discard(connection)
        elif connection in self._idle:
            self._idle.remove(connection)
        self._open()

    def again(self, exchange: HttpExchange) -> None:
        """An exchange goes to the front of the queue."""
        exchange.connection = None
        exchange.queued_s = asyncio.get_running_loop().time()
        self._waiting[exchange] = None
        self._waiting.move_to_end(exchange, last=False)
        self._open()

    def forget(self, exchange: HttpExchange) -> None:
        """An exchange waits no longer."""
        self._waiting.pop(exchange, None)

    # What happens by itself

    def _begin(self, connection: HttpConnection, exchange: HttpExchange) -> None:
        self._active.add(connection)
        connection.begin(exchange)

    def _open(self) -> None:
        """Start to connect, while more exchanges wait than connections are being made and there is room."""
        while (
            not self._closed
            and len(self._opening) < len(self._waiting)
            and len(self._active) + len(self._idle) + len(self._opening) < self._limits.max_connections
        ):
            self._opening.add(asyncio.get_running_loop().create_task(self._connect()))

    async def _connect(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self._timeouts.connect_s):
                connection = await self._dialer.connect(lambda: HttpConnection(self, clock))
        except TimeoutError:
            self._not_connected("connect_timeout", f"did not connect within {self._timeouts.connect_s:g} s")
        except OSError as error:
            self._not_connected("connect", f"cannot be reached: {reason_of(error)}")
        else:
            self._connected()
            if self._waiting:
                self._begin(connection, self._waiting.popitem(last=False)[0])
            else:
                self.ready(connection)

    def _connected(self) -> None:
        if (task := asyncio.current_task()) is not None:
            self._opening.discard(task)

    def _not_connected(self, failure: Failure, what: str) -> None:
        """An attempt in vain is told to whoever waits longest; for the others another one begins."""
        self._connected()
        if self._waiting:
            self._waiting.popitem(last=False)[0].fail(failure, what, sent=False)
        self._open()

    def _look(self) -> None:
        """End what is too late, close what is too old, and come again while there is anything to look at."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        self._look_at_active(now_s)
        self._look_at_waiting(now_s)
        for connection in [
            each for each in self._idle if now_s - each.heard_s > each.idle_limit_s(self._limits.max_idle_s)
        ]:
            self._idle.remove(connection)
            connection.close()
        anything = self._active or self._idle or self._waiting or self._opening
        self._timer = loop.call_later(self._look_s, self._look) if anything else None

    def _look_at_active(self, now_s: float) -> None:
        for connection in list(self._active):
            if connection.paused:
                continue
            silent_s = now_s - connection.heard_s
            if connection.answering:
                if silent_s > self._timeouts.idle_s:
                    self._give_up(connection, "idle_timeout", f"sent nothing for {self._timeouts.idle_s:g} s")
            elif silent_s > self._timeouts.first_byte_s:
                self._give_up(
                    connection, "first_byte_timeout", f"did not answer within {self._timeouts.first_byte_s:g} s"
                )

    def _look_at_waiting(self, now_s: float) -> None:
        """For who waits longest a connection is being made, whose own timeout tells them; the others find no room."""
        limit_s = self._timeouts.connect_s
        others = islice(self._waiting, len(self._opening), None)
        late = [exchange for exchange in others if now_s - exchange.queued_s > limit_s]
        for exchange in late:
            del self._waiting[exchange]
            exchange.fail("busy", f"had no free connection for {limit_s:g} s", sent=False)

    def _give_up(self, connection: HttpConnection, failure: Failure, what: str) -> None:
        exchange = connection.exchange
        connection.drop()
        if exchange is not None:
            exchange.fail(failure, what, sent=True)
