"""Gateways on several machines that share what they remember on one server, and go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from breakeven.cli.main import breakeven
from cache.server import Server
from gateway.live import Told
from gateway.mock_upstream import Order
from gateway.remembering import CACHE, Remembering, remembering, run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def config(server: Server) -> str:
    return CACHE + f'url = "{server.url}"\n'


def folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made


async def said(told: Told) -> str:
    assert told.status == 200
    return told.headers["x-breakeven-cache"]


async def until(between: Remembering, order: Order, wanted: str) -> None:
    """Ask until the gateway has done so; it asks its server a few milliseconds, and looks for a dead one ever less."""
    for _ in range(200):
        if await said(await between.chat(order)) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"no {wanted}")


def test_what_one_gateway_bought_the_other_gives_until_it_is_flushed(tmp_path: Path, server: Server) -> None:
    async def scenario() -> None:
        async with (
            remembering(folder(tmp_path, "one"), config(server)) as one,
            remembering(folder(tmp_path, "other"), config(server)) as other,
        ):
            await until(other, Order(name="warm"), "hit")
            await until(one, Order(name="a"), "hit")
            await until(other, Order(name="a"), "hit")
            assert other.mock.seen["a"] <= 1  # its first look may have come before the server's answer
            flush = ["cache", "flush", "--tenant", other.live.tenant, "--cache", server.url]
            flushed = await asyncio.to_thread(CliRunner().invoke, breakeven, flush)
            assert flushed.exit_code == 0, flushed.output
            await asyncio.sleep(1)
            assert await said(await other.chat(Order(name="a"))) != "hit"

    run(scenario)


def test_a_gateway_serves_without_its_server_and_finds_it_again(tmp_path: Path, server: Server) -> None:
    async def scenario() -> None:
        server.stop()
        async with remembering(folder(tmp_path, "one"), config(server)) as between:
            for _ in range(3):
                assert await said(await between.chat(Order(name="a"))) == "bypass"
            server.start()
            await until(between, Order(name="a"), "hit")
            server.stop()
            await until(between, Order(name="b"), "bypass")

    run(scenario)
