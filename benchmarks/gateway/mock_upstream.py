"""A model server that does nothing, fast, and fails as told.

It speaks OpenAI's chat, completions, responses and embeddings, and Anthropic's messages: JSON and event streams.

usage: mock_upstream.py [--port P] [--latency-ms 50:300,99:2000] [--chunk-delay-ms MS] [--error-frac X] ... (--help)

The n-th request to arrive has the same latency and the same fate in each run with the same ``--seed``. ``GET`` of any
path tells how many requests had which fate. Within Python, `in_process` and `in_thread` start one and stop it again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import httptools
import msgspec
import uvloop
from mock_answers import Answers, Tokens, answers, error_body

Fate = Literal["ok", "error", "rate_limited", "truncated", "reset", "hang"]

JSON_HEAD = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nx-request-id: mock\r\n%scontent-length: %d\r\n\r\n"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the mock answers. ``..._frac`` are shares of requests, 0..1; what they leave is answered well.

    ``latency_ms`` gives milliseconds until the first byte at percentiles, ``50:300,99:2000``, straight lines between
    them and from 0:0; empty for none. ``usage``: stated always, when a stream asks for it, or never.
    """

    seed: int = 0
    latency_ms: str = ""
    chunk_delay_ms: float = 0.0
    pieces: int = 20
    error_frac: float = 0.0
    rate_limited_frac: float = 0.0
    retry_after_s: int = 1
    truncated_frac: float = 0.0
    reset_frac: float = 0.0
    hang_frac: float = 0.0
    usage: Literal["always", "asked", "never"] = "always"
    model: str = "gpt-4o-mini"
    input_tokens: int = 480
    cached_tokens: int = 0
    output_tokens: int = 96


class Fates:
    """What becomes of each request, drawn in order of arrival."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._random = random.Random(behaviour.seed)
        self._shares: list[tuple[Fate, float]] = [
            ("error", behaviour.error_frac),
            ("rate_limited", behaviour.rate_limited_frac),
            ("truncated", behaviour.truncated_frac),
            ("reset", behaviour.reset_frac),
            ("hang", behaviour.hang_frac),
        ]
        self._fails = any(share for _, share in self._shares)
        points = [part.split(":") for part in behaviour.latency_ms.split(",") if part]
        self._points = [(0.0, 0.0), *((float(at) / 100, float(ms) / 1e3) for at, ms in points)]
        self.counts: Counter[Fate] = Counter()

    def next(self) -> tuple[Fate, float]:
        """The fate of the next request, and the seconds until its first byte."""
        fate = self._fate() if self._fails else "ok"
        self.counts[fate] += 1
        return fate, self._latency_s() if len(self._points) > 1 else 0.0

    def _fate(self) -> Fate:
        drawn = self._random.random()
        for fate, share in self._shares:
            if drawn < share:
                return fate
            drawn -= share
        return "ok"

    def _latency_s(self) -> float:
        drawn = self._random.random()
        for (low, low_s), (high, high_s) in zip(self._points, self._points[1:], strict=False):
            if drawn <= high:
                return low_s + (high_s - low_s) * (drawn - low) / (high - low)
        return self._points[-1][1]


class Mock:
    """What all connections share."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.fates = Fates(behaviour)
        tokens = Tokens(
            input_tokens=behaviour.input_tokens,
            cached_tokens=behaviour.cached_tokens,
            output_tokens=behaviour.output_tokens,
        )
        self._with_usage = _framed(answers(behaviour.model, tokens, behaviour.pieces, with_usage=True))
        self._without_usage = _framed(answers(behaviour.model, tokens, behaviour.pieces, with_usage=False))

    def answers(self, path: bytes, body: bytes, stream: bool) -> Answers | None:
        """The answer of an endpoint, in the frames of HTTP; None: there is no such endpoint."""
        found = self._with_usage if self._states_usage(path, body, stream) else self._without_usage
        return next((answer for end, answer in found.items() if path.endswith(end)), None)

    def _states_usage(self, path: bytes, body: bytes, stream: bool) -> bool:
        usage = self.behaviour.usage
        if usage != "asked" or not stream or not path.endswith(b"completions"):
            return usage != "never"
        return b'"include_usage":true' in body.replace(b" ", b"")

    def counts(self) -> bytes:
        """How many requests had which fate, as an answer."""
        return whole(msgspec.json.encode(self.fates.counts))


