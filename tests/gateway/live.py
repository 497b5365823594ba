"""A gateway in a process of its own, as users start it, with a client that keeps what it was told.

live = Live(folder, mock.url)
live.start()
told = await live.chat(Order(output_tokens=7), stream=True)
live.kill()
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from breakeven.cli.main import breakeven
from gateway.mock_upstream import CHEAP_MODEL, FREE_MODEL, MODEL, Order

ADMIN = "be-admin-" + "b" * 32
TENANT = "acme"
NANO_PER_INPUT, NANO_PER_OUTPUT = 1_000, 2_000
"""What a token of the mock costs, nano-dollars: 1 and 2 dollars a million."""

SOURCE = Path(__file__).resolve().parents[2] / "src"
_SERVES = re.compile(r"serves at https?://127\.0\.0\.1:(\d+)/v1")
_COST = re.compile(rb": breakeven cost_nano_usd=(\d+)")
_METRIC = re.compile(r"^(\w+)(?:\{[^}]*\})? ([0-9.e+-]+)$", re.MULTILINE)


def configuration(url: str, *, timeout_s: float = 1.0, **gateway: Any) -> str:
    """A gateway with one mock upstream: a dear model, a cheaper one that it degrades to, and a free one."""
    lines = ["[gateway]", *(f"{name} = {json.dumps(value)}" for name, value in gateway.items())]
    prices = {"dear": (1, 2), "cheap": ("0.1", "0.2"), "free": (0, 0)}
    for name, (in_usd, out_usd) in prices.items():
        lines += ["[[upstreams]]", f'name = "{name}"', f'url = "{url}"', "max_output_tokens = 64"]
        lines += [f"input_usd_per_mtok = {in_usd}", f"output_usd_per_mtok = {out_usd}"]
        lines += [f"first_byte_timeout_s = {timeout_s}", f"idle_timeout_s = {timeout_s}"]
    for model, upstream, more in (
        (MODEL, "dear", f'degrade_to = "{CHEAP_MODEL}"'),
        (CHEAP_MODEL, "cheap", ""),
        (FREE_MODEL, "free", ""),
        ("with-fallback", "dear", ""),
    ):
        lines += ["[[models]]", f'name = "{model}"', more, f'targets = [{{ upstream = "{upstream}" }}]']
        if model == "with-fallback":
            lines += [f'fallbacks = [{{ upstream = "cheap", model = "{CHEAP_MODEL}" }}]']
    return "\n".join(lines) + "\n"


@dataclass(slots=True, kw_only=True)
class Told:
    """What a client was told. ``whole``: the body came to its end, a stream's [DONE] included."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False

    @property
    def request_id(self) -> str:
        return self.headers.get("x-breakeven-request-id", "")

    @property
    def cost_nano_usd(self) -> int | None:
        """The cost as the header says it, or a stream's last comment; None where neither came."""
        if (said := self.headers.get("x-breakeven-cost-nano-usd")) is not None:
            return int(said)
        found = _COST.search(self.body)
        return None if found is None else int(found[1])

    @property
    def events(self) -> int:
        """Events with text that came."""
        return self.body.count(b'"delta":{"content"') + self.body.count(b'"delta": {"content"')

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Live:
    """A gateway's files, and its process while it runs."""

    folder: Path
    config: str
    arguments: tuple[str, ...] = ()
    ledger_folder: Path | None = None
    tenant: str = TENANT
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    key: str = ""
    key_id: str = ""

    @property
    def ledger(self) -> Path:
        return (self.ledger_folder or self.folder) / "ledger.db"

    @property
    def log(self) -> str:
        return (self.folder / "stderr.txt").read_text("utf-8")

    def cli(self, *arguments: str) -> Any:
        """What a command prints as JSON; it runs in this process, the gateway in its own."""
        said = CliRunner().invoke(breakeven, [*arguments, "--ledger", str(self.ledger), "--format", "json"])
        assert said.exit_code == 0, said.output
        return json.loads(said.stdout)

    def begin_tenant(self, name: str) -> None:
        """From here on, everything is another tenant's, with a key and a budget that does not bind."""
        self.tenant = name
        self.new_key()
        self.budget(f"tenant:{name}", 10**12)

    def new_key(self, user: str = "alice", *options: str, tenant: str = "") -> str:
        """A key's secret; the last one made is used where none is named."""
        made = self.cli("key", "create", "--tenant", tenant or self.tenant, "--team", "red", "--user", user, *options)
        self.key, self.key_id = made["key"], made["key_id"]
        if self.process is not None:
            time.sleep(0.006)  # a gateway that has just looked for an unknown key looks again after 5 ms
        return self.key

    def budget(self, scope: str, nano_usd: int, *, tenant: str = "") -> None:
        usd = f"{nano_usd / 1e9:.9f}"
        self.cli("budget", "set", scope, "--tenant", tenant or self.tenant, "--usd", usd, "--window", "total")

    def spawn(self) -> None:
        """Start the process, and do not wait for it."""
        (self.folder / "breakeven.toml").write_text(self.config, "utf-8")
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "BREAKEVEN_ADMIN_KEY": ADMIN}
        command = [sys.executable, "-m", "breakeven", "serve", "--port", "0", "--ledger", str(self.ledger)]
        with (self.folder / "stderr.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *self.arguments], cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def start(self, patience_s: float = 30.0) -> Live:
        """Start the process and wait until it serves."""
        self.spawn()
        assert self.process is not None
        until = time.monotonic() + patience_s
        while (found := _SERVES.search(self.log)) is None:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, f"not up in time: {self.log}"
            time.sleep(0.02)
        self.port = int(found[1])
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, patience_s: float = 20.0) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(patience_s)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    # -- asking -------------------------------------------------------------------------------------------------------

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        leave_after_events: int | None = None,
        leave_after_s: float | None = None,
        into: Told | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Told:
        """One request on a connection of its own; the client may leave before the end, whatever it has then is told.

        ``into`` is filled as the answer comes, so that it is there whatever becomes of the caller.
        """
        told = Told() if into is None else into
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**22)
        except OSError:
            return told
        try:
            async with asyncio.timeout(leave_after_s or 60):
                await _converse(reader, writer, _request(method, path, key, body, headers), told, leave_after_events)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            if isinstance(error, TimeoutError) and leave_after_s is None:
                raise
        finally:
            writer.transport.abort()
        return told

    async def chat(
        self,
        order: Order,
        *,
        model: str = MODEL,
        key: str = "",
        max_tokens: int = 20,
        stream: bool = False,
        **more: Any,
    ) -> Told:
        body = chat_body(order, model=model, max_tokens=max_tokens, stream=stream)
        return await self.ask("POST", "/v1/chat/completions", body, **{"key": self.key, **more})

    async def stalled_chat(self, order: Order, *, stay_s: float, max_tokens: int = 20) -> None:
        """Ask for a stream, read nothing of it for a while, and go."""
        body = chat_body(order, max_tokens=max_tokens, stream=True)
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1024)
        writer.write(_request("POST", "/v1/chat/completions", self.key, body))
        await asyncio.sleep(stay_s)
        writer.transport.abort()

    async def admin(self, path: str) -> Any:
        told = await self.ask("GET", path, key=ADMIN)
        assert told.status == 200, told
        return told.json

    async def metrics(self) -> dict[str, float]:
        """Each metric, added up over its labels."""
        told = await self.ask("GET", "/metrics")
        found: dict[str, float] = {}
        for name, value in _METRIC.findall(told.body.decode()):
            found[name] = found.get(name, 0.0) + float(value)
        return found

    async def quiet(self, patience_s: float = 10.0) -> dict[str, float]:
        """Wait until nothing is under way and every row is in SQLite; the metrics then."""
        until = time.monotonic() + patience_s
        while True:
            found = await self.metrics()
            if not (found["breakeven_requests_under_way"] or found["breakeven_ledger_backlog_rows"]):
                return found
            assert time.monotonic() < until, {name: found[name] for name in found if "ledger" in name or "way" in name}
            await asyncio.sleep(0.02)

    async def spent(self, scope: str, tenant: str = "") -> int:
        """What is enforced of a scope's budget."""
        budgets = (await self.admin("/admin/budgets"))["budgets"]
        return int(
            next(each["spent_nano_usd"] for each in budgets if (each["tenant"], each["scope"]) == (tenant, scope))
        )

    def own_rows(self) -> list[dict[str, Any]]:
        """The entries of the present tenant."""
        return [row for row in self.rows() if row["tenant"] == self.tenant]

    def rows(self) -> list[dict[str, Any]]:
        """Every entry in SQLite, with its scopes as texts."""
        with closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            query = "SELECT entries.*, scopes FROM entries JOIN scope_sets USING (scope_set) ORDER BY entries.rowid"
            rows = [dict(row) for row in connection.execute(query)]
        for row in rows:
            row["scopes"] = {(tenant, f"{kind}:{name}") for tenant, kind, name in json.loads(row["scopes"])}
        return rows


