"""Load at a rate of its own, which a slow server cannot slow down: latency counts from when a request was due.

usage: open_loop.py URL [--key K] [--rate 1000] [--seconds 10] [--poisson] [--stream] [--connections 64]
       [--body-bytes 2200]

A closed loop asks again only after an answer, so while a server stalls nobody is asked and the stall counts once
(coordinated omission). Here arrivals are a fixed schedule. A request for which no connection is free waits for one,
and its wait counts. Prints one JSON object; times are milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httptools
import msgspec
import uvloop
from questions import SMALL_BYTES, Target, request

SETTLE_S = 10.0
"""After the last request is due, how long its answer may take."""
TICK_S = 20e-6
"""Requests due within this are sent at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a server, and how often."""

    rate_per_s: float = 1_000.0
    seconds: float = 10.0
    poisson: bool = False
    stream: bool = False
    connections: int = 64
    body_bytes: int = SMALL_BYTES
    seed: int = 0

    def due_s(self) -> Iterator[float]:
        """When requests are due, seconds from the start."""
        draw, at_s = random.Random(self.seed), 0.0
        while at_s < self.seconds:
            yield at_s
            at_s += draw.expovariate(self.rate_per_s) if self.poisson else 1 / self.rate_per_s


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """What a load met with. ``errors`` are answers that are not 200, and those that never came, by what they were."""

    asked: int
    answered: int
    errors: dict[str, int]
    seconds: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    first_byte_p50_ms: float
    late_p99_ms: float
    """How late the generator itself was; it is part of the latencies."""


class Connection(asyncio.Protocol):
    """One connection to the server, kept alive; asks one question at a time."""

    def __init__(self, freed: Callable[[Connection, str], None]) -> None:
        self._freed = freed
        self.due_at_s = self.first_byte_at_s = 0.0
        self.asking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)

    def ask(self, question: bytes, due_at_s: float) -> None:
        """Send a question that was due at a time of ``time.perf_counter``."""
        self.due_at_s, self.first_byte_at_s, self.asking = due_at_s, 0.0, True
        self._transport.write(question)

    def data_received(self, data: bytes) -> None:
        """Part of an answer."""
        if not self.first_byte_at_s:
            self.first_byte_at_s = time.perf_counter()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        """The whole answer is there."""
        self.asking = False
        status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self) if not self._parser.should_keep_alive() else self._parser
        self._freed(self, "" if status == 200 else str(status))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Closed, between answers or within one."""
        if self.asking:
            self.asking = False
            self._freed(self, "broken")

    @property
    def open(self) -> bool:
        """Whether another question can be asked."""
        return not self._transport.is_closing()


