"""How a server under measurement is started on its core, waited for, and stopped."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cpu import SERVER_CORE, pinned
from mock_upstream import listening_socket
from questions import SMALL_BYTES, Target, body

READY_S = 90.0
STOP_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where a server runs: a folder of its own, the port it listens at, and the upstream that it sends to."""

    folder: Path
    port: int
    upstream: str

    @property
    def url(self) -> str:
        """Where it is asked."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "server.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A server's command line, and what it adds to the environment."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Server(Protocol):
    """One kind of server: ours, the ceiling or a peer."""

    name: str

    def reason_missing(self) -> str:
        """Why it cannot run on this machine; empty if it can."""
        ...

    def install(self) -> None:
        """Put it where `reason_missing` looks.

        Raises:
            CalledProcessError: a package cannot be had.
        """
        ...

    def version(self) -> str:
        """Which one is installed."""
        ...

    def command(self, seat: Seat) -> Command:
        """Write its configuration into the seat's folder, and tell how it is started."""
        ...

    def target(self, seat: Seat) -> Target:
        """What it wants to hear, once it runs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers; ``streams``: with events too."""

    server: Server
    seat: Seat
    target: Target
    pid: int
    streams: bool


class NotReady(Exception):
    """A server does not answer as it should."""


@contextmanager
def running(server: Server, upstream: str) -> Iterator[Running]:
    """Start a server on its core; stop it and all its processes afterwards.

    Raises:
        NotReady: it does not answer within a minute and a half.
    """
    with tempfile.TemporaryDirectory(prefix="breakeven-bench-") as folder, listening_socket() as found:
        port = found.getsockname()[1]
        seat = Seat(folder=Path(folder), port=port, upstream=upstream)
        command = server.command(seat)
        found.close()
        with seat.log.open("wb") as log:
            process = subprocess.Popen(
                (*pinned(SERVER_CORE), *command.argv),
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **command.environment},
                start_new_session=True,
            )
        try:
            target = _ready(server, seat, process)
            streams = _is_answered(target, stream=True)
            yield Running(server=server, seat=seat, target=target, pid=process.pid, streams=streams)
        finally:
            _stop(process)


def ask(target: Target, stream: bool) -> tuple[int, bytes]:
    """One question; the status and the whole answer.

    Raises:
        OSError: nobody answers.
        HTTPException: what answers is no HTTP.
    """
    host, port = target.address
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("POST", target.path, body(target, SMALL_BYTES, stream), target.all_headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _ready(server: Server, seat: Seat, process: subprocess.Popen[bytes]) -> Target:
    until, last = time.monotonic() + READY_S, "nothing"
    while time.monotonic() < until and process.poll() is None:
        try:
            target = server.target(seat)
            if _is_answered(target, stream=False):
                return target
            last = "with an error"
        except (OSError, http.client.HTTPException, LookupError) as error:
            last = repr(error)
        time.sleep(0.2)
    tail = " ".join(seat.log.read_text("utf-8", "replace")[-300:].split())
    raise NotReady(f"it answers {last}; it printed: {tail}")


def _is_answered(target: Target, stream: bool) -> bool:
    status, answer = ask(target, stream)
    return status == 200 and (not stream or b"data: " in answer)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, then see to it that its whole session is gone."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
