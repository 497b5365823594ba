"""A real Valkey or Redis server on loopback, started and stopped by a test."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError


def binary() -> str:
    """The server's program; a test that needs it skips where there is none."""
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        pytest.skip("neither valkey-server nor redis-server is installed (requirements/system.txt)")
    return found


class Server:
    """A server that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._program, self._folder = binary(), folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"valkey://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": str(self._folder),
        }
        given = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([self._program, *given], stdout=subprocess.DEVNULL)
        with self.client() as client:
            for _ in range(1_000):
                try:
                    client.ping()
                except RedisError:
                    time.sleep(0.01)
                else:
                    return
        raise AssertionError("the server did not start")

    def client(self) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, protocol=2)

    def said(self, ask: Callable[[Redis], object]) -> object:
        with self.client() as client:
            return ask(client)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stall(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
