"""A gateway with a cache between clients and a mock upstream, for the tests of what is remembered and shared."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from breakeven.catalog.negotiated import PriceConfig
from breakeven.gateway.config import read_config
from breakeven.gateway.gateway import Configured, Gateway
from breakeven.ledger.sqlite_ledger import SqliteLedger
from gateway.live import ADMIN, Live, Told, chat_body, configuration
from gateway.mock_upstream import MockUpstream, Order, mock_upstream

CACHE = "[cache]\nenabled = true\n"
_COMMENT = re.compile(rb": breakeven cost_nano_usd=\d+\n\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembering:
    """The gateway's process and the upstream behind it."""

    live: Live
    mock: MockUpstream

    async def chat(self, order: Order, *, stream: bool = False, key: str = "", **more: Any) -> Told:
        """Ask at temperature 0; ``headers`` and what `Live.ask` takes go beside the body's fields."""
        asks = {name: more.pop(name) for name in ("leave_after_events", "leave_after_s", "headers") if name in more}
        body = chat_body(order, stream=stream) | {"temperature": 0} | more
        return await self.live.ask("POST", "/v1/chat/completions", body, key=key or self.live.key, **asks)

    async def rows(self) -> list[dict[str, Any]]:
        """Every row, once nothing is under way."""
        await self.live.quiet()
        return self.live.rows()


@asynccontextmanager
async def remembering(folder: Path, config: str = CACHE, **settings: Any) -> AsyncIterator[Remembering]:
    async with mock_upstream() as mock:
        text = config + configuration(mock.url, **({"timeout_s": 20.0} | settings))
        with Live(folder=folder, config=text) as live:
            live.new_key()
            live.start()
            yield Remembering(live=live, mock=mock)


@asynccontextmanager
async def remembering_here(folder: Path, config: str = CACHE, **settings: Any) -> AsyncIterator[Remembering]:
    """The same in this event loop, for tests that do without the gateway's process: it starts in no time."""
    async with mock_upstream() as mock:
        live = Live(folder=folder, config=config + configuration(mock.url, **({"timeout_s": 20.0} | settings)))
        live.new_key()
        tables = tomllib.loads(live.config)
        configured = Configured(config=read_config(tables), prices=PriceConfig())
        ledger = SqliteLedger.open(live.ledger)
        try:
            gateway = Gateway(configured, ledger, ADMIN, lambda: configured)
            await gateway.server.listen("127.0.0.1", 0)
            live.port = gateway.server.addresses[0][1]
            yield Remembering(live=live, mock=mock)
            await gateway.server.close()
            await gateway.close()
        finally:
            await ledger.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario()

    asyncio.run(whole())


def without_cost(told: Told) -> bytes:
    """What was told, without the gateway's comment at the end of a stream."""
    return without_cost_of(told.body)


def without_cost_of(body: bytes) -> bytes:
    """A body without the gateway's comment at the end of a stream."""
    return _COMMENT.sub(b"", body)
