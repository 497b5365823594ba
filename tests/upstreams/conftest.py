"""Every test of a connection runs on both event loops that the gateway may run on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest
import uvloop

from upstreams.loopback import Run


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine, and fails where the event loop reports an exception that nobody caught."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run_on(coroutine: Coroutine[None, None, None]) -> None:
        uncaught: list[object] = []
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.get_loop().set_exception_handler(lambda _loop, context: uncaught.append(context))
            runner.run(coroutine)
        assert uncaught == []

    return run_on
