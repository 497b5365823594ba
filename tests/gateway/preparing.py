"""A gateway in this event loop before a provider on a real socket, for tests of the bytes that arrive there.

async with before(tmp_path, answering, MODELS) as served:
    answer = await served.ask("POST", "/v1/messages", {...}, key=served.key)
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from breakeven.catalog.negotiated import PriceConfig
from breakeven.gateway.config import read_config
from breakeven.gateway.gateway import Configured, Gateway
from breakeven.ledger import keys
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.sqlite_ledger import SqliteLedger
from gateway.serving import ADMIN, Served


def upstream(name: str, url: str, wire: str, models: list[str], **fields: Any) -> dict[str, Any]:
    """One ``[[upstreams]]`` table of a provider whose name is its wire's."""
    return {"name": name, "url": url, "wire": wire, "provider": wire, "models": models, "credential": "none", **fields}


@asynccontextmanager
async def before(folder: Path, tables: dict[str, Any], *tenants: str) -> AsyncIterator[tuple[Served, dict[str, str]]]:
    """A gateway that really sends, and a key's secret of each tenant."""
    path = folder / "ledger.db"
    secrets: dict[str, str] = {}
    with opened(path, create=True) as connection:
        for tenant in tenants or ("acme",):
            new = keys.new_key(tenant, team="red", user="alice")
            keys.create(connection, new)
            secrets[tenant] = new.secret
    configured = Configured(config=read_config(tables), prices=PriceConfig())
    ledger = SqliteLedger.open(path, mode="journal")
    try:
        gateway = Gateway(
            configured, ledger, ADMIN, lambda: Configured(config=read_config(tables), prices=PriceConfig())
        )
        await gateway.server.listen("127.0.0.1", 0)
        yield (
            Served(
                gateway=gateway,
                ledger=ledger,
                path=path,
                key=secrets[next(iter(secrets))],
                key_id="",
                port=gateway.server.addresses[0][1],
                tables=tables,
                upstreams={},
            ),
            secrets,
        )
        await gateway.server.close()
    finally:
        await ledger.close()


def rows(folder: Path) -> list[dict[str, Any]]:
    """Every entry, once the gateway is closed."""
    with closing(sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM entries ORDER BY rowid")]