class Generator:
    """Sends what is due, on the connection that is free; keeps the latencies."""

    def __init__(self, target: Target, load: Load) -> None:
        self._target, self._load = target, load
        self._loop = asyncio.get_running_loop()
        self._question = request(target, load.body_bytes, load.stream)
        self._due = load.due_s()
        self._next_s = next(self._due)
        self._waiting: deque[float] = deque()
        self._free: list[Connection] = []
        self._done = asyncio.Event()
        self._over = False
        self.asked = self.ended = 0
        self.latency_s: list[float] = []
        self.first_byte_s: list[float] = []
        self.late_s: list[float] = []
        self.errors: Counter[str] = Counter()

    async def run(self) -> None:
        """Until the last answer, or until it has taken too long."""
        await asyncio.gather(*(self._connect() for _ in range(self._load.connections)))
        self._loop.add_signal_handler(signal.SIGALRM, self._send_due)
        self._begun_s = time.perf_counter()
        self._send_due()
        try:
            await asyncio.wait_for(self._done.wait(), self._load.seconds + SETTLE_S)
        except TimeoutError:
            self.errors["no answer"] += self.asked - self.ended
        self._loop.remove_signal_handler(signal.SIGALRM)

    async def _connect(self) -> None:
        host, port = self._target.address
        _, connection = await self._loop.create_connection(lambda: Connection(self._freed), host, port)
        self._give(connection)

    def _send_due(self) -> None:
        """Send every request that is due, and set the alarm for the next: event loops' timers tick in milliseconds."""
        while not self._over:
            now_s = time.perf_counter() - self._begun_s
            if self._next_s > now_s + TICK_S:
                signal.setitimer(signal.ITIMER_REAL, self._next_s - now_s)
                return
            self.asked += 1
            self.late_s.append(now_s - self._next_s)
            self._waiting.append(self._begun_s + self._next_s)
            if self._free:
                self._give(self._free.pop())
            self._next_s = next(self._due, -1.0)
            self._over = self._next_s < 0

    def _give(self, connection: Connection) -> None:
        """A free connection takes the request that has waited longest."""
        if self._waiting:
            connection.ask(self._question, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _freed(self, connection: Connection, error: str) -> None:
        now_s = time.perf_counter()
        self.ended += 1
        if error:
            self.errors[error] += 1
        else:
            self.latency_s.append(now_s - connection.due_at_s)
            self.first_byte_s.append(connection.first_byte_at_s - connection.due_at_s)
        if self._over and self.ended == self.asked:
            self._done.set()
        elif connection.open:
            self._give(connection)
        else:
            self._loop.create_task(self._connect())

    def latencies(self) -> Latencies:
        """What came out."""
        found = sorted(self.latency_s) or [float("nan")]
        return Latencies(
            asked=self.asked,
            answered=len(self.latency_s),
            errors=dict(self.errors),
            seconds=round(time.perf_counter() - self._begun_s, 3),
            p50_ms=at_ms(found, 0.5),
            p99_ms=at_ms(found, 0.99),
            p999_ms=at_ms(found, 0.999),
            max_ms=at_ms(found, 1.0),
            first_byte_p50_ms=at_ms(sorted(self.first_byte_s) or [float("nan")], 0.5),
            late_p99_ms=at_ms(sorted(self.late_s), 0.99),
        )


def at_ms(ordered_s: list[float], quantile_frac: float) -> float:
    """A percentile of seconds in order, in milliseconds: the least value that this share of them does not exceed."""
    place = max(-(-len(ordered_s) * quantile_frac // 1), 1)
    return round(ordered_s[int(place) - 1] * 1e3, 4)


async def _measure(target: Target, load: Load) -> Latencies:
    generator = Generator(target, load)
    await generator.run()
    return generator.latencies()


def measured(target: Target, load: Load, before: tuple[str, ...] = ()) -> Latencies:
    """What a load meets with, generated in a process of its own; ``before`` such as taskset -c 1.

    Raises:
        CalledProcessError: the server cannot be reached.
    """
    call = [*before, sys.executable, str(Path(__file__).resolve()), target.url, "--json"]
    given = msgspec.json.encode((target, load))
    printed = subprocess.run(call, input=given, stdout=subprocess.PIPE, check=True).stdout
    return msgspec.json.decode(printed, type=Latencies)


def main() -> None:
    """Print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--key", default="none")
    parser.add_argument("--model", default="gpt-4o-mini")
    parser.add_argument("--rate", type=float, default=1_000.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--poisson", action="store_true")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=SMALL_BYTES)
    parser.add_argument("--json", action="store_true", help="read the target and the load from standard input instead")
    chosen = parser.parse_args()
    if chosen.json:
        target, load = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[Target, Load])
    else:
        target = Target(url=chosen.url, key=chosen.key, model=chosen.model)
        load = Load(
            rate_per_s=chosen.rate,
            seconds=chosen.seconds,
            poisson=chosen.poisson,
            stream=chosen.stream,
            connections=chosen.connections,
            body_bytes=chosen.body_bytes,
        )
    print(msgspec.json.encode(uvloop.run(_measure(target, load))).decode())


if __name__ == "__main__":
    main()
