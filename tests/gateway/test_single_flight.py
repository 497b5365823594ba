"""Identical requests at once: one call upstream, and everybody answered whole, whoever leaves and whatever breaks."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from gateway.live import Told, assert_one_number, cost_nano_usd
from gateway.mock_upstream import CHEAP_MODEL, MODEL, Order
from gateway.remembering import Remembering, remembering, remembering_here, run, without_cost


async def at_once(
    between: Remembering, order: Order, count: int, *, stream: bool, keys: tuple[str, ...] = ("",)
) -> list[Told]:
    return await asyncio.gather(
        *(between.chat(order, stream=stream, key=keys[number % len(keys)]) for number in range(count))
    )


async def under_way(between: Remembering, count: int) -> None:
    """Wait until the gateway has so many requests to answer."""
    until = asyncio.get_running_loop().time() + 10
    while (await between.live.metrics())["breakeven_holds"] < count:
        assert asyncio.get_running_loop().time() < until
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("stream", [False, True])
def test_a_hundred_at_once_are_one_call(tmp_path: Path, stream: bool) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.5, gap_s=0.02, chunks=10)
            keys = (between.live.new_key("bob"), between.live.new_key("carol"))
            told = await at_once(between, order, 100, stream=stream, keys=keys)
            assert between.mock.seen["a"] == 1
            assert all(each.whole and each.status == 200 for each in told)
            assert len({without_cost(each) for each in told}) == 1
            assert len({each.request_id for each in told}) == 100
            assert Counter(each.cost_nano_usd for each in told) == {0: 99, cost_nano_usd(order): 1}
            rows = await between.rows()
            assert {row["request_id"]: row["effective_nano_usd"] for row in rows} == {
                each.request_id: each.cost_nano_usd for each in told
            }
            assert Counter(row["served_from"] for row in rows) == {"upstream": 1, "single_flight": 99}
            assert {row["baseline_nano_usd"] for row in rows} == {cost_nano_usd(order)}
            followers = [each for each in told if each.cost_nano_usd == 0]
            assert {each.headers["x-breakeven-decision"] for each in followers} == {f"{MODEL}@dear; single_flight"}
            assert await assert_one_number(between.live) == cost_nano_usd(order)

    run(scenario)


def test_two_tenants_at_once_are_two_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            keys = (between.live.new_key("alice"), between.live.new_key("bob", tenant="globex"))
            told = await at_once(between, Order(name="a", delay_s=0.3), 20, stream=True, keys=keys)
            assert between.mock.seen["a"] == 2
            assert Counter(each.cost_nano_usd == 0 for each in told) == {True: 18, False: 2}

    run(scenario)


@pytest.mark.parametrize("after_events", [0, 3])
def test_who_asked_first_leaves_and_the_others_are_answered(tmp_path: Path, after_events: int) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.3, gap_s=0.05, chunks=12)
            first = asyncio.create_task(between.chat(order, stream=True, leave_after_s=0.5 if after_events else 0.2))
            await under_way(between, 1)
            others = asyncio.create_task(at_once(between, order, 5, stream=True))
            left = await first
            assert not left.whole
            assert (left.events > 0) == (after_events > 0)
            for told in await others:
                assert (told.whole, told.events, told.cost_nano_usd) == (True, 12, 0)
            assert between.mock.seen["a"] == 1
            rows = await between.rows()
            assert sorted(row["effective_nano_usd"] for row in rows) == [0] * 5 + [cost_nano_usd(order)]
            assert {row["outcome"] for row in rows} == {"ok"}
            await assert_one_number(between.live)

    run(scenario)


def test_who_follows_leaves_and_nothing_changes_for_the_others(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.1, gap_s=0.05, chunks=12)
            first = asyncio.create_task(between.chat(order, stream=True))
            await under_way(between, 1)
            leaving = [asyncio.create_task(between.chat(order, stream=True, leave_after_events=2)) for _ in range(3)]
            staying = asyncio.create_task(at_once(between, order, 3, stream=True))
            await asyncio.gather(*leaving)
            assert [(told.whole, told.events) for told in (await first, *await staying)] == [(True, 12)] * 4
            assert between.mock.seen["a"] == 1
            rows = await between.rows()
            gone = [row for row in rows if row["outcome"] == "client_gone"]
            assert [(row["effective_nano_usd"], row["baseline_nano_usd"]) for row in gone] == [(0, 0)] * 3

    run(scenario)


def test_when_all_leave_it_is_heard_out_and_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.1, gap_s=0.05, chunks=12)
            leaving = [between.chat(order, stream=True, leave_after_events=2) for _ in range(4)]
            await asyncio.gather(*leaving)
            rows = await between.rows()
            assert sum(row["effective_nano_usd"] for row in rows) == cost_nano_usd(order)
            assert (await between.chat(order, stream=True)).headers["x-breakeven-cache"] == "hit"

    run(scenario)


def test_who_comes_late_gets_all_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", gap_s=0.03, chunks=20)
            told = []
            for _ in range(8):
                told.append(asyncio.create_task(between.chat(order, stream=True)))
                await asyncio.sleep(0.06)
            bodies = {without_cost(each) for each in await asyncio.gather(*told)}
            assert (len(bodies), between.mock.seen["a"]) == (1, 1)
            assert bodies.pop().count(b"word ") == 20

    run(scenario)


def test_who_reads_nothing_holds_up_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.2, chunks=60, padding=30_000)
            stalled = [asyncio.create_task(between.live.stalled_chat(order, stay_s=3.0)) for _ in range(2)]
            await under_way(between, 2)
            told = await at_once(between, order, 3, stream=True)
            assert [(each.whole, each.events) for each in told] == [(True, 60)] * 3
            assert not any(task.done() for task in stalled)
            await asyncio.gather(*stalled)

    run(scenario)


@pytest.mark.parametrize("stream", [False, True])
def test_where_a_call_fails_before_anything_came_the_others_get_another(tmp_path: Path, stream: bool) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=1) as between:
            order = Order(name="a", fails=1, delay_s=0.4)
            told = await at_once(between, order, 10, stream=stream)
            assert Counter(each.status for each in told) == {200: 9, 500: 1}
            assert between.mock.seen["a"] == 2
            assert all(each.whole for each in told)
            rows = await between.rows()
            assert Counter(row["served_from"] for row in rows) == {"upstream": 2, "single_flight": 8}
            await assert_one_number(between.live)

    run(scenario)


def test_where_a_stream_breaks_off_its_hearers_are_told_and_the_next_ask_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=1) as between:
            order = Order(name="a", kind="cut", after=3, delay_s=0.3, gap_s=0.05)
            told = await at_once(between, order, 6, stream=True)
            assert between.mock.seen["a"] == 1
            for each in told:
                assert (each.whole, each.events) == (False, 3)
                assert b"upstream_broke_off" in each.body
            rows = await between.rows()
            assert {row["outcome"] for row in rows} == {"failed"}
            assert [row["baseline_nano_usd"] for row in rows if row["served_from"] == "single_flight"] == [0] * 5
            assert (await between.chat(order, stream=True)).headers["x-breakeven-cache"] == "miss"
            await assert_one_number(between.live)

    run(scenario)


def test_where_every_call_fails_each_is_told_what_its_own_said(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=1) as between:
            order = Order(name="a", kind="status", status=400, delay_s=0.2)
            told = await at_once(between, order, 6, stream=False)
            assert {each.status for each in told} == {400}
            assert {row["served_from"] for row in await between.rows()} == {"upstream"}
            await assert_one_number(between.live)

    run(scenario)


def test_who_may_not_pay_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    """The first has no budget, so it is refused; one of those that waited for it pays."""

    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            poor, rich = between.live.new_key("poor"), between.live.new_key("rich")
            between.live.budget("user:poor", 1)
            await asyncio.sleep(0.1)
            told = await at_once(between, Order(name="a", delay_s=0.2), 6, stream=False, keys=(poor, rich))
            assert between.mock.seen["a"] == 1
            assert Counter(each.status for each in told) == {200: 5, 429: 1} or {each.status for each in told} == {200}
            await assert_one_number(between.live)

    run(scenario)


def test_an_answer_of_a_fallback_is_its_own_clients_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=2) as between:
            order = Order(name="a", fails=1, status=500, delay_s=0.2)
            told = await asyncio.gather(*(between.chat(order, stream=True, model="with-fallback") for _ in range(4)))
            served = Counter(each.headers["x-breakeven-decision"].split("@")[0] for each in told)
            assert (served[CHEAP_MODEL], sum(served.values())) == (1, 4)
            assert all(each.whole for each in told)
            assert between.mock.seen["a"] == 3

    run(scenario)


def test_what_passes_by_the_cache_shares_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", delay_s=0.1)
            await asyncio.gather(*(between.chat(order, temperature=1) for _ in range(5)))
            await asyncio.gather(*(between.chat(order, headers={"cache-control": "no-cache"}) for _ in range(5)))
            assert between.mock.seen["a"] == 10

    run(scenario)


def test_a_kill_in_the_middle_leaves_each_request_one_row(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            order = Order(name="a", delay_s=0.1, gap_s=0.2, chunks=20)
            asked = asyncio.create_task(at_once(between, order, 10, stream=True))
            await under_way(between, 10)
            await asyncio.sleep(0.5)
            between.live.kill()
            told = await asked
            between.live.start()
            rows = await between.rows()
            assert sorted(row["request_id"] for row in rows) == sorted(each.request_id for each in told)
            assert sum(row["effective_nano_usd"] > 0 for row in rows) == 1  # the bound of the one call
            assert {row["outcome"] for row in rows} == {"interrupted"}
            await assert_one_number(between.live)

    run(scenario)


@pytest.mark.parametrize("signals", [1, 2])
def test_a_gateway_that_stops_answers_those_that_share_or_tells_them(tmp_path: Path, signals: int) -> None:
    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            order = Order(name="a", gap_s=0.1, chunks=10, delay_s=0.1)
            asked = asyncio.create_task(at_once(between, order, 5, stream=True))
            await under_way(between, 5)
            await asyncio.sleep(0.4)
            for _ in range(signals):
                between.live.signal(signal.SIGTERM)
                await asyncio.sleep(0.1)
            told = await asked
            assert [each.whole for each in told] == [signals == 1] * 5
            between.live.start()
            rows = await between.rows()
            assert sorted(row["request_id"] for row in rows) == sorted(each.request_id for each in told)
            assert sum(row["effective_nano_usd"] > 0 for row in rows) == 1
            assert between.mock.seen["a"] == 1
            await assert_one_number(between.live)

    run(scenario)
