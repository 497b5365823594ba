"""What the admin API makes is read back as it was asked for, and enforced by the next request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.serving import MODEL, Served, breaks, gives, in_turn, says, serving

Check = Callable[[Served], Awaitable[None]]


def run(tmp_path: Path, check: Check) -> None:
    async def inside() -> None:
        async with serving(tmp_path) as served:
            await check(served)

    asyncio.run(inside())


KEY: dict[str, Any] = {
    "tenant": "acme",
    "team": "research",
    "user": "bob",
    "name": "laptop",
    "allowed_models": [MODEL],
    "max_usd_per_request": "0.5",
    "requests_per_minute": 60,
    "tokens_per_minute": 100_000,
    "parallel_requests": 4,
    "tags": ["project=atlas"],
}


def test_a_key_is_read_back_as_it_was_made_and_its_secret_never_again(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        made = await served.admin("POST", "/admin/keys", {**KEY, "expires_in_s": 3600, "budget": {"usd": "2.5"}})
        assert made.status == 201
        secret = made.json["key"]
        assert secret.startswith("sk-be-")
        found = await served.admin("GET", f"/admin/keys/{made.json['key_id']}")
        for name, value in KEY.items():
            if name != "max_usd_per_request":
                assert found.json[name] == value
        assert found.json["max_nano_usd_per_request"] == 500_000_000
        assert found.json["status"] == "active"
        listed = await served.admin("GET", "/admin/keys?tenant=acme")
        assert found.json in listed.json["keys"]
        assert secret not in found.body.decode() + listed.body.decode()
        budgets = (await served.admin("GET", "/admin/budgets")).json["budgets"]
        assert [(each["scope"], each["limit_nano_usd"]) for each in budgets] == [
            (f"key:{made.json['key_id']}", 2_500_000_000)
        ]

    run(tmp_path, check)


def test_a_new_key_works_with_the_next_request_and_a_revoked_one_does_not(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        for _ in range(10):
            made = (await served.admin("POST", "/admin/keys", {"tenant": "acme"})).json
            assert (await served.chat(key=made["key"])).status == 200
            revoked = await served.admin("DELETE", f"/admin/keys/{made['key_id']}")
            assert (revoked.status, revoked.json["status"]) == (200, "revoked")
            assert (await served.chat(key=made["key"])).status == 401

    run(tmp_path, check)


def test_what_a_key_may_is_enforced_and_a_change_too(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        made = (await served.admin("POST", "/admin/keys", {"tenant": "acme", "allowed_models": ["other"]})).json
        one = f"/admin/keys/{made['key_id']}"
        assert (await served.chat(key=made["key"])).status == 403
        changed = await served.admin("PATCH", one, {"allowed_models": [MODEL], "max_usd_per_request": "0.000001"})
        assert changed.json["max_nano_usd_per_request"] == 1_000
        assert (await served.chat(key=made["key"])).json["error"]["code"] == "request_too_expensive"
        changed = await served.admin("PATCH", one, {"max_usd_per_request": None, "requests_per_minute": 1})
        assert changed.json["max_usd_per_request"] is None
        assert changed.json["allowed_models"] == [MODEL]
        assert (await served.chat(key=made["key"])).status == 200
        limited = await served.chat(key=made["key"])
        assert (limited.status, limited.json["error"]["code"]) == (429, "rate_limit_exceeded")

    run(tmp_path, check)


@pytest.mark.parametrize(
    "scope", ["tenant:acme", "team:research", "user:alice", "key:{key}", f"model:{MODEL}", "tag:project=atlas"]
)
def test_a_budget_of_every_kind_is_enforced_by_the_next_request(tmp_path: Path, scope: str) -> None:
    async def check(served: Served) -> None:
        body = {"tenant": "acme", "scope": scope.format(key=served.key_id), "usd": "0.00001", "window": "day"}
        put = await served.admin("PUT", "/admin/budgets", body)
        assert put.status == 200
        assert (put.json["limit_nano_usd"], put.json["left_nano_usd"], put.json["spent_nano_usd"]) == (
            10_000,
            10_000,
            0,
        )
        ask = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
        tags = {"x-breakeven-tags": "project=atlas"}
        path = "/v1/chat/completions"
        refused = await served.ask("POST", path, ask, key=served.key, headers=tags)
        assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
        await served.admin("PUT", "/admin/budgets", {**body, "usd": "1"})
        answered = await served.ask("POST", path, ask, key=served.key, headers=tags)
        assert answered.status == 200
        state = (await served.admin("GET", f"/admin/budgets/{put.json['budget_id']}")).json
        assert state["spent_nano_usd"] == int(answered.headers["x-breakeven-cost-nano-usd"]) > 0
        assert state["left_nano_usd"] == 10**9 - state["spent_nano_usd"]
        assert state["reserved_nano_usd"] == 0
        removed = await served.admin("DELETE", f"/admin/budgets/{put.json['budget_id']}")
        assert removed.status == 200
        assert (await served.admin("GET", f"/admin/budgets/{put.json['budget_id']}")).status == 404
        assert (await served.admin("DELETE", f"/admin/budgets/{put.json['budget_id']}")).status == 404

    run(tmp_path, check)


def test_a_budget_that_nothing_could_count_against_is_refused(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        for tenant, scope in (
            ("acme", "tenant:other"),
            ("acme", "key:key_unknown"),
            ("other", f"key:{served.key_id}"),
        ):
            put = await served.admin("PUT", "/admin/budgets", {"tenant": tenant, "scope": scope, "usd": "1"})
            assert (put.status, put.json["error"]["code"]) == (422, "invalid_request")
        assert (await served.admin("GET", "/admin/budgets")).json["budgets"] == []

    run(tmp_path, check)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/admin/keys", {"tenant": "acme", "unknown": 1}, 400),
        ("POST", "/admin/keys", {"tenant": ""}, 400),
        ("POST", "/admin/keys", {"tenant": "a\nb"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme\n"}, 400),
        ("POST", "/admin/keys", {"tenant": "x" * 201}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "requests_per_minute": 0}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "requests_per_minute": True}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": 0.5}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": "-1"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": "1e3"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": "NaN"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": "1.0000000001"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "max_usd_per_request": "٣"}, 400),
        ("POST", "/admin/keys", {"tenant": "acme", "tags": ["no-value"]}, 400),
        ("POST", "/admin/keys", b"{", 400),
        ("POST", "/admin/keys", b"", 400),
        ("POST", "/admin/keys", b'{"tenant": "\\ud800"}', 400),
        ("POST", "/admin/keys", b'{"tenant": "a", "parallel_requests": 1e400}', 400),
        ("POST", "/admin/keys", b'{"tenant": "a", "parallel_requests": 1e300}', 400),
        ("POST", "/admin/keys", b'{"tenant": "a", "parallel_requests": ' + b"9" * 5_000 + b"}", 400),
        ("GET", "/admin/keys/%ff%00%ed%a0%80", None, 404),
        ("GET", "/admin/keys?tenant=%ff%00", None, 400),
        ("GET", "/admin/keys?" + "&".join(f"a{n}=1" for n in range(200)), None, 400),
        ("POST", "/admin/keys", b"[" * 50_000, 400),
        ("POST", "/admin/keys", b'"' + b"x" * 70_000 + b'"', 413),
        ("POST", "/admin/keys", {"tenant": "acme", "budget": {"usd": "1", "timezone": "Mars/Olympus"}}, 422),
        ("POST", "/admin/keys", {"tenant": "acme", "budget": {"usd": "1", "window": "9999d"}}, 422),
        ("PUT", "/admin/budgets", {"tenant": "acme", "scope": "planet:mars", "usd": "1"}, 400),
        ("PUT", "/admin/budgets", {"tenant": "acme", "scope": "user:a", "usd": "1", "alert_frac": 2}, 400),
        ("GET", "/admin/keys?unknown=1", None, 400),
        ("GET", "/admin/keys?limit=0", None, 400),
        ("GET", "/admin/keys/key_unknown", None, 404),
        ("PATCH", "/admin/keys/key_unknown", {}, 404),
        ("DELETE", "/admin/keys/key_unknown", None, 404),
        ("GET", "/admin/totals?by=planet", None, 422),
        ("GET", "/admin/totals?by=tag:%27%29%3B--", None, 200),
        ("GET", "/admin/totals?since=yesterday", None, 400),
        ("GET", "/admin/totals?timezone=Mars", None, 422),
        ("GET", "/admin/requests/req_unknown", None, 404),
        ("GET", "/admin/nothing", None, 404),
        ("PUT", "/admin/keys", {}, 405),
    ],
)
def test_input_is_read_strictly(tmp_path: Path, method: str, path: str, body: Any, status: int) -> None:
    async def check(served: Served) -> None:
        heard = await served.admin(method, path, body)
        assert heard.status == status, heard.body
        if status >= 400:
            assert set(heard.json["error"]) == {"message", "type", "code"}
        if status == 405:
            assert heard.headers["allow"] == "GET, POST"

    run(tmp_path, check)


def test_a_request_has_all_its_attempts_and_the_sum_of_their_costs(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        fake = served.upstreams["fake"]
        fake.answering = in_turn(gives(503, b"{}"), says(input_tokens=7, output_tokens=3))
        answered = await served.chat()
        request_id = answered.headers["x-breakeven-request-id"]
        found = (await served.admin("GET", f"/admin/requests/{request_id}")).json
        attempts = found["attempts"]
        assert [(each["attempt"], each["http_status"]) for each in attempts] == [(1, 503), (2, 200)]
        assert found["cost_nano_usd"] == sum(each["nano_usd"] for each in attempts)
        assert found["outcome"] == attempts[-1]["outcome"]
        assert found["decision"] == answered.headers["x-breakeven-decision"]
        assert found["cost_nano_usd"] == int(answered.headers["x-breakeven-cost-nano-usd"]) > 0
        fake.answering = breaks()  # it may have been billed, so it is estimated, and not asked again
        failed = await served.chat()
        assert failed.status == 502
        found = (await served.admin("GET", f"/admin/requests/{failed.headers['x-breakeven-request-id']}")).json
        assert found["cost_nano_usd"] == int(failed.headers["x-breakeven-cost-nano-usd"]) > 0

    run(tmp_path, check)


def test_a_request_is_there_as_soon_as_its_answer_is_and_for_its_own_key_only(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        other = (await served.admin("POST", "/admin/keys", {"tenant": "acme"})).json["key"]
        for _ in range(20):
            request_id = (await served.chat()).headers["x-breakeven-request-id"]
            page = f"/admin/requests/{request_id}"
            assert (await served.ask("GET", page, key=served.key)).json["request_id"] == request_id
            assert (await served.ask("GET", page, key=other)).status == 404

    run(tmp_path, check)


def test_totals_are_the_ledgers(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        costs = [int((await served.chat(f"{n}")).headers["x-breakeven-cost-nano-usd"]) for n in range(3)]
        assert await served.ledger.flush()
        totals = (await served.admin("GET", "/admin/totals?by=tenant,user&since=2020-01-01T00:00:00")).json
        (row,) = totals["rows"]
        assert (row["tenant"], row["user"], row["requests"]) == ("acme", "alice", 3)
        assert row["nano_usd"] == sum(costs)
        assert (await served.admin("GET", "/admin/totals?until=2020-01-01T00:00:00Z")).json["rows"][0]["requests"] == 0

    run(tmp_path, check)


def test_upstreams_are_told_without_their_secrets(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        await served.chat()
        told = (await served.admin("GET", "/admin/upstreams")).json["upstreams"]
        assert [each["name"] for each in told] == ["fake"]
        (deployment,) = told[0]["deployments"]
        assert (deployment["model"], deployment["breaker"], deployment["requests_under_way"]) == (MODEL, "closed", 0)

    run(tmp_path, check)


def test_a_wrong_configuration_is_not_taken_and_the_answer_says_why(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        served.tables["models"] = [{"name": MODEL, "targets": [{"upstream": "nowhere"}]}]
        refused = await served.admin("POST", "/admin/reload")
        assert refused.status == 422
        assert "nowhere" in refused.json["error"]["message"]
        assert (await served.chat()).status == 200
        served.tables["upstreams"].append({"name": "second", "url": "http://127.0.0.1:9"})
        served.tables["models"] = [{"name": "no-price", "targets": [{"upstream": "second"}]}]
        refused = await served.admin("POST", "/admin/reload")
        assert (refused.status, refused.json["error"]["code"]) == (422, "invalid_configuration")
        assert [each["name"] for each in (await served.admin("GET", "/admin/upstreams")).json["upstreams"]] == ["fake"]
        del served.tables["upstreams"][1]
        served.tables["models"] = [{"name": "small", "targets": [{"upstream": "fake", "model": MODEL}]}]
        assert (await served.admin("POST", "/admin/reload")).json == {"upstreams": ["fake"]}
        assert (await served.chat(model="small")).status == 200

    run(tmp_path, check)


def test_keys_are_listed_by_pages(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        made = [(await served.admin("POST", "/admin/keys", {"tenant": "paged"})).json["key_id"] for _ in range(5)]
        found: list[str] = []
        after = ""
        while page := (await served.admin("GET", f"/admin/keys?tenant=paged&limit=2{after}")).json["keys"]:
            found += [each["key_id"] for each in page]
            after = f"&after={found[-1]}"
        assert sorted(found) == sorted(made)

    run(tmp_path, check)