def whole(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """An answer in one piece."""
    return JSON_HEAD % (status, headers, len(body)) + body


def _framed(found: dict[bytes, Answers]) -> dict[bytes, Answers]:
    return {
        path: Answers(whole(answer.whole), tuple(b"%x\r\n%b\r\n" % (len(each), each) for each in answer.events))
        for path, answer in found.items()
    }


class Connection(asyncio.Protocol):
    """One client; its requests are answered one after the other."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._loop = asyncio.get_running_loop()
        self._body: list[bytes] = []
        self._path = b""
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client has gone: what is still to be sent is not."""
        self._lost = True

    def data_received(self, data: bytes) -> None:
        """Part of a request, or a whole one."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        """The request's path."""
        self._path = url

    def on_body(self, body: bytes) -> None:
        """Part of its body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer it, now or later."""
        body, self._body = b"".join(self._body), []
        if self._parser.get_method() == b"GET":
            self._transport.write(self._mock.counts())
            return
        fate, latency_s = self._mock.fates.next()
        if latency_s:
            self._loop.call_later(latency_s, self._answer, fate, body)
        else:
            self._answer(fate, body)

    def _answer(self, fate: Fate, body: bytes) -> None:
        if self._lost:
            return
        behaviour = self._mock.behaviour
        stream = b'"stream":true' in body or b'"stream": true' in body
        answer = self._mock.answers(self._path.partition(b"?")[0], body, stream)
        if answer is None:
            self._transport.write(whole(error_body("not_found_error", "no such path"), b"404 Not Found"))
        elif fate == "error":
            self._transport.write(whole(error_body("server_error", "told to fail"), b"500 Internal Server Error"))
        elif fate == "rate_limited":
            wait = b"retry-after: %d\r\n" % behaviour.retry_after_s
            self._transport.write(whole(error_body("rate_limit_error", "slow down"), b"429 Too Many Requests", wait))
        elif fate == "reset":
            self._reset()
        elif fate != "hang":
            self._give(answer, stream and bool(answer.events), truncated=fate == "truncated")

    def _give(self, answer: Answers, stream: bool, truncated: bool) -> None:
        if stream:
            self._transport.write(STREAM_HEAD)
            events = answer.events[: len(answer.events) // 2] if truncated else answer.events
            self._event(iter(events), truncated)
        elif truncated:
            self._transport.write(answer.whole[: -len(answer.whole) // 3])
            self._transport.close()
        else:
            self._transport.write(answer.whole)

    def _event(self, events: Iterator[bytes], truncated: bool) -> None:
        """Send the next event in a system call of its own, and see that the one after it is sent."""
        if self._lost:
            return
        event = next(events, None)
        if event is None:
            if truncated:
                self._transport.close()
            else:
                self._transport.write(LAST_CHUNK)
            return
        self._transport.write(event)
        delay_ms = self._mock.behaviour.chunk_delay_ms
        if delay_ms:
            self._loop.call_later(delay_ms / 1e3, self._event, events, truncated)
        else:
            self._loop.call_soon(self._event, events, truncated)

    def _reset(self) -> None:
        connected = self._transport.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()


async def serve(behaviour: Behaviour, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer what comes to a socket until told to stop."""
    mock = Mock(behaviour)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(mock), sock=listening, backlog=4096)
    await stop.wait()
    server.close()


def listening_socket(port: int = 0) -> socket.socket:
    """A socket of this machine alone, at a free port if none is given."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


def url_of(listening: socket.socket) -> str:
    """Where a socket listens."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def in_thread(behaviour: Behaviour | None = None) -> Iterator[str]:
    """A mock in a thread of this process; gives its URL, and stops it afterwards."""
    listening = listening_socket()
    ready = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        running.append((asyncio.get_running_loop(), stop))
        ready.set()
        await serve(behaviour or Behaviour(), listening, stop)

    thread = threading.Thread(target=lambda: uvloop.run(main()), daemon=True)
    thread.start()
    ready.wait()
    listening_at = url_of(listening)
    try:
        yield listening_at
    finally:
        loop, stop = running[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def in_process(behaviour: Behaviour | None = None, before: tuple[str, ...] = ()) -> Iterator[str]:
    """A mock in a process of its own; gives its URL, and stops it afterwards. ``before``: such as taskset -c 1."""
    chosen = behaviour or Behaviour()
    options = [f"--{each.name.replace('_', '-')}={getattr(chosen, each.name)}" for each in fields(chosen)]
    call = [*before, sys.executable, str(Path(__file__).resolve()), *options]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the mock upstream did not start: {call}")
        yield url
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Print the URL, and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    for each in fields(Behaviour):
        kind: Any = type(each.default)
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=kind, default=each.default)
    chosen = vars(parser.parse_args())
    listening = listening_socket(chosen.pop("port"))
    print(url_of(listening), flush=True)
    uvloop.run(serve(Behaviour(**chosen), listening, asyncio.Event()))


if __name__ == "__main__":
    main()
