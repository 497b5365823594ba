"""A gateway that is told to stop: what is under way ends, is settled in its time, or at once by a second signal."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from pathlib import Path
from typing import Any

from gateway.live import ADMIN, Live, configuration
from gateway.mock_upstream import Order, mock_upstream

ENDLESS = Order(name="endless", chunks=2_000, gap_s=0.05)
SHORT = Order(name="short", chunks=8, gap_s=0.1, output_tokens=8)


async def stopped_while(
    folder: Path, order: Order, *signals: signal.Signals, **gateway: Any
) -> tuple[float, list[dict[str, Any]]]:
    """Stop a gateway by these signals while it streams; the seconds until it ended well, and the ledger's rows."""
    async with mock_upstream() as mock:
        with Live(folder=folder, config=configuration(mock.url, timeout_s=60.0, **gateway)) as live:
            live.new_key()
            live.start()
            asking = asyncio.create_task(live.chat(order, stream=True))
            while not mock.seen:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            began = time.monotonic()
            for number in signals:
                live.signal(number)
                await asyncio.sleep(0.2)
            assert live.process is not None
            assert await asyncio.to_thread(live.process.wait, 30) == 0, live.log
            assert "Traceback" not in live.log
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return time.monotonic() - began, live.rows()


def test_what_is_under_way_comes_to_its_end(tmp_path: Path) -> None:
    took_s, (row,) = asyncio.run(stopped_while(tmp_path, SHORT, signal.SIGTERM))
    assert (row["outcome"], row["usage_basis"]) == ("ok", "reported")
    assert took_s < 10


def test_what_does_not_end_in_its_time_is_settled_by_an_estimate(tmp_path: Path) -> None:
    took_s, (row,) = asyncio.run(stopped_while(tmp_path, ENDLESS, signal.SIGTERM, shutdown_s=0.5))
    assert row["usage_basis"] == "estimated"
    assert row["effective_nano_usd"] > 0
    assert 0.5 <= took_s < 10


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    took_s, (row,) = asyncio.run(stopped_while(tmp_path, ENDLESS, signal.SIGINT, signal.SIGINT, shutdown_s=60.0))
    assert row["usage_basis"] == "estimated"
    assert took_s < 10


def test_what_was_found_is_kept_when_the_configuration_is_read_again(tmp_path: Path) -> None:
    """Without a configuration: looking for model servers within the event loop would not even be possible."""

    async def scenario() -> None:
        with Live(folder=tmp_path, config="") as live:
            live.new_key()
            live.start()
            answer = await live.ask("POST", "/admin/reload", key=ADMIN)
            assert answer.status == 200, answer.body
            found = re.search(r"upstreams: ([^;]+);", live.log)
            assert found is not None
            assert answer.json["upstreams"] == found[1].split(", ")
            live.signal(signal.SIGHUP)
            await asyncio.sleep(0.2)
            assert live.stop() == 0
            assert "the configuration was read again" in live.log
            assert "Traceback" not in live.log

    asyncio.run(scenario())
