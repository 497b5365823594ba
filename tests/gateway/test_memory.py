"""What a request holds is let go when it ends, without a garbage collection."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from breakeven.gateway.event_loop import settle_heap
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.relay import Relay
from gateway.serving import serving


def held() -> int:
    return sum(isinstance(each, RequestLife | Relay) for each in gc.get_objects())


@pytest.mark.parametrize("stream", [False, True])
def test_an_ended_request_is_in_no_cycle(tmp_path: Path, stream: bool) -> None:
    async def scenario() -> int:
        async with serving(tmp_path) as served:
            gc.collect()
            gc.disable()
            try:
                for _ in range(5):
                    assert (await served.chat(stream=stream)).status == 200
                await asyncio.sleep(0)  # the loop lets go of what it has just called
                return held()
            finally:
                gc.enable()

    assert asyncio.run(scenario()) == 0


def test_what_lasts_is_left_out_of_later_collections() -> None:
    frozen, thresholds = gc.get_freeze_count(), gc.get_threshold()
    lasting = [[] for _ in range(1_000)]
    try:
        settle_heap()
        assert gc.get_freeze_count() >= frozen + len(lasting)
        assert not any(each is lasting for each in gc.get_objects())
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
