"""The pages on the admin API and on metrics name all that there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from conftest import REPOSITORY
from gateway.serving import serving, tables_for

ADMIN_PAGE = REPOSITORY / "docs/reference/admin-api.md"
WATCH_PAGE = REPOSITORY / "docs/how-to/watch-the-gateway.md"


def test_every_endpoint_is_on_the_page_and_no_other(tmp_path: Path) -> None:
    async def run() -> set[str]:
        async with serving(tmp_path) as served:
            paths = (await served.admin("GET", "/admin/openapi.json")).json["paths"]
            return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

    rows = re.findall(r"^\| `([A-Z]+ /admin/\S+)` \|", ADMIN_PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(rows) == asyncio.run(run())


def test_every_metric_is_on_the_page_and_no_other(tmp_path: Path) -> None:
    async def run() -> set[str]:
        async with serving(tmp_path, tables={**tables_for(), "cache": {"enabled": True}}) as served:
            body = (await served.ask("GET", "/metrics")).body.decode()
            return {name for name in re.findall(r"^# TYPE (\S+)", body, re.MULTILINE) if name.startswith("breakeven_")}

    assert set(re.findall(r"`(breakeven_\w+)`", WATCH_PAGE.read_text("utf-8"))) == asyncio.run(run())
