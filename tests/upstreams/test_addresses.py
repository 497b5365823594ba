from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import ConfigError
from breakeven.upstreams.base_url import BaseUrl, read_base_url
from breakeven.upstreams.connection_pool import ConnectionPool, PoolLimits
from breakeven.upstreams.credential import Credential
from breakeven.upstreams.dialer import Dialer
from breakeven.upstreams.http_exchange import HttpExchange
from breakeven.upstreams.http_upstream import HttpUpstream
from breakeven.upstreams.upstream import Timeouts
from upstreams.loopback import OK, Caller, Heard, Run, always, ask, serving


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://localhost:8000", "/v1/messages"),
        ("http://localhost:8000/", "/v1/messages"),
        ("http://localhost:8000/v1", "/v1/messages"),
        ("http://localhost:8000/v1/", "/v1/messages"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "/v1beta/openai/messages"),
        ("https://x.openai.azure.com/openai/v1", "/openai/v1/messages"),
        (
            "https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
            "/openai/deployments/d/messages?api-version=2024-10-21",
        ),
    ],
)
def test_paths_are_joined_to_the_base_url(text: str, target: str) -> None:
    assert read_base_url(text).target("/messages") == target


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("https://api.openai.com", "api.openai.com"),
        ("https://api.openai.com:443", "api.openai.com"),
        ("http://localhost:80", "localhost"),
        ("https://api.openai.com:80", "api.openai.com:80"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_host_is_named_as_http_wants_it(text: str, authority: str) -> None:
    assert read_base_url(text).authority == authority


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "ftp://h/",
        "gopher://h/",
        "localhost:8000",
        "//h/v1",
        "",
        "http://",
        "http://user:sk-secret@h/",
        "http://sk-secret@h/",
        "http://h:sk-secret/",
        "http://h:99999/",
        "http://h/#f",
        "http://h/a b",
        "http://h/\r\nx: y",
        "http://h/é",
        "http://[::1",
        "http://169.254.169.254/v1",
        "http://169.254.0.1",
        "https://169.254.169.254/v1",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://8.8.8.8/v1",
        "http://[2606:4700::1]/v1",
    ],
)
def test_what_no_upstream_may_be_is_refused_without_repeating_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_base_url(text)
    assert "sk-secret" not in f"{refused.value} {refused.value.cause} {refused.value.hint}"


@pytest.mark.parametrize(
    "text",
    [
        "https://8.8.8.8",
        "http://10.0.0.1",
        "http://192.168.1.2:1",
        "http://[::1]",
        "http://[fd00::1]",
        "http://127.1.1.1",
    ],
)
def test_private_addresses_may_be_plain_and_public_ones_encrypted(text: str) -> None:
    assert read_base_url(text).refusal(read_base_url(text).host) is None


def test_what_is_refused_can_be_allowed_by_name() -> None:
    assert read_base_url("http://8.8.8.8", allow_insecure=True).host == "8.8.8.8"
    assert read_base_url("http://169.254.1.1", allow_link_local=True).host == "169.254.1.1"


@given(st.ip_addresses(v=4, network="169.254.0.0/16") | st.ip_addresses(v=6, network="fe80::/10"))
def test_no_link_local_address_is_reached(address: object) -> None:
    url = BaseUrl(tls=True, host="name", port=443, path="/v1")
    assert url.refusal(str(address)) is not None


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "169.254.43518"])
def test_a_name_is_refused_by_what_it_resolves_to(run: Run, host: str) -> None:
    async def check() -> None:
        heard = await ask(HttpUpstream("test", "openai", read_base_url(f"http://{host}")))
        assert heard.failure is not None
        assert heard.failure.failure == "connect"
        assert "metadata" in str(heard.failure)

    try:
        assert socket.getaddrinfo(host, 80)[0][4][0] == "169.254.169.254"
    except OSError:
        pytest.skip("this resolver does not read such numbers")
    run(check())


@pytest.mark.parametrize("host", ["a" * 70 + ".test", "no-such-name.invalid"])
def test_a_name_that_leads_nowhere_is_a_failure_to_connect(run: Run, host: str) -> None:
    async def check() -> None:
        heard = await ask(HttpUpstream("test", "openai", read_base_url(f"http://{host}")))
        assert heard.failure is not None
        assert (heard.failure.failure, heard.failure.sent) == ("connect", False)
        assert "its name" in str(heard.failure)

    run(check())


class Resolved(Dialer):
    """A name whose addresses a test states."""

    def __init__(self, port: int, *found: str) -> None:
        super().__init__(read_base_url(f"http://name.test:{port}"))
        self.found = found

    async def addresses(self) -> list[str]:
        return list(self.found)


