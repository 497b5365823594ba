"""However an upstream's events arrive, they come again as they came, and nothing is left of the request."""

from __future__ import annotations

import asyncio
import gc
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.upstreams.upstream import Receiver
from gateway import provider_answers
from gateway.provider import Asked
from gateway.raw import cut
from gateway.remembering import without_cost_of
from gateway.serving import Answering, Heard, Served, gives, says, serving, tables_for

MESSAGES = {"model": "gpt-4o-mini", "stream": True, "temperature": 0, "max_tokens": 50}
BODY = {**MESSAGES, "messages": [{"role": "user", "content": "Hi"}]}


def events() -> bytes:
    """A chat as a provider streams it."""
    asked = Asked("/v1/chat/completions", {}, b'{"model": "gpt-4o-mini", "stream": true, "messages": []}')
    return b"".join(provider_answers.openai(asked).pieces)


WHOLE = events()


def in_pieces(places: list[int], whole: bytes = WHOLE) -> Answering:
    def answer(receiver: Receiver, _: bytes) -> None:
        receiver.head(200, {b"content-type": b"text/event-stream"})
        for piece in cut(whole, sorted(places)):
            if piece:
                receiver.data(piece)
        receiver.complete()

    return answer


@asynccontextmanager
async def remembering(folder: Path, answering: Answering) -> AsyncIterator[Served]:
    async with serving(folder, answering, {**tables_for(), "cache": {"enabled": True}}) as served:
        yield served
        await served.gateway.close()


async def asked(served: Served, body: dict[str, object] | None = None) -> Heard:
    return await served.ask("POST", "/v1/chat/completions", body or BODY, key=served.key)


@settings(max_examples=15)
@given(places=st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_a_stream_cut_anywhere_is_kept_whole(places: list[int]) -> None:
    async def scenario(folder: Path) -> None:
        async with remembering(folder, in_pieces(places)) as served:
            first, again = await asked(served), await asked(served)
            assert [each.headers["x-breakeven-cache"] for each in (first, again)] == ["miss", "hit"]
            assert without_cost_of(again.body) == without_cost_of(first.body)
            assert again.body.endswith(b"data: [DONE]\n\n: breakeven cost_nano_usd=0\n\n")

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


@settings(max_examples=10)
@given(length=st.integers(0, WHOLE.rindex(b"data: [DONE]")))
def test_a_stream_that_stops_early_is_not_kept(length: int) -> None:
    async def scenario(folder: Path) -> None:
        async with remembering(folder, in_pieces([], WHOLE[:length])) as served:
            told = [await asked(served) for _ in range(2)]
            assert [each.headers.get("x-breakeven-cache", "miss") for each in told] == ["miss", "miss"]

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(scenario(Path(folder)))


@pytest.mark.parametrize(
    ("answering", "stream"),
    [(says(), False), (in_pieces([]), True), (gives(400, b'{"error": {"message": "no"}}'), False)],
)
def test_nothing_is_left_of_a_request(tmp_path: Path, answering: Answering, stream: bool) -> None:
    kinds = {"Flight", "Recording", "Listener", "Given", "RequestLife", "Attempt", "Relay", "Call", "HttpReply"}

    async def scenario() -> None:
        async with remembering(tmp_path, answering) as served:
            await asked(served)
            gc.collect()
            gc.disable()
            before = [each for each in gc.get_objects() if type(each).__name__ in kinds]  # of other tests
            try:
                for number in range(20):
                    await asked(served, {**BODY, "stream": stream, "seed": number // 2})
                await asyncio.sleep(0.05)
                known = set(map(id, before))
                left = Counter(type(each).__name__ for each in gc.get_objects() if id(each) not in known)
            finally:
                gc.enable()
            assert {kind: left[kind] for kind in kinds if left[kind]} == {}

    asyncio.run(scenario())
