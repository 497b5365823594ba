"""/healthz says that the process lives; /readyz whether requests should be sent to it, and why not."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from breakeven.gateway.health import Health
from gateway.serving import Served, serving, tables_for


def reasons(heard_json: dict[str, object]) -> list[str]:
    return [reason["code"] for reason in heard_json["reasons"]]  # type: ignore[index, attr-defined]


def test_a_gateway_that_serves_is_alive_and_ready(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            assert (await served.ask("GET", "/healthz")).json == {"status": "ok"}
            ready = await served.ask("GET", "/readyz")
            assert (ready.status, ready.json) == (200, {"ready": True, "reasons": []})
            assert (await served.ask("HEAD", "/readyz")).body == b""

    asyncio.run(run())


def test_without_any_model_it_is_not_ready(tmp_path: Path) -> None:
    async def run() -> None:
        tables = {"upstreams": [], "models": [], "gateway": {}}
        async with serving(tmp_path, tables=tables) as served:
            ready = await served.ask("GET", "/readyz")
            assert ready.status == 503
            assert reasons(ready.json) == ["no_route"]
            assert (await served.ask("GET", "/healthz")).status == 200

    asyncio.run(run())


def test_while_it_stops_it_is_not_ready(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            health = Health(served.gateway.pipeline, served.ledger, lambda: True)
            assert [reason.code for reason in health.readiness().reasons] == ["stopping"]
            assert not health.readiness().ready

    asyncio.run(run())


async def until_the_ledger_fails(served: Served) -> None:
    await served.chat()
    async with asyncio.timeout(20):
        while served.ledger.health().failure is None:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("mode", "status", "reason"), [("journal", 200, "ledger_degraded"), ("deny", 503, "ledger_unavailable")]
)
def test_a_locked_ledger_is_told_by_its_mode(tmp_path: Path, mode: str, status: int, reason: str) -> None:
    async def run() -> None:
        async with serving(tmp_path, tables=tables_for(ledger_unavailable=mode)) as served:
            blocker = sqlite3.connect(served.path, isolation_level=None)
            blocker.execute("BEGIN IMMEDIATE")
            try:
                await until_the_ledger_fails(served)
                ready = await served.ask("GET", "/readyz")
                assert ready.status == status
                assert reasons(ready.json) == [reason]
                assert str(tmp_path) not in ready.body.decode()
                assert (await served.ask("GET", "/metrics")).status == 200
            finally:
                blocker.execute("ROLLBACK")
                blocker.close()
            assert await back(served)

    asyncio.run(run())


async def back(served: Served) -> bool:
    async with asyncio.timeout(20):
        while (await served.ask("GET", "/readyz")).json["reasons"]:
            await asyncio.sleep(0.05)
    return True