async def ask_at(dialer: Dialer) -> Heard:
    pool, heard = ConnectionPool(dialer, Timeouts(), PoolLimits()), Heard()
    pool.submit(HttpExchange("test", pool, b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", b"", heard))
    return await heard.end()


def test_the_next_address_of_a_name_is_tried_and_none_that_is_refused(run: Run) -> None:
    async def check() -> None:
        async with serving(always(OK)) as server:
            assert (await ask_at(Resolved(server.port, "127.0.0.2", "127.0.0.1"))).body == b"{}"
            for refused in ("169.254.169.254", "8.8.8.8", "::ffff:169.254.169.254"):
                heard = await ask_at(Resolved(server.port, refused, "127.0.0.1"))
                assert heard.failure is not None
                assert refused in str(heard.failure)
            assert (await ask_at(Resolved(server.port))).failure is not None
            assert len(server.requests) == 1

    run(check())


def test_a_credential_is_shown_nowhere_and_must_fit_a_header() -> None:
    credential = Credential(kind="x-api-key", secret="sk-secret")
    assert "sk-secret" not in f"{credential!r} {credential}"
    assert credential.header() == b"x-api-key: sk-secret\r\n"
    assert Credential(kind="api-key", secret="s").header() == b"api-key: s\r\n"
    assert Credential().header() == b""
    for wrong in ("", "a b", "a\r\nx: y", "ключ"):
        with pytest.raises(ConfigError) as refused:
            Credential(kind="bearer", secret=wrong)
        assert not wrong or wrong not in str(refused.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = "subjectAltName=DNS:localhost"
    try:
        subprocess.run(
            [*command.split(), "-addext", names, "-keyout", key, "-out", cert], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("no openssl command to make a certificate with")
    return cert, key


def test_tls_checks_the_certificate_and_the_name(run: Run, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=cert)

    def client(host: str, port: int, tls: ssl.SSLContext | None) -> HttpUpstream:
        return HttpUpstream("test", "openai", read_base_url(f"https://{host}:{port}"), tls=tls)

    async def check() -> None:
        async with serving(always(OK), served) as server:
            known = client("localhost", server.port, trusting)
            for _ in range(3):
                assert (await ask(known, b"x" * 300_000)).body == b"{}"
            assert len(server.callers) == 1
            await known.close()
            for other in (client("localhost", server.port, None), client("127.0.0.1", server.port, trusting)):
                heard = await ask(other)
                assert heard.failure is not None
                assert (heard.failure.failure, heard.failure.sent) == ("connect", False)
                assert "certificate is not trusted" in str(heard.failure)
            assert len(server.requests) == 3
            await asyncio.sleep(0.01)

    run(check())


def tls_pair(certificate: tuple[Path, Path]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context, and that of a client that trusts it."""
    cert, key = certificate
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(cert, key)
    return served, ssl.create_default_context(cafile=cert)


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("body_bytes", [2, 300_000])
def test_a_tls_connection_is_used_again_however_many_pieces_an_answer_has(
    run: Run, certificate: tuple[Path, Path], pieces: int, body_bytes: int
) -> None:
    served, trusting = tls_pair(certificate)

    async def streams(caller: Caller) -> None:
        while True:
            await caller.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(pieces - 1):
                await asyncio.sleep(0.01)
                caller.writer.write(b"5\r\nhello\r\n")
            await asyncio.sleep(0.01)
            caller.writer.write(b"0\r\n\r\n")

    async def check() -> None:
        async with serving(streams, served) as server:
            client = HttpUpstream("test", "openai", read_base_url(f"https://localhost:{server.port}"), tls=trusting)
            for _ in range(4):
                assert (await ask(client, b"x" * body_bytes)).body == b"hello" * (pieces - 1)
            assert len(server.callers) == 1
            await client.close()
            await asyncio.sleep(0.01)

    run(check())


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_request_that_was_read_over_tls_is_never_said_to_be_unsent(
    run: Run, certificate: tuple[Path, Path], answered: int
) -> None:
    """Said so, it would be sent, and billed, once more."""
    served, trusting = tls_pair(certificate)

    async def dies(caller: Caller) -> None:
        for _ in range(answered):
            await caller.answer(OK)
        await caller.request()

    async def check() -> None:
        async with serving(dies, served) as server:
            client = HttpUpstream("test", "openai", read_base_url(f"https://localhost:{server.port}"), tls=trusting)
            for _ in range(answered):
                await ask(client)
            heard = await ask(client)
            assert heard.failure is not None
            assert (heard.failure.failure, heard.failure.sent) == ("broken", True)
            assert len(server.requests) == answered + 1
            await client.close()
            await asyncio.sleep(0.01)

    run(check())
