"""The same server behind TLS, and a gateway that is given a certificate."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import openai
import pytest

from breakeven.cli import main
from breakeven.errors import InputError
from breakeven.gateway.http_server import HttpServer
from breakeven.gateway.limits import Limits
from breakeven.gateway.listening import Tls
from gateway.live import Live
from gateway.raw import LOOPS, Client, echo, get, paths, post, run, statuses


def self_signed(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """A key and a certificate for this machine that it signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed")
    key, signed = folder / f"{name}.key.pem", folder / f"{name}.pem"
    asked = ["req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", f"/CN={name}"]
    asked += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", *(options or ("-nodes",))]
    subprocess.run([openssl, *asked, "-keyout", key, "-out", signed], check=True, capture_output=True)
    return key, signed


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), "localhost")


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


# -- the gateway ------------------------------------------------------------------------------------------------------

ECHO = '[[upstreams]]\nname = "echo"\nwire = "echo"\n'


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Live]:
    """A gateway's process with a certificate of its own copy, which a test may renew."""
    folder = tmp_path_factory.mktemp("gateway")
    for source, name in zip(certificate, ("key.pem", "certificate.pem"), strict=True):
        shutil.copy(source, folder / name)
    arguments = ("--tls-certificate", "certificate.pem", "--tls-key", "key.pem")
    with Live(folder=folder, config=ECHO, arguments=arguments) as found:
        found.new_key()
        yield found.start()


def client_of(live: Live, trusted: Path) -> openai.OpenAI:
    """The official client, which trusts this certificate and no other."""
    http = httpx2.Client(verify=ssl.create_default_context(cafile=str(trusted)))
    return openai.OpenAI(
        base_url=f"https://127.0.0.1:{live.port}/v1", api_key=live.key, http_client=http, max_retries=0
    )


def test_the_official_client_streams_over_https(live: Live, certificate: tuple[Path, Path]) -> None:
    assert f"serves at https://127.0.0.1:{live.port}/v1" in live.log
    client = client_of(live, certificate[1])
    text = "One two three four. " * 40
    asked = client.chat.completions.create(model="echo", messages=[{"role": "user", "content": text}], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in asked if chunk.choices).strip() == text.strip()
    [row] = live.cli("ledger", "totals")["rows"]
    assert (row["requests"], row["nano_usd"] > 0) == (1, True)


def test_a_client_that_does_not_know_the_certificate_or_speaks_plain_text_gets_nothing(live: Live) -> None:
    stranger = openai.OpenAI(base_url=f"https://127.0.0.1:{live.port}/v1", api_key=live.key, max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        stranger.models.list()
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as plain:
        plain.sendall(get("/healthz"))
        assert b"HTTP" not in plain.recv(1_000)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_version_before_1_2_is_spoken(live: Live, certificate: tuple[Path, Path]) -> None:
    def version(least: ssl.TLSVersion, most: ssl.TLSVersion) -> str | None:
        theirs = ssl.create_default_context(cafile=str(certificate[1]))
        theirs.set_ciphers("ALL:@SECLEVEL=0")
        theirs.minimum_version, theirs.maximum_version = least, most
        with (
            socket.create_connection(("127.0.0.1", live.port), timeout=10) as raw,
            theirs.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            return tls.version()

    assert version(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    assert version(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        version(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


def test_a_renewed_certificate_is_taken_over_and_a_wrong_one_is_not(live: Live, tmp_path: Path) -> None:
    key, signed = self_signed(tmp_path, "renewed")
    shutil.copy(signed, live.folder / "certificate.pem")  # the key is still the former one's
    live.signal(signal.SIGHUP)
    wait_for(live, "is not that of the certificate")
    with pytest.raises(openai.APIConnectionError):
        client_of(live, signed).models.list()
    shutil.copy(key, live.folder / "key.pem")
    live.signal(signal.SIGHUP)
    wait_for(live, "the configuration was read again")
    assert [each.id for each in client_of(live, signed).models.list()] == ["echo"]


def wait_for(live: Live, words: str) -> None:
    until = time.monotonic() + 10
    while words not in live.log:
        assert time.monotonic() < until, live.log
        time.sleep(0.02)


# -- files that are wrong ---------------------------------------------------------------------------------------------


def test_files_that_are_missing_or_do_not_belong_together_are_refused_in_words(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    key, signed = certificate
    other, _ = self_signed(tmp_path, "other")
    locked, locked_signed = self_signed(tmp_path, "locked", "-passout", "pass:secret")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")
    both = tmp_path / "both.pem"
    both.write_bytes(signed.read_bytes() + key.read_bytes())
    for certificate_file, key_file, told in (
        (tmp_path / "none.pem", key, "cannot read the TLS certificate"),
        (signed, tmp_path / "none.pem", "cannot read the TLS key"),
        (signed, other, "is not that of the certificate"),
        (locked_signed, locked, "is encrypted"),
        (nothing, key, "cannot use the TLS certificate"),
        (signed, nothing, "cannot use the TLS certificate"),
        (signed, signed, "cannot use the TLS certificate"),
    ):
        with pytest.raises(InputError, match=told) as caught:
            Tls(certificate_file, key_file)
        assert caught.value.hint
    Tls(both, both)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tls-key", "key.pem"), "error: a TLS key is of no use without its certificate"),
        (("--tls-certificate", "none.pem"), "error: cannot read the TLS certificate none.pem"),
    ],
)
def test_the_command_says_so_before_it_makes_any_file(
    arguments: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(("serve", "--port", "0", *arguments)) == 2
    assert capsys.readouterr().err.startswith(told)
    assert list(tmp_path.iterdir()) == []
