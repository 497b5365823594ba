"""A provider in a thread of this process, for clients that block: it answers as it is told and keeps what it heard.

with provider(usual) as upstream:
    upstream.next.append(Said(status=429))       # the next request; then as usual again
    ...
    upstream.heard[-1].body                      # the bytes as they came
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast


class Asked(NamedTuple):
    """One request: header names in lower case, the body as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer: a body, or the pieces of a stream, ``gap_s`` apart.

    ``hangs``: nothing comes until the provider is closed.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    pieces: tuple[bytes, ...] = ()
    gap_s: float = 0.0
    hangs: bool = False


Answering = Callable[[Asked], Said]


@dataclass(slots=True)
class Provider:
    """What it is told to say and what it was asked."""

    answering: Answering
    url: str = ""
    next: deque[Said] = field(default_factory=deque)
    heard: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> Said:
        self.heard.append(asked)
        return self.next.popleft() if self.next else self.answering(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    provider: Provider


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        provider = cast("_Server", self.server).provider
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = provider.answer(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if said.hangs:
            provider.closing.wait(60)
            self.close_connection = True
            return
        with suppress(ConnectionError):
            self._say(said)

    def _say(self, said: Said) -> None:
        self.send_response(said.status)
        usual = "text/event-stream; charset=utf-8" if said.pieces else "application/json"
        for name, value in {"content-type": usual, **said.headers}.items():
            self.send_header(name, value)
        if not said.pieces:
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in said.pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(said.gap_s)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that is overridden
        pass


@contextmanager
def provider(answering: Answering) -> Iterator[Provider]:
    """A provider that listens while the block runs."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.provider = found = Provider(answering)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
