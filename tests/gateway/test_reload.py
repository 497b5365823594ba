"""A new configuration: what holds at once, what is let go, and when."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from breakeven.gateway.config import TAKEN_AT_ONCE, GatewaySettings
from breakeven.upstreams.upstream import Receiver
from conftest import REPOSITORY
from gateway.serving import MODEL, Answering, FakeUpstream, Served, gives, in_turn, says, serving


def run(folder: Path, check: Callable[[Served], Awaitable[None]], answering: Answering | None = None) -> None:
    async def scenario() -> None:
        async with serving(folder, answering) as served:
            await check(served)

    asyncio.run(scenario())


class Watched(FakeUpstream):
    """Says whether it is closed; answers once it is let go."""

    def __init__(self, name: str, *, waits: bool = False) -> None:
        super().__init__(name, self._answer)
        self.closed = False
        self.go = asyncio.Event()
        self.asked = asyncio.Event()
        if not waits:
            self.go.set()

    def _answer(self, receiver: Receiver, body: bytes) -> None:
        self.asked.set()
        task = asyncio.ensure_future(self.go.wait())
        task.add_done_callback(lambda _: says()(receiver, body))

    async def close(self) -> None:
        self.closed = True


def replaced(served: Served, upstream: FakeUpstream | None = None) -> FakeUpstream:
    """The next reload makes another upstream of the same name; this is the former one."""
    former = served.upstreams.pop("fake")
    if upstream is not None:
        served.upstreams["fake"] = upstream
    served.tables["upstreams"][0]["url"] += "0"
    return former


async def reload(served: Served) -> None:
    assert (await served.admin("POST", "/admin/reload")).status == 200


# -- upstreams --------------------------------------------------------------------------------------------------------


def test_an_upstream_that_is_replaced_is_closed_when_its_last_request_has_ended(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        first, second = Watched("fake", waits=True), Watched("fake", waits=True)
        replaced(served, first)
        await reload(served)
        early = asyncio.create_task(served.chat())
        await first.asked.wait()
        replaced(served, second)
        await reload(served)
        late = asyncio.create_task(served.chat())
        await second.asked.wait()
        await served.gateway.tidy()
        assert not first.closed, "a request of the former configuration is under way"
        first.go.set()
        assert (await early).status == 200
        await served.gateway.tidy()
        assert first.closed, "the request that is still under way began later, and cannot use it"
        assert not second.closed
        second.go.set()
        assert (await late).status == 200
        await served.gateway.tidy()
        assert not second.closed, "it is the present one"

    run(tmp_path, check)


def test_an_upstream_stays_open_between_the_attempts_of_a_request(tmp_path: Path) -> None:
    """Nothing is under way there, but the request will send to it again."""

    async def check(served: Served) -> None:
        first = Watched("fake")
        first.answering = in_turn(gives(503, b"{}"), says())
        replaced(served, first)
        await reload(served)
        asked = asyncio.create_task(served.chat())
        while not first.bodies:
            await asyncio.sleep(0)
        replaced(served)
        await reload(served)
        await served.gateway.tidy()
        assert (first.closed, len(first.bodies)) == (False, 1)
        assert (await asked).status == 200
        assert len(first.bodies) == 2
        await served.gateway.tidy()
        assert first.closed

    run(tmp_path, check)


def test_an_upstream_that_is_kept_is_not_closed(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        first = Watched("fake")
        replaced(served, first)
        await reload(served)
        served.tables["models"] = [{"name": "small", "targets": [{"upstream": "fake", "model": MODEL}]}]
        await reload(served)
        await served.gateway.tidy()
        assert not first.closed
        assert (await served.chat(model="small")).status == 200
        served.tables["models"] = [{"name": "small", "targets": [{"upstream": "nowhere"}]}]
        replaced(served)
        assert (await served.admin("POST", "/admin/reload")).status == 422
        await served.gateway.tidy()
        assert not first.closed, "what is wrong changes nothing"

    run(tmp_path, check)


def test_what_is_not_closed_yet_is_closed_at_the_end(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        first, second = Watched("fake"), Watched("fake")
        for upstream in (first, second):
            replaced(served, upstream)
            await reload(served)
        await served.gateway._upstreams.close()
        assert (first.closed, second.closed) == (True, True)

    run(tmp_path, check)


# -- the state of deployments -----------------------------------------------------------------------------------------


def models_at(*models: str) -> list[dict[str, Any]]:
    targets = [{"upstream": "fake", "model": model} for model in models]
    return [{"name": "house", "targets": targets[:1], "fallbacks": targets[1:]}]


def test_states_of_deployments_that_no_route_has_any_more_are_forgotten(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        states = served.gateway.pipeline.shared.deployments.states
        served.tables["upstreams"][0] |= {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
        served.tables["models"] = models_at("a", "b")
        await reload(served)
        for model in ("house", MODEL):
            assert (await served.chat(model=model)).status == 200
        kept = states["fake", "a"]
        await served.gateway.tidy()
        assert set(states) == {("fake", "a"), ("fake", MODEL)}
        served.tables["models"] = models_at("c", "a")
        served.tables["upstreams"][0]["models"] = []
        await reload(served)
        await served.gateway.tidy()
        assert set(states) == {("fake", "a")}
        assert states["fake", "a"] is kept, "its breaker and what it has left are still known"

    run(tmp_path, check)


def test_the_state_of_a_deployment_with_a_request_under_way_is_kept_until_it_ends(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        states = served.gateway.pipeline.shared.deployments.states
        slow = Watched("fake", waits=True)
        replaced(served, slow)
        await reload(served)
        asked = asyncio.create_task(served.chat())
        await slow.asked.wait()
        served.tables["upstreams"][0]["models"] = ["gpt-4o"]
        await reload(served)
        await served.gateway.tidy()
        assert states["fake", MODEL].in_flight == 1
        slow.go.set()
        assert (await asked).status == 200
        await served.gateway.tidy()
        assert dict(states) == {}

    run(tmp_path, check)


def test_names_that_clients_make_up_leave_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upstream with a price of its own is asked for any name."""
    monkeypatch.setattr("breakeven.pipeline.routes._MOST_RESOLVED", 5)

    async def check(served: Served) -> None:
        served.tables["upstreams"][0] |= {"models": [], "input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
        await reload(served)
        for number in range(40):
            assert (await served.chat(model=f"made-up-{number}")).status == 404
        await served.gateway.tidy()
        assert len(served.gateway.pipeline.shared.deployments.states) <= 5

    run(tmp_path, check, gives(404, b'{"error": {"message": "no such model"}}'))


# -- [gateway] --------------------------------------------------------------------------------------------------------


def test_settings_that_can_hold_at_once_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        upstream = served.upstreams["fake"]
        assert (await served.chat()).status == 503
        assert len(upstream.bodies) == 3
        changed = {"max_attempts": 2, "budget_wait_s": 0.5, "drain_after_disconnect_s": 1.5, "retry_within_s": 9.0}
        of_routes = {"prompt_cache": "off", "prompt_cache_ttl": "1h", "reduce": "off"}
        served.tables["gateway"] = changed | of_routes | {"retention_days": 30, "metrics_public": True}
        assert set(served.tables["gateway"]) == set(TAKEN_AT_ONCE)
        upstream.bodies.clear()
        forwarded = {"x-forwarded-for": "192.0.2.7"}
        assert (await served.ask("GET", "/metrics", headers=forwarded)).status == 401
        await reload(served)
        assert (await served.chat()).status == 503
        assert len(upstream.bodies) == 2
        assert (await served.ask("GET", "/metrics", headers=forwarded)).status == 200
        [target] = served.gateway.pipeline.shared.routes.targets
        rules = target.body_rules
        assert (rules.marks_cache, rules.cache_ttl, rules.minifies_json) == (False, "1h", False)
        shared = served.gateway.pipeline.shared
        assert (shared.settings.budget_wait_s, shared.settings.drain_after_disconnect_s) == (0.5, 1.5)
        assert shared.deployments.retry_within_s == 9.0
        assert served.gateway._housekeeping.retention_days == 30
        served.tables["gateway"] = {}
        await reload(served)
        assert (await served.ask("GET", "/metrics", headers=forwarded)).status == 401
        assert served.gateway._housekeeping.retention_days is None
        assert "started again" not in caplog.text

    run(tmp_path, check, gives(503, b"{}"))


def test_a_budget_that_is_held_is_waited_for_as_long_as_the_new_configuration_says(tmp_path: Path) -> None:
    async def check(served: Served) -> None:
        slow = Watched("fake", waits=True)
        replaced(served, slow)
        await reload(served)
        budget = {"scope": "user:alice", "tenant": "acme", "usd": "0.0002", "window": "total"}
        assert (await served.admin("PUT", "/admin/budgets", budget)).status == 200
        first = asyncio.create_task(served.chat())
        await slow.asked.wait()
        served.tables["gateway"] = {"budget_wait_s": 0.0}
        await reload(served)
        held = await asyncio.wait_for(served.chat(), 10)
        assert (held.status, held.json["error"]["code"]) == (429, "budget_held")
        slow.go.set()
        assert (await first).status == 200

    run(tmp_path, check)


def test_settings_that_must_wait_are_named_and_stay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(served: Served) -> None:
        served.tables["gateway"] = {"max_body_bytes": 100, "otlp_endpoint": "http://127.0.0.1:4318", "max_attempts": 1}
        with caplog.at_level(logging.WARNING):
            await reload(served)
        [told] = [record.getMessage() for record in caplog.records if "started again" in record.getMessage()]
        assert told == "[gateway]: max_body_bytes, otlp_endpoint: take effect when the gateway is started again"
        assert (await served.chat("Hi " * 100)).status == 200
        caplog.clear()
        await reload(served)
        assert "max_body_bytes" in caplog.text, "it is still so"
        caplog.clear()
        served.tables["gateway"] = {}
        await reload(served)
        assert "started again" not in caplog.text

    run(tmp_path, check)


def test_the_page_marks_those_that_hold_at_once() -> None:
    page = (REPOSITORY / "docs/how-to/serve.md").read_text("utf-8").partition("### `[gateway]`")[2]
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    assert {row.strip("| `*") for row in rows if row.endswith("*")} == set(TAKEN_AT_ONCE)
    assert {row.strip("| `*") for row in rows} == set(GatewaySettings.__struct_fields__)
