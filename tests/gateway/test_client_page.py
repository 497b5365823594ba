"""The page about clients tells the truth: all of its code runs as it stands against a real gateway."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conftest import REPOSITORY
from gateway.live import Live

PAGE = (REPOSITORY / "docs/how-to/use-a-client.md").read_text("utf-8")
WRITTEN = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(folder=tmp_path_factory.mktemp("gateway"), config="", arguments=("--upstream", "echo")) as live:
        live.new_key("alice", "--budget-usd", "20", "--window", "month")
        yield live.start()


def ran(echo: Live, command: list[str]) -> str:
    """What a command prints, the gateway's address and a key being where the page has them."""
    told = [word.replace(WRITTEN, f"http://127.0.0.1:{echo.port}") for word in command]
    environment = {**os.environ, "BREAKEVEN_KEY": echo.key}
    result = subprocess.run(told, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_runs_as_it_stands(echo: Live, number: int) -> None:
    printed = ran(echo, [sys.executable, "-c", blocks("python")[number]])
    assert "Good morning!" in printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("number", range(len(blocks("bash"))))
def test_curl_runs_as_it_stands(echo: Live, number: int) -> None:
    printed = ran(echo, ["bash", "-c", blocks("bash")[number]])
    said = "".join(re.findall(r'"text":"([^"]*)"', printed)) + "".join(re.findall(r'"content":"([^"]*)"', printed))
    assert "Good morning!" in said, printed
    assert ("cost_nano_usd" in printed) is ('"stream": true' in blocks("bash")[number])


def test_the_page_shows_every_client() -> None:
    assert len(blocks("python")) == 5
    assert len(blocks("bash")) == 2
