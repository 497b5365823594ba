"""A gateway that really serves, for tests: a ledger of its own, a port of its own, an upstream that is an object.

async with serving(tmp_path) as served:
    status, headers, body = await served.ask("POST", "/v1/chat/completions", {...}, key=served.key)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from breakeven.catalog.negotiated import PriceConfig
from breakeven.gateway.config import GatewayConfig, read_config
from breakeven.gateway.gateway import Configured, Gateway
from breakeven.ledger import keys
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.sqlite_ledger import SqliteLedger
from breakeven.upstreams.upstream import Receiver, Upstream, UpstreamFailed
from breakeven.upstreams.wire import WireName

ADMIN = "be-admin-" + "a" * 32
MODEL = "gpt-4o-mini"

Answering = Callable[[Receiver, bytes], None]
"""What a fake upstream does with a request's body: calls the receiver."""


class Heard(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeUpstream:
    """An `Upstream` that answers as it is told, in the event loop's next turn."""

    def __init__(self, name: str, answering: Answering, wire: WireName = "openai") -> None:
        self.name, self.wire, self.answering = name, wire, answering
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[bytes, bytes]] = []

    def send(self, path: str, headers: Mapping[bytes, bytes], body: bytes, receiver: Receiver) -> FakeExchange:
        self.bodies.append(body)
        self.headers.append(headers)
        return FakeExchange(asyncio.get_running_loop().call_soon(self.answering, receiver, body))

    async def close(self) -> None:
        pass


class FakeExchange:
    def __init__(self, handle: asyncio.Handle) -> None:
        self._handle = handle

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def abort(self) -> None:
        self._handle.cancel()


def says(text: str = "Hello.", input_tokens: int = 10, output_tokens: int = 5) -> Answering:
    """A chat completion with this usage."""
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": MODEL,
            "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"},
            ],
            "usage": {
                "prompt_tokens": input_tokens,
                "completion_tokens": output_tokens,
                "total_tokens": input_tokens + output_tokens,
            },
        }
    ).encode()
    return gives(200, body)


def gives(status: int, body: bytes, content_type: bytes = b"application/json") -> Answering:
    def answer(receiver: Receiver, _: bytes) -> None:
        receiver.head(status, {b"content-type": content_type})
        receiver.data(body)
        receiver.complete()

    return answer


def breaks(message: str = "cut off") -> Answering:
    return lambda receiver, _: receiver.failed(UpstreamFailed("broken", message, sent=True))


def in_turn(*answers: Answering) -> Answering:
    """One after another; the last one for ever."""
    left = list(answers)

    def answer(receiver: Receiver, body: bytes) -> None:
        answering = left.pop(0) if len(left) > 1 else left[0]
        answering(receiver, body)

    return answer


@dataclass(kw_only=True)
class Served:
    """A gateway under way. ``key`` is a virtual key's secret; ``tables`` may be changed before a reload."""

    gateway: Gateway
    ledger: SqliteLedger
    path: Path
    key: str
    key_id: str
    port: int
    tables: dict[str, Any]
    upstreams: dict[str, FakeUpstream]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Heard:
        """One request on a connection of its own."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = {"host": "gateway", "connection": "close", "content-length": str(len(data)), **(headers or {})}
        if key is not None:
            lines["authorization"] = f"Bearer {key}"
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.encode() + b"\r\n" + data)
        raw = await reader.read()
        writer.close()
        return heard(raw)

    async def admin(self, method: str, path: str, body: Any = None) -> Heard:
        return await self.ask(method, path, body, key=ADMIN)

    async def chat(self, text: str = "Hi", *, model: str = MODEL, key: str | None = None, **fields: Any) -> Heard:
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 50, **fields}
        return await self.ask("POST", "/v1/chat/completions", body, key=key or self.key)


def heard(raw: bytes) -> Heard:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = whole
    return Heard(int(first.split()[1]), headers, body)


def tables_for(upstream: str = "fake", **settings: Any) -> dict[str, Any]:
    """A configuration with one upstream that serves one model."""
    return {
        "upstreams": [{"name": upstream, "url": "http://127.0.0.1:9", "provider": "openai", "models": [MODEL]}],
        "gateway": settings,
    }


@asynccontextmanager
async def serving(
    folder: Path, answering: Answering | None = None, tables: dict[str, Any] | None = None
) -> AsyncIterator[Served]:
    """A gateway in this event loop; every upstream of its configuration is a `FakeUpstream`."""
    path = folder / "ledger.db"
    tables = tables_for() if tables is None else tables
    upstreams: dict[str, FakeUpstream] = {}

    def make(config: Any) -> Upstream:
        return upstreams.setdefault(config.name, FakeUpstream(config.name, answering or says()))

    def configured() -> Configured:
        return Configured(config=_config(tables), prices=PriceConfig())

    new = keys.new_key("acme", team="research", user="alice")
    with opened(path, create=True) as connection:
        keys.create(connection, new)
    with patch("breakeven.gateway.upstream_set.make_upstream", make):
        settings = configured().config.gateway
        ledger = SqliteLedger.open(path, mode=settings.ledger_unavailable)
        try:
            gateway = Gateway(configured(), ledger, ADMIN, configured)
            await gateway.server.listen("127.0.0.1", 0)
            yield Served(
                gateway=gateway,
                ledger=ledger,
                path=path,
                key=new.secret,
                key_id=new.key.key_id,
                port=gateway.server.addresses[0][1],
                tables=tables,
                upstreams=upstreams,
            )
            await gateway.server.close()
        finally:
            await ledger.close()


def _config(tables: Mapping[str, Any]) -> GatewayConfig:
    return read_config(tables)
