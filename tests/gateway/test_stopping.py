"""Stopping and reloading under load: what is under way is answered, what is new is refused, nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

from gateway.live import Live, assert_one_number, configuration, cost_nano_usd
from gateway.mock_upstream import Order, mock_upstream


def test_sigterm_under_load_answers_what_is_under_way_and_exits_in_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mock_upstream() as mock:
            with Live(folder=tmp_path, config=configuration(mock.url, shutdown_s=5.0)) as live:
                live.new_key()
                live.budget("tenant:acme", 10**12)
                live.start()
                order = Order(delay_s=0.3, gap_s=0.05)
                under_way = [asyncio.create_task(live.chat(order, stream=bool(n % 2))) for n in range(60)]
                gone = [asyncio.create_task(live.chat(order, stream=True, leave_after_s=0.2)) for _ in range(10)]
                while mock.under_way < 70:
                    await asyncio.sleep(0.01)
                began = time.monotonic()
                live.signal(signal.SIGTERM)
                await asyncio.sleep(0.05)
                late = await live.chat(order)
                assert late.status in {0, 503}
                told = await asyncio.gather(*under_way)
                await asyncio.gather(*gone)
                assert live.process is not None
                assert await asyncio.to_thread(live.process.wait, 10) == 0
                assert time.monotonic() - began < 5.0
                assert Counter((each.status, each.whole) for each in told) == {(200, True): 60}
                rows = {row["request_id"]: row for row in live.rows()}
                assert len(rows) == 70
                assert all(rows[each.request_id]["effective_nano_usd"] == each.cost_nano_usd for each in told)
                assert {row["outcome"] for row in rows.values()} == {"ok"}
                assert not list(tmp_path.glob("*.journal.*"))
                live.start()
                assert await assert_one_number(live) == 70 * cost_nano_usd(order)

    asyncio.run(scenario())


def test_what_never_ends_is_settled_by_an_estimate_when_time_is_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mock_upstream() as mock:
            config = configuration(mock.url, timeout_s=60.0, shutdown_s=0.5)
            with Live(folder=tmp_path, config=config) as live:
                live.new_key()
                live.budget("tenant:acme", 10**12)
                live.start()
                kinds = [Order(kind="hang"), Order(kind="hang", after=2)]
                asked = [asyncio.create_task(live.chat(kinds[n % 2], stream=bool(n % 2))) for n in range(10)]
                while mock.under_way < 10:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                began = time.monotonic()
                live.signal(signal.SIGTERM)
                assert live.process is not None
                assert await asyncio.to_thread(live.process.wait, 10) == 0
                assert time.monotonic() - began < 3.0
                await asyncio.gather(*asked)
                rows = live.rows()
                assert len(rows) == 10
                assert all(row["usage_basis"] == "estimated" and row["effective_nano_usd"] > 0 for row in rows)
                live.start()
                await assert_one_number(live)

    asyncio.run(scenario())


def test_sighup_under_load_takes_a_good_configuration_and_keeps_on_with_a_bad_one(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mock_upstream() as mock:
            config = configuration(mock.url)
            with Live(folder=tmp_path, config=config) as live:
                live.new_key()
                live.budget("tenant:acme", 10**12)
                live.start()
                file = tmp_path / "breakeven.toml"
                order = Order(delay_s=0.002)
                stop = asyncio.Event()
                told = []

                async def ask_on() -> None:
                    while not stop.is_set():
                        told.append(await live.chat(order, stream=len(told) % 2 == 1))

                asking = [asyncio.create_task(ask_on()) for _ in range(8)]
                bad = (
                    "this is no toml [",
                    "[gateway]\nshutdown_s = 'soon'\n",
                    "[gateway]\nno_such_key = 1\n",
                    config.replace('upstream = "dear"', 'upstream = "gone"'),
                    config.replace("input_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n", ""),
                )
                for number, text in enumerate(bad, start=1):
                    assert text != config
                    file.write_text(text, "utf-8")
                    live.signal(signal.SIGHUP)
                    await _logged(live, "the configuration is not taken", number)
                dearer = config.replace(
                    "input_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n",
                    "input_usd_per_mtok = 10\noutput_usd_per_mtok = 20\n",
                )
                assert dearer != config
                before = await live.chat(order)
                file.write_text(dearer, "utf-8")
                live.signal(signal.SIGHUP)
                await _logged(live, "the configuration was read again", 1)
                after = await live.chat(order)
                file.unlink()
                live.signal(signal.SIGHUP)
                await asyncio.sleep(0.2)
                stop.set()
                await asyncio.gather(*asking)
                assert (before.cost_nano_usd, after.cost_nano_usd) == (cost_nano_usd(order), 10 * cost_nano_usd(order))
                assert Counter((each.status, each.whole) for each in told) == {(200, True): len(told)}
                assert len(told) > 50
                whole = sum(each.cost_nano_usd or 0 for each in (*told, before, after))
                await assert_one_number(live, whole)
                assert live.stop() == 0

    asyncio.run(scenario())


async def _logged(live: Live, message: str, times: int) -> None:
    async with asyncio.timeout(5):
        while live.log.count(message) < times:
            await asyncio.sleep(0.01)
