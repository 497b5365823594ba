"""The same server behind TLS."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from breakeven.gateway.http_server import HttpServer
from breakeven.gateway.limits import Limits
from gateway.raw import LOOPS, Client, echo, get, paths, post, run, statuses


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for localhost that it signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, signed = folder / "key.pem", folder / "certificate.pem"
    asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([openssl, *asked, "-keyout", key, "-out", signed], check=True, capture_output=True)
    return key, signed


@pytest.mark.parametrize("loop", LOOPS)
def test_requests_refusals_and_farewells_work_over_tls(
    certificate: tuple[Path, Path], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    key, signed = certificate
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(signed, key)
    theirs = ssl.create_default_context(cafile=str(signed))
    theirs.check_hostname = False

    async def scenario() -> None:
        server = HttpServer(echo, Limits(body_bytes=100_000, sweep_s=0.02))
        await server.listen("127.0.0.1", 0, tls=ours)

        async def say(*parts: bytes) -> bytes:
            client = Client(*await asyncio.open_connection(*server.addresses[0], ssl=theirs))
            await client.send(*parts)
            return await client.to_end()

        assert paths(await say(get("/1"), post("/2", b"b" * 50_000) + get("/3", "Connection: close"))) == [
            "/1",
            "/2",
            "/3",
        ]
        assert statuses(await say(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")) == [400]
        server.begin_drain()
        assert await server.drained(5)

    run(scenario(), loop)
