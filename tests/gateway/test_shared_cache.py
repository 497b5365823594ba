"""Gateways on several machines that share what they remember on one server, and go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from breakeven.cli.main import breakeven
from cache.server import Server
from gateway.live import Live, configuration
from gateway.mock_upstream import Order, mock_upstream
from gateway.remembering import CACHE, Remembering, run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@asynccontextmanager
async def gateways(folder: Path, server: Server, count: int) -> AsyncIterator[list[Remembering]]:
    """Gateways with a ledger each, one upstream behind all of them, and one server beside them."""
    async with mock_upstream() as mock:
        text = CACHE + f'url = "{server.url}"\n' + configuration(mock.url, timeout_s=20.0)
        with ExitStack() as running:
            made = []
            for number in range(count):
                own = folder / str(number)
                own.mkdir()
                live = running.enter_context(Live(folder=own, config=text))
                live.new_key()
                live.start()
                made.append(Remembering(live=live, mock=mock))
            yield made


async def said(between: Remembering, name: str) -> str:
    told = await between.chat(Order(name=name))
    assert told.status == 200
    return told.headers["x-breakeven-cache"]


async def until(between: Remembering, name: str, wanted: str) -> None:
    """Ask until the gateway says so: it asks its server for 5 ms only, and looks for one that is away ever less."""
    for _ in range(200):
        if await said(between, name) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"no {wanted}")


def test_what_one_gateway_bought_the_other_gives_until_it_is_flushed(tmp_path: Path, server: Server) -> None:
    async def scenario() -> None:
        async with gateways(tmp_path, server, 2) as (one, other):
            await until(other, "warm", "hit")
            given = []
            for number in range(20):  # on a busy machine 5 ms are over before the server has answered
                await until(one, f"a{number}", "hit")
                bought = one.mock.seen[f"a{number}"]
                if await said(other, f"a{number}") == "hit":
                    given.append(f"a{number}")
                    assert one.mock.seen[f"a{number}"] == bought
                if len(given) == 3:
                    break
            assert len(given) == 3
            flush = ["cache", "flush", "--tenant", other.live.tenant, "--cache", server.url]
            flushed = await asyncio.to_thread(CliRunner().invoke, breakeven, flush)
            assert flushed.exit_code == 0, flushed.output
            await asyncio.sleep(1)
            for name in given:
                assert await said(other, name) == "miss"

    run(scenario)


def test_a_gateway_serves_without_its_server_and_finds_it_again(tmp_path: Path, server: Server) -> None:
    async def scenario() -> None:
        server.stop()
        async with gateways(tmp_path, server, 1) as (between,):
            assert [await said(between, "a") for _ in range(3)] == ["miss"] * 3
            server.start()
            await until(between, "a", "hit")
            server.stop()
            await until(between, "a", "miss")  # what was flushed meanwhile is not known

    run(scenario)
