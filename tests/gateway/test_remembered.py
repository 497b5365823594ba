"""Answers that are given again: the same, at once, for nothing, and only to who asked the same of the same tenant."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from breakeven.cli.main import breakeven
from gateway.live import ADMIN, assert_one_number, cost_nano_usd
from gateway.mock_upstream import CHEAP_MODEL, MODEL, Order
from gateway.remembering import remembering, remembering_here, run, without_cost


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_answer_is_the_first_and_costs_nothing(tmp_path: Path, stream: bool) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", gap_s=0.01)
            first = await between.chat(order, stream=stream)
            again = await between.chat(order, stream=stream)
            assert (first.whole, again.whole, between.mock.seen["a"]) == (True, True, 1)
            assert without_cost(again) == without_cost(first)
            assert (first.cost_nano_usd, again.cost_nano_usd) == (cost_nano_usd(order), 0)
            assert first.headers["x-breakeven-cache"] == "miss"
            assert again.headers["x-breakeven-cache"] == "hit"
            assert again.headers["x-breakeven-decision"] == f"{MODEL}@dear; response_cache"
            assert again.headers["cache-control"] == "private, no-store"
            assert int(again.headers["age"]) >= 0
            assert again.headers["content-type"] == first.headers["content-type"]
            assert again.request_id != first.request_id
            bought, given = await between.rows()
            assert (bought["served_from"], given["served_from"]) == ("upstream", "response_cache")
            assert given["request_id"] == again.request_id
            assert (given["list_nano_usd"], given["effective_nano_usd"]) == (0, 0)
            assert given["baseline_nano_usd"] == bought["effective_nano_usd"] == cost_nano_usd(order)
            assert (given["input_tokens"], given["output_tokens"], given["usage_basis"]) == (0, 0, "none")
            saved = between.live.cli("ledger", "totals", "--by", "served_from")["saved"]
            assert saved["response_cache"]["nano_usd"] == cost_nano_usd(order)
            assert await assert_one_number(between.live) == cost_nano_usd(order)

    run(scenario)


def test_a_stream_comes_again_event_by_event(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", chunks=30, gap_s=0.003)
            await between.chat(order, stream=True)
            again = await between.chat(order, stream=True)
            assert again.events == 30
            assert between.mock.seen["a"] == 1

    run(scenario)


def test_a_whole_answer_is_not_given_for_a_stream_nor_the_other_way(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            for stream in (False, True, False, True):
                told = await between.chat(Order(name="a"), stream=stream)
                assert told.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
            assert between.mock.seen["a"] == 2

    run(scenario)


def test_two_tenants_with_the_same_body_are_two_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            other = between.live.new_key("bob", tenant="globex")
            mine = between.live.new_key("carol")
            first = await between.chat(Order(name="a"), key=mine)
            theirs = await between.chat(Order(name="a"), key=other)
            assert (first.headers["x-breakeven-cache"], theirs.headers["x-breakeven-cache"]) == ("miss", "miss")
            assert between.mock.seen["a"] == 2
            for key in (mine, other, between.live.new_key("dave")):  # within a tenant, keys share
                assert (await between.chat(Order(name="a"), key=key)).headers["x-breakeven-cache"] == "hit"
            assert between.mock.seen["a"] == 2

    run(scenario)


def test_what_is_not_deterministic_passes_by(tmp_path: Path) -> None:
    bodies: list[dict[str, Any]] = [{"temperature": 0.7}, {"temperature": None}, {"n": 2}, {"logprobs": True}]

    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            for body in [*bodies, {"store": True}] * 2:
                told = await between.chat(Order(name="a"), **body)
                assert (told.status, told.headers["x-breakeven-cache"]) == (200, "bypass")
            assert between.mock.seen["a"] == 10

    run(scenario)


def test_without_a_cache_nothing_is_said_of_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, config="") as between:
            for _ in range(2):
                assert "x-breakeven-cache" not in (await between.chat(Order(name="a"))).headers
            assert between.mock.seen["a"] == 2
            assert not list(tmp_path.glob("*cache*"))

    run(scenario)


def test_cache_control_is_heeded(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:

            async def asked(control: str) -> tuple[int, str]:
                told = await between.chat(Order(name="a"), headers={"cache-control": control})
                return told.status, told.headers.get("x-breakeven-cache", "")

            assert await asked("only-if-cached") == (504, "")
            assert await asked("no-store") == (200, "bypass")
            assert await asked("max-age=60") == (200, "miss")
            assert await asked("max-age=60") == (200, "hit")
            assert await asked("only-if-cached") == (200, "hit")
            await asyncio.sleep(0.01)
            assert await asked("max-age=0") == (200, "miss")
            assert await asked("no-cache") == (200, "miss")
            assert between.mock.seen["a"] == 4
            assert await asked("") == (200, "hit")
            assert "cache-control" not in between.mock.bodies[-1]

    run(scenario)


def test_a_hit_needs_no_budget(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a")
            await between.chat(order)
            between.live.budget("user:alice", 1)
            await asyncio.sleep(0.1)
            refused = await between.chat(Order(name="b"))
            assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
            for stream in (False, False):
                told = await between.chat(order, stream=stream)
                assert (told.status, told.headers["x-breakeven-cache"], told.cost_nano_usd) == (200, "hit", 0)
            await assert_one_number(between.live)

    run(scenario)


def test_a_hit_counts_against_requests_but_not_tokens_of_a_minute(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            key = between.live.new_key("bob", "--tpm", "100", "--rpm", "4")
            order = Order(name="a", input_tokens=90, output_tokens=30)
            assert (await between.chat(order, key=key)).status == 200  # its tokens are more than were estimated
            for _ in range(2):
                assert (await between.chat(order, key=key)).headers["x-breakeven-cache"] == "hit"
            refused = await between.chat(Order(name="b"), key=key)
            assert (refused.status, refused.json["error"]["message"]) == (
                429,
                "this key is at its limit of tokens a minute",
            )
            assert (await between.chat(order, key=key)).headers["x-breakeven-cache"] == "hit"
            refused = await between.chat(order, key=key)
            assert refused.json["error"]["message"] == "this key is at its limit of requests a minute"

    run(scenario)


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_what_broke_off_is_not_given_again(tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=1) as between:
            for _ in range(2):
                told = await between.chat(Order(name="a", kind=kind, after=2), stream=True)
                assert told.headers["x-breakeven-cache"] == "miss"
                assert b"upstream_broke_off" in told.body
            assert between.mock.seen["a"] == 2

    run(scenario)


def test_what_a_client_left_is_kept_once_it_is_whole(tmp_path: Path) -> None:
    """It is heard to its end, since it is billed; who asks again, as clients do, need not buy it again."""

    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", gap_s=0.02, chunks=8)
            await between.chat(order, stream=True, leave_after_events=2)
            await between.rows()
            told = await between.chat(order, stream=True)
            assert (told.headers["x-breakeven-cache"], told.events, told.whole) == ("hit", 8, True)
            assert between.mock.seen["a"] == 1

    run(scenario)


def test_a_truncated_answer_is_not_given_again(tmp_path: Path) -> None:
    answer = {
        "id": "x",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "words"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }

    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            order = Order(name="a", kind="raw", raw=json.dumps(answer))
            for _ in range(2):
                assert (await between.chat(order)).headers["x-breakeven-cache"] == "miss"
            assert between.mock.seen["a"] == 2

    run(scenario)


@pytest.mark.parametrize("name", ["event: error", "event:error", "id: 1\r\nevent: error\r"])
def test_a_stream_with_an_event_named_error_is_not_given_again(tmp_path: Path, name: str) -> None:
    said = 'data: {"choices": [{"index": 0, "delta": {"content": "words"}, "finish_reason": %s}]}'
    end = "\r\n\r\n" if "\r" in name else "\n\n"
    events = [
        said % "null",
        f'{name}\ndata: {{"message": "overloaded"}}',
        said % '"stop"',
        "data: [DONE]",
    ]

    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            raw = "".join(event + end for event in events)
            order = Order(name="a", kind="raw", raw=raw, content_type="text/event-stream")
            for _ in range(2):
                assert (await between.chat(order, stream=True)).headers["x-breakeven-cache"] == "miss"
            sound = Order(
                name="b", kind="raw", raw=raw.replace(name, "event: message"), content_type="text/event-stream"
            )
            for known in ("miss", "hit"):
                assert (await between.chat(sound, stream=True)).headers["x-breakeven-cache"] == known

    run(scenario)


def test_an_answer_of_a_fallback_is_not_given_as_the_models_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path, max_attempts=2) as between:
            order = Order(name="a", fails=1, status=500)
            told = await between.chat(order, model="with-fallback")
            assert told.headers["x-breakeven-decision"].startswith(CHEAP_MODEL)
            told = await between.chat(order, model="with-fallback")
            assert told.headers["x-breakeven-cache"] == "miss"
            assert (await between.chat(order, model="with-fallback")).headers["x-breakeven-cache"] == "hit"

    run(scenario)


def test_what_is_remembered_survives_a_kill_and_each_hit_has_one_row(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            order = Order(name="a")
            told = [await between.chat(order, stream=True)]
            await asyncio.sleep(1.0)  # the store writes behind
            for _ in range(3):
                told += await asyncio.gather(*(between.chat(order, stream=True) for _ in range(8)))
                between.live.kill()
                between.live.start()
            told.append(await between.chat(order, stream=True))
            assert between.mock.seen["a"] == 1
            assert {each.headers["x-breakeven-cache"] for each in told[1:]} == {"hit"}
            rows = await between.rows()
            assert sorted(row["request_id"] for row in rows) == sorted(each.request_id for each in told)
            assert sum(row["effective_nano_usd"] for row in rows) == cost_nano_usd(order)
            await assert_one_number(between.live)

    run(scenario)


def test_a_broken_cache_is_only_a_miss(tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "ledger-cache.db").write_bytes(b"no database at all, but long enough to be looked at " * 20)
        async with remembering(tmp_path) as between:
            for _ in range(2):
                told = await between.chat(Order(name="a"))
                assert (told.status, told.headers["x-breakeven-cache"]) == (200, "miss")
            assert "answers are not remembered" in between.live.log

    run(scenario)


def test_a_flush_forgets(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering_here(tmp_path) as between:
            await between.chat(Order(name="a"))
            await asyncio.sleep(0.5)
            flush = ("cache", "flush", "--tenant", "acme", "--cache", str(tmp_path / "ledger-cache.db"))
            assert CliRunner().invoke(breakeven, flush).exit_code == 0
            await asyncio.sleep(0.6)
            assert (await between.chat(Order(name="a"))).headers["x-breakeven-cache"] == "miss"

    run(scenario)


def test_the_switch_is_heeded_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            live, order = between.live, Order(name="a")
            await between.chat(order)

            async def reloaded(config: str) -> str:
                (tmp_path / "breakeven.toml").write_text(config, "utf-8")
                assert (await live.ask("POST", "/admin/reload", {}, key=ADMIN)).status == 200
                return (await between.chat(order)).headers.get("x-breakeven-cache", "none")

            assert await reloaded(live.config.replace("enabled = true", "enabled = false")) == "none"
            assert await reloaded(live.config) == "hit"
            always = live.config.replace(f'name = "{MODEL}"', f'name = "{MODEL}"\ncache = {{ mode = "off" }}')
            assert await reloaded(always) == "none"
            always = always.replace('"off"', '"always"')
            assert await reloaded(always) == "hit"
            assert [(await between.chat(order, temperature=1)).headers["x-breakeven-cache"] for _ in "12"] == [
                "miss",
                "hit",
            ]
            assert await reloaded(live.config.replace("enabled = true", "enabled = true\nttl_s = 0.001")) == "miss"
            assert "started again" not in live.log
            await reloaded(live.config.replace("enabled = true", 'enabled = true\nfile = "other.db"'))
            assert "[cache]: its place and sizes take effect when the gateway is started again" in live.log

    run(scenario)


def test_tools_that_are_no_longer_pure_are_called_by_no_remembered_answer(tmp_path: Path) -> None:
    call = {"id": "call_123456789", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}

    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            live = between.live
            order = Order(name="a", kind="raw", raw=json.dumps({"object": "chat.completion", "choices": [choice]}))

            async def told(pure: str) -> list[str]:
                lines = f'name = "{MODEL}"\ncache = {{ pure_tools = {pure} }}'
                (tmp_path / "breakeven.toml").write_text(live.config.replace(f'name = "{MODEL}"', lines), "utf-8")
                assert (await live.ask("POST", "/admin/reload", {}, key=ADMIN)).status == 200
                return [(await between.chat(order)).headers["x-breakeven-cache"] for _ in range(2)]

            assert await told("true") == ["miss", "hit"]
            assert await told("false") == ["miss", "miss"]

    run(scenario)


def test_a_store_that_cannot_be_used_is_told_in_the_log(tmp_path: Path) -> None:
    """Whoever looks why nothing is remembered finds it there: once, not for each request."""

    async def scenario() -> None:
        async with remembering(tmp_path) as between:
            for name in ("ledger-cache.db", "ledger-cache.db-wal", "ledger-cache.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / "ledger-cache.db").mkdir()
            for number in range(100):
                told = await between.chat(Order(name=f"{number}"))
                assert (told.status, told.headers["x-breakeven-cache"]) == (200, "miss")
                if "the cache cannot be used now" in between.live.log:
                    break
                await asyncio.sleep(0.05)
            await between.chat(Order(name="z"))
            assert between.live.log.count("the cache cannot be used now") == 1

    run(scenario)
