"""What an upstream adds to a prompt: held as stated, or as seen; told, and not forgotten with the configuration."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from breakeven.upstreams.upstream import Receiver
from gateway.serving import MODEL, Answering, Served, gives, says, serving, tables_for

ADDED = 5_000
TOLD = (
    f"{MODEL}@fake counts up to {ADDED} more input tokens than were sent, and 512 were allowed for. Requests hold them "
    f"from now on; added_input_tokens = {ADDED} for the upstream lets the first ones do so, too"
)


def with_its_own_prompt(receiver: Receiver, body: bytes) -> None:
    """Every byte is a token, and the upstream's own prompt comes on top."""
    says(input_tokens=len(body) + ADDED)(receiver, body)


def run(
    folder: Path,
    check: Callable[[Served], Awaitable[None]],
    tables: dict[str, Any] | None = None,
    answering: Answering = with_its_own_prompt,
) -> None:
    async def scenario() -> None:
        async with serving(folder, answering, tables) as served:
            await check(served)

    asyncio.run(scenario())


async def limit(served: Served, usd: str) -> None:
    budget = {"scope": "user:alice", "tenant": "acme", "usd": usd, "window": "total"}
    assert (await served.admin("PUT", "/admin/budgets", budget)).status == 200


async def spent_nano_usd(served: Served) -> int:
    [budget] = (await served.admin("GET", "/admin/budgets")).json["budgets"]
    assert budget["reserved_nano_usd"] == 0
    return int(budget["spent_nano_usd"])


def test_what_is_stated_is_held_from_the_first_request_on(tmp_path: Path) -> None:
    tables = tables_for()
    tables["upstreams"][0]["added_input_tokens"] = ADDED

    async def check(served: Served) -> None:
        await limit(served, "0.0007")  # 5,000 tokens at $0.15 a million are more
        refused = await served.chat()
        assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
        assert served.upstreams["fake"].bodies == []
        await limit(served, "0.0009")
        assert (await served.chat()).status == 200
        assert (await served.chat()).status == 429
        assert 0 < await spent_nano_usd(served) <= 900_000

    run(tmp_path, check, tables)


def test_what_was_seen_is_held_from_then_on_also_after_a_reload(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        await limit(served, "0.0015")
        assert (await served.chat()).status == 200
        assert await spent_nano_usd(served) > 750_000
        assert (await served.chat()).status == 429
        for change in ({"max_connections": 7}, {"url": "http://127.0.0.1:90"}, {"added_input_tokens": 600}):
            served.tables["upstreams"][0] |= change
            assert (await served.admin("POST", "/admin/reload")).status == 200
            assert (await served.chat()).status == 429
        assert len(served.upstreams["fake"].bodies) == 1
        assert await spent_nano_usd(served) <= 1_500_000

    run(tmp_path, check)


def test_another_route_to_the_same_deployment_knows_at_once(tmp_path: Path) -> None:
    tables = tables_for()
    tables["models"] = [{"name": "house", "targets": [{"upstream": "fake", "model": MODEL}]}]

    async def check(served: Served) -> None:
        await limit(served, "0.0015")
        assert (await served.chat(model="house")).status == 200
        assert (await served.chat()).status == 429

    run(tmp_path, check, tables)


def test_it_is_told_once_with_what_to_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        with caplog.at_level(logging.WARNING):
            await served.gateway.tidy()
            assert caplog.messages == []
            for _ in range(3):
                await served.chat()
                await served.gateway.tidy()
            assert caplog.messages == [TOLD]
            assert (await served.admin("POST", "/admin/reload")).status == 200
            await served.chat()
            await served.gateway.tidy()
            assert caplog.messages == [TOLD]

    run(tmp_path, check)


def test_names_that_clients_make_up_leave_no_allowance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breakeven.pipeline.routes._MOST_RESOLVED", 5)
    tables = tables_for()
    tables["upstreams"][0] |= {"models": [], "input_usd_per_mtok": 1, "output_usd_per_mtok": 1}

    async def check(served: Served) -> None:
        for number in range(40):
            assert (await served.chat(model=f"made-up-{number}")).status == 404
        gc.collect()
        assert len(served.gateway._allowances._shared) <= 6

    run(tmp_path, check, tables, gives(404, b'{"error": {"message": "no such model"}}'))