async def assert_one_number(live: Live, told: int | None = None) -> int:
    """Nothing is held, and every way of reading what was spent gives the same; what the present tenant spent.

    ``told``: what the tenant's clients were told, added up, where all of them were.
    """
    metrics = await live.quiet()
    assert metrics["breakeven_holds"] == 0
    budgets = (await live.admin("/admin/budgets"))["budgets"]
    listed = live.cli("budget", "list")["budgets"]
    assert sorted(map(repr, budgets)) == sorted(map(repr, listed)), "what is enforced is what is listed"
    rows = live.rows()
    for each in budgets:
        tenant, scope = each["tenant"], each["scope"]
        kind, _, name = scope.partition(":")
        total = live.cli("ledger", "totals", "--by", kind, "--tenant", tenant, "--only", f"{kind}={name}")["rows"]
        recomputed = sum(row["effective_nano_usd"] for row in rows if (tenant, scope) in row["scopes"])
        assert each["reserved_nano_usd"] == 0, each
        assert each["spent_nano_usd"] == recomputed == sum(row["nano_usd"] for row in total), (each, recomputed, total)
    spent = sum(row["effective_nano_usd"] for row in rows)
    assert spent == metrics.get("breakeven_cost_nano_usd_total", 0)
    assert spent == sum(row["nano_usd"] for row in live.cli("ledger", "totals")["rows"])
    own = sum(row["effective_nano_usd"] for row in rows if row["tenant"] == live.tenant)
    assert told is None or own == told
    return own


