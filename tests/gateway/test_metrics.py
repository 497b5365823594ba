"""/metrics says what the ledger says, at every moment and after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from breakeven.gateway.ledger_counters import GROUPED_BY
from breakeven.ledger.ledger_file import opened
from breakeven.ledger.totals import SAVED, TotalsQuery, totals
from gateway.serving import ADMIN, MODEL, Served, breaks, gives, says, serving, tables_for

COUNTERS = {
    "breakeven_requests_total": "requests",
    "breakeven_attempts_total": "attempts",
    "breakeven_cost_nano_usd_total": "nano_usd",
    "breakeven_list_cost_nano_usd_total": "list_nano_usd",
    "breakeven_baseline_cost_nano_usd_total": "baseline_nano_usd",
}
KINDS = (
    *("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning", "input_audio"),
    *("cache_read_audio", "output_audio", "removed_input"),
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(served: Served) -> Samples:
    heard = await served.ask("GET", "/metrics")
    assert heard.status == 200
    families = text_string_to_metric_families(heard.body.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def counters(found: Samples) -> Samples:
    names = {*COUNTERS, "breakeven_tokens_total", "breakeven_saved_nano_usd"}
    return {place: value for place, value in found.items() if place[0] in names}


def expected(path: Path) -> Samples:
    """The same from the ledger's own totals."""
    with opened(path) as connection:
        rows = totals(connection, TotalsQuery(by=GROUPED_BY))
    samples: Samples = {}
    for row in rows:
        labels = dict(zip(GROUPED_BY, row.group, strict=True))
        for name, column in COUNTERS.items():
            samples[name, frozenset(labels.items())] = getattr(row, column)
        for kind in KINDS:
            place = "breakeven_tokens_total", frozenset({**labels, "kind": kind}.items())
            samples[place] = getattr(row, f"{kind}_tokens")
        for lever, column in SAVED.items():
            samples["breakeven_saved_nano_usd", frozenset({**labels, "lever": lever}.items())] = getattr(row, column)
    return samples


async def assert_equal_to_the_ledger(served: Served) -> float:
    """Every counter of every group, and no group beyond; gives the number of attempts."""
    assert await served.ledger.flush()
    found = counters(await scraped(served))
    assert found == expected(served.path)
    return sum(value for (name, _), value in found.items() if name == "breakeven_attempts_total")


async def some_traffic(served: Served) -> None:
    fake = served.upstreams["fake"]
    await asyncio.gather(*(served.chat(f"{number}") for number in range(5)))
    fake.answering = gives(500, b'{"error": {"message": "no"}}')
    assert (await served.chat()).status == 500
    fake.answering = breaks()
    assert (await served.chat()).status == 502
    fake.answering = says(input_tokens=1_000, output_tokens=77)
    assert (await served.chat()).status == 200


def test_metrics_equal_the_ledgers_totals_also_after_a_restart(tmp_path: Path) -> None:
    async def first() -> float:
        async with serving(tmp_path) as served:
            await some_traffic(served)
            return await assert_equal_to_the_ledger(served)

    async def second() -> float:
        async with serving(tmp_path) as served:
            before = await assert_equal_to_the_ledger(served)
            await some_traffic(served)
            assert await assert_equal_to_the_ledger(served) > before
            return before

    assert asyncio.run(first()) == asyncio.run(second()) > 0


def test_metrics_are_for_this_machine_and_the_admin_key(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            proxied = {"x-forwarded-for": "203.0.113.9"}
            assert (await served.ask("GET", "/metrics", headers=proxied)).status == 401
            assert (await served.ask("GET", "/metrics", headers=proxied, key=served.key)).status == 401
            assert (await served.ask("GET", "/metrics", headers=proxied, key=ADMIN)).status == 200
            assert (await served.ask("GET", "/metrics")).status == 200

    asyncio.run(run())


def test_metrics_may_be_public(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path, tables=tables_for(metrics_public=True)) as served:
            assert (await served.ask("GET", "/metrics", headers={"forwarded": "for=203.0.113.9"})).status == 200

    asyncio.run(run())


def test_gauges_say_what_is_enforced(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            for scope, usd in (("tenant:acme", "2"), ("user:alice", "1"), ("user:bob", "0.5")):
                body = {"tenant": "acme", "scope": scope, "usd": usd, "window": "day"}
                assert (await served.admin("PUT", "/admin/budgets", body)).status == 200
            cost = int((await served.chat()).headers["x-breakeven-cost-nano-usd"])
            await served.chat(model="gpt-unknown")
            assert await served.ledger.flush()
            found = await scraped(served)

            def gauge(name: str, /, **labels: str) -> float:
                return found[f"breakeven_{name}", frozenset(labels.items())]

            own = {"tenant": "acme", "kind": "tenant", "name": "acme", "window": "day"}
            users = {"tenant": "acme", "kind": "user", "name": "", "window": "day"}
            assert gauge("budget_limit_nano_usd", **own) == 2_000_000_000
            assert gauge("budget_spent_nano_usd", **own) == gauge("budget_spent_nano_usd", **users) == cost > 0
            assert gauge("budget_limit_nano_usd", **users) == 1_500_000_000
            assert gauge("budget_reserved_nano_usd", **own) == gauge("holds") == gauge("holds_nano_usd") == 0
            assert gauge("refusals_total", code="model_not_found") == 1
            assert gauge("breaker_state", upstream="fake", model=MODEL, state="closed") == 1
            assert gauge("requests_under_way") == gauge("ledger_backlog_rows") == 0
            assert gauge("ledger_up") == 1
            assert gauge("attempt_duration_seconds_count", model=MODEL, deployment="fake") == 1
            text = (await served.ask("GET", "/metrics")).body.decode()
            assert served.key_id not in text
            assert "alice" not in text

    asyncio.run(run())


def test_openmetrics_is_given_to_who_asks_for_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            heard = await served.ask("GET", "/metrics", headers={"accept": "application/openmetrics-text"})
            assert heard.headers["content-type"].startswith("application/openmetrics-text")
            assert heard.body.endswith(b"# EOF\n")

    asyncio.run(run())
