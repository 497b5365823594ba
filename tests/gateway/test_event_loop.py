"""The loop that the gateway runs on."""

from __future__ import annotations

import asyncio
import resource
import sys

import pytest

from breakeven.gateway.event_loop import run_loop


def test_it_is_uvloop_and_asyncios_own_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[str] = []

    async def main() -> None:
        loops.append(type(asyncio.get_running_loop()).__module__)

    run_loop(main())
    monkeypatch.setitem(sys.modules, "uvloop", None)
    run_loop(main())
    assert loops[0].startswith("uvloop")
    assert loops[1].startswith("asyncio")


def test_the_process_may_open_what_the_system_allows() -> None:
    async def main() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == resource.RLIM_INFINITY or soft >= min(65_536, hard if hard > 0 else 65_536)

    run_loop(main())
