"""The admin API is for the admin key; wrong keys are few, and tell nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from breakeven.gateway.admin_access import FAILURES, WINDOW_S, AdminAccess, is_local
from breakeven.gateway.http_request import Request
from breakeven.pipeline.refusal import Refusal
from gateway.serving import ADMIN, serving

PAGES = [
    ("GET", "/admin/keys"),
    ("POST", "/admin/keys"),
    ("GET", "/admin/budgets"),
    ("GET", "/admin/totals"),
    ("GET", "/admin/upstreams"),
    ("POST", "/admin/reload"),
    ("GET", "/admin/openapi.json"),
    ("GET", "/admin/nothing"),
    ("DELETE", "/admin/keys/key_1"),
]


def request(secret: str | None = None, peer: str = "203.0.113.9", **headers: str) -> Request:
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if secret is not None:
        lines[b"authorization"] = f"Bearer {secret}".encode()
    return Request("GET", "/admin/keys", "", lines, b"", peer, True, True)


def test_every_page_needs_the_admin_key(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for method, path in PAGES:
                missing = await served.ask(method, path)
                assert (missing.status, missing.json["error"]["code"]) == (401, "invalid_admin_key")
                assert missing.headers["www-authenticate"].startswith("Bearer")

    asyncio.run(run())


def test_a_virtual_key_is_known_and_not_allowed(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for method, path in PAGES[:7]:
                assert (await served.ask(method, path, key=served.key)).status == 403

    asyncio.run(run())


def test_after_ten_wrong_keys_an_address_is_not_heard_for_a_minute() -> None:
    now_s = 1000.0
    access = AdminAccess(ADMIN, clock=lambda: now_s)
    for number in range(FAILURES):
        assert not access.allows(request(f"wrong-{number}"))
        access.failed(request(f"wrong-{number}"))
        now_s += 1
    with pytest.raises(Refusal) as refused:
        access.allows(request(ADMIN))
    assert refused.value.status == 429
    assert refused.value.retry_after_s == WINDOW_S - FAILURES
    assert access.allows(request(ADMIN, peer="203.0.113.10"))
    now_s = 1000.0 + WINDOW_S
    assert access.allows(request(ADMIN))


def test_many_addresses_take_bounded_memory() -> None:
    access = AdminAccess(ADMIN)
    for number in range(20_000):
        access.failed(request("wrong", peer=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
    assert len(access._failed) == 10_000


@pytest.mark.parametrize(
    ("peer", "headers", "local"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.0.1", {}, True),
        ("::1", {}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("10.0.0.1", {}, False),
        ("", {}, False),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9"}, False),
        ("127.0.0.1", {"forwarded": "for=203.0.113.9"}, False),
    ],
)
def test_only_what_comes_from_this_machine_itself_is_local(peer: str, headers: dict[str, str], local: bool) -> None:
    assert is_local(request(peer=peer, **headers)) is local
