"""The examples that the official clients come with, run as they are: only the base URL and the key are ours."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import io
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.live import Live

SERVED = ("responses.create(", "chat.completions.create(", "messages.create(")
ELSEWHERE = (
    *("workload_identity", "ssl.", "fine_tuning", "audio", "files.create", "flask", "base_url"),
    "AioHttp",  # an extra of the client that need not be installed
)
"""What other examples need: other endpoints, files, or a network."""


def examples(package: str) -> list[str]:
    """The examples in a package's own description that call what a gateway serves."""
    told = importlib.metadata.metadata(package)
    text = str(told.get_payload() or told["Description"])
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [
        block
        for block in blocks
        if any(call in block for call in SERVED) and not any(word in block for word in ELSEWHERE)
    ]


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with Live(folder=tmp_path_factory.mktemp("gateway"), config="", arguments=("--upstream", "echo")) as live:
        live.new_key()
        yield live.start()


@pytest.fixture(autouse=True)
def environment(echo: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user sets: two variables a client."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{echo.port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", echo.key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{echo.port}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", echo.key)
    monkeypatch.chdir(tmp_path)
    Path("path/to").mkdir(parents=True)
    Path("path/to/image.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def run(example: str, **known: Any) -> str:
    """What an example prints; one that awaits outside of a function is put into one."""
    code = example
    if re.search(r"^\s*\S.*\bawait\b", example, re.MULTILINE) and "async def" not in example:
        code = f"import asyncio\nasync def main():\n{textwrap.indent(example, '    ')}\nasyncio.run(main())"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "example", "exec"), known)
    return printed.getvalue()


@pytest.mark.parametrize("number", range(len(examples("openai"))))
def test_an_example_of_the_openai_client_runs(echo: Live, number: int) -> None:
    example = examples("openai")[number]
    client = openai.AsyncOpenAI() if "await client" in example else openai.OpenAI()
    rows = len(asyncio.run(settled(echo)))
    printed = run(example, client=client)
    assert printed or "print(" not in example or "except" in example
    after = asyncio.run(settled(echo))
    assert len(after) == rows + example.count(".create("), "one row a call"
    assert all(row["outcome"] == "ok" and row["effective_nano_usd"] > 0 for row in after)


def test_an_example_of_the_anthropic_client_runs(echo: Live) -> None:
    [example] = examples("anthropic")
    assert "Hello, Claude" in run(example)
    [*_, last] = asyncio.run(settled(echo))
    assert (last["operation"], last["outcome"]) == ("messages", "ok")


def test_there_are_examples_to_run() -> None:
    assert len(examples("openai")) >= 8
    assert sum("stream=True" in example for example in examples("openai")) >= 2
    assert any("AsyncOpenAI" in example for example in examples("openai"))


async def settled(live: Live) -> list[dict[str, Any]]:
    await live.quiet()
    return live.rows()
