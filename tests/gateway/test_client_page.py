"""The page about clients tells the truth: all of its code runs as it stands against a real gateway."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
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


@pytest.fixture(autouse=True)
def environment(echo: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_KEY", echo.key)


def here(echo: Live, block: str) -> str:
    """A block of the page with the address that the gateway has here."""
    assert WRITTEN in block
    return block.replace(WRITTEN, f"http://127.0.0.1:{echo.port}")


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_runs_as_it_stands(echo: Live, number: int) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(here(echo, blocks("python")[number]), "page", "exec"), {})
    assert "Good morning!" in printed.getvalue()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("number", range(len(blocks("bash"))))
def test_curl_runs_as_it_stands(echo: Live, number: int) -> None:
    command = ["bash", "-c", here(echo, blocks("bash")[number])]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    said = "".join(re.findall(r'"text":"([^"]*)"', printed)) + "".join(re.findall(r'"content":"([^"]*)"', printed))
    assert "Good morning!" in said, printed
    assert ("cost_nano_usd" in printed) is ('"stream": true' in blocks("bash")[number])


def test_the_page_shows_every_client() -> None:
    assert len(blocks("python")) == 5
    assert len(blocks("bash")) == 2
