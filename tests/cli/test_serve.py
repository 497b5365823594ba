"""``breakeven serve`` as it is started: the first key, what it says, the port that is taken, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import REPOSITORY

SERVES = re.compile(r"serves at (http://127\.0\.0\.1:\d+)/v1")
SECRET = re.compile(r"sk-be-[\w-]{43}")
BREAKEVEN = (sys.executable, "-m", "breakeven")


class Started:
    """A command under way in a folder, with what it has printed so far."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self._out, self._err = folder / "stdout.txt", folder / "stderr.txt"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BREAKEVEN_", "MAKE"))}
        clean = {name: value for name, value in clean.items() if not name.endswith("_API_KEY")}
        own = {"PYTHONPATH": str(REPOSITORY / "src"), "BREAKEVEN_SERVE_UPSTREAMS": "echo", **environment}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**clean, **own}, stdout=out, stderr=err, start_new_session=True
            )

    @property
    def out(self) -> str:
        return self._out.read_text("utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text("utf-8")

    def wait_for(self, words: str, patience_s: float = 60.0) -> None:
        until = time.monotonic() + patience_s
        while words not in self.out + self.err:
            assert self.process.poll() is None, self.out + self.err
            assert time.monotonic() < until, self.out + self.err
            time.sleep(0.02)

    @property
    def url(self) -> str:
        found = SERVES.search(self.err)
        assert found is not None, self.err
        return found[1]

    def interrupt(self) -> int:
        """Ctrl-C: the signal goes to all processes of the terminal."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@contextmanager
def started(folder: Path, command: Sequence[str], **environment: str) -> Iterator[Started]:
    running = Started(folder, command, **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


def said(folder: Path, *arguments: str) -> Any:
    """What a command prints as JSON in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    command = [*BREAKEVEN, *arguments, "--format", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="what is printed is a call of curl, which is not here")
def test_the_first_key_is_printed_with_a_call_that_works_and_stops_by_ctrl_c(tmp_path: Path) -> None:
    with started(tmp_path, [*BREAKEVEN, "serve", "--port", "0", "--first-key"]) as gateway:
        gateway.wait_for("ledger totals")
        lines = gateway.out.splitlines()
        printed = lines[lines.index("") + 1 :]
        pasted = "\n".join(line.replace("breakeven ledger", f"{' '.join(BREAKEVEN)} ledger") for line in printed)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
        ran = subprocess.run(
            ["sh", "-ec", pasted], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        assert ran.stdout.startswith("HTTP/1.1 200")
        assert "x-breakeven-cost-nano-usd:" in ran.stdout
        assert "Totals by user, model" in ran.stdout
        assert len(SECRET.findall(gateway.out)) == 1
        assert not SECRET.search(gateway.err)
        assert gateway.interrupt() == 0
    (total,) = said(tmp_path, "ledger", "totals", "--by", "model")["rows"]
    assert (total["model"], total["requests"]) == ("echo", 1)
    (budget,) = said(tmp_path, "budget", "list")["budgets"]
    assert (budget["limit_usd"], budget["window"], budget["on_exceed"]) == ("10.000000000", "day", "refuse")


def test_a_ledger_that_has_a_key_gets_no_other_unless_it_is_revoked(tmp_path: Path) -> None:
    serve = [*BREAKEVEN, "serve", "--port", "0", "--first-key"]
    made = said(tmp_path, "key", "create", "--tenant", "acme", "--user", "alice")
    with started(tmp_path, serve) as gateway:
        gateway.wait_for("ledger totals")
        assert "has a key already" in gateway.out
        assert not SECRET.search(gateway.out)
        assert gateway.interrupt() == 0
    said(tmp_path, "key", "revoke", made["key_id"])
    with started(tmp_path, serve) as gateway:
        gateway.wait_for("ledger totals")
        assert len(SECRET.findall(gateway.out)) == 1
        assert gateway.interrupt() == 0


def test_without_the_option_no_key_is_made(tmp_path: Path) -> None:
    with started(tmp_path, [*BREAKEVEN, "serve", "--port", "0"]) as gateway:
        gateway.wait_for("serves at")
        assert gateway.out == ""
        assert "upstreams: echo" in gateway.err
    assert said(tmp_path, "key", "list")["keys"] == []


def test_a_port_that_is_taken_is_an_error_in_words_and_makes_no_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, [*BREAKEVEN, "serve", "--port", port, "--first-key"]) as gateway:
            assert gateway.process.wait(60) == 3
    error, cause, hint = gateway.err.splitlines()
    assert error == f"error: cannot listen at 127.0.0.1:{port}"
    assert "in use" in cause
    assert "--port" in hint
    assert gateway.out == ""
    assert said(tmp_path, "key", "list")["keys"] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile with an environment that is set up already: `.venv/bin/breakeven` is this very program."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    for part in ("requirements", "scripts"):
        shutil.copytree(REPOSITORY / part, tmp_path / part)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    program = tmp_path / ".venv/bin/breakeven"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {" ".join(BREAKEVEN)} "$@"\n')
    program.chmod(0o755)
    (tmp_path / ".venv/has-run").touch()
    return tmp_path


def test_make_run_prints_the_plan_and_then_serves_until_ctrl_c(checkout: Path) -> None:
    with started(checkout, ["make", "run"], BREAKEVEN_SERVE_PORT="0") as running:
        running.wait_for("ledger totals")
        assert running.out.startswith("Plan for chat\n")
        assert running.out.index("Assumptions") < running.out.index("A first key")
        url = running.url
        running.interrupt()
    port = int(url.rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0  # the gateway has ended with make
    assert len(said(checkout, "key", "list")["keys"]) == 1  # and let its ledger go


def test_make_run_prints_the_plan_also_where_the_port_is_taken(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(checkout, ["make", "run"], BREAKEVEN_SERVE_PORT=port) as running:
            assert running.process.wait(60) != 0
    assert running.out.startswith("Plan for chat\n")
    assert f"error: cannot listen at 127.0.0.1:{port}" in running.err