def chat_body(order: Order, *, model: str = MODEL, max_tokens: int = 20, stream: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": order.text}]}
    return {**body, "max_tokens": max_tokens, **({"stream": True} if stream else {})}


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


ADDED_TOKENS = 512
"""What docs/how-to/serve.md says is held for what a chat template adds."""


def cost_nano_usd(order: Order) -> int:
    """What a request costs by the dear model's prices."""
    return order.input_tokens * NANO_PER_INPUT + order.output_tokens * NANO_PER_OUTPUT


def bound_nano_usd(body: Any, max_tokens: int = 20) -> int:
    """What is held for a request: a token a byte, what an upstream may add, and all the output that it may ask for."""
    return (len(encoded(body)) + ADDED_TOKENS) * NANO_PER_INPUT + max_tokens * NANO_PER_OUTPUT


def _request(method: str, path: str, key: str, body: Any, headers: Mapping[str, str] | None = None) -> bytes:
    data = b"" if body is None else encoded(body)
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", f"content-length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if key:
        lines.append(f"authorization: Bearer {key}")
    return "\r\n".join([*lines, "", ""]).encode() + data


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, told: Told, most_events: int | None
) -> None:
    writer.write(request)
    await writer.drain()
    if most_events == 0:
        return
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    told.status = int(first.split()[1])
    told.headers = dict(line.split(": ", 1) for line in lines)
    if "content-length" in told.headers:
        told.body = await reader.readexactly(int(told.headers["content-length"]))
        told.whole = True
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        told.body += (await reader.readexactly(size + 2))[:-2]
        if most_events is not None and told.events >= most_events:
            return
    told.whole = b"data: [DONE]" in told.body
