"""A stream that is kept goes to each of its clients whole and in order, whatever their pace and whenever they come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.pipeline import recording
from breakeven.pipeline.recording import Listener, Recording, as_they_are
from pipeline.replies import FakeReply

pieces = st.lists(st.binary(min_size=1, max_size=60), max_size=30)
moves = st.lists(
    st.tuples(st.sampled_from(["join", "full", "drained", "piece", "turn"]), st.integers(0, 5)), max_size=60
)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await scenario()

    asyncio.run(whole())


@settings(max_examples=200)
@given(said=pieces, moves=moves, turn_bytes=st.sampled_from([1, 50, 1 << 16]))
def test_each_client_gets_all_of_it_in_order(said: list[bytes], moves: list[tuple[str, int]], turn_bytes: int) -> None:
    async def scenario() -> None:
        kept, left = Recording(), list(said)
        replies: list[FakeReply] = []
        kept.begin(200, [])
        for what, who in moves:
            if what == "join":
                replies.append(FakeReply())
                Listener(kept, replies[-1], as_they_are)
            elif what == "piece" and left:
                kept.add(left.pop(0))
            elif what == "turn":
                await asyncio.sleep(0)
            elif replies:
                reply = replies[who % len(replies)]
                reply.fills_up() if what == "full" else reply.drains()
        for piece in left:
            kept.add(piece)
        kept.end()
        replies.append(FakeReply())
        listener = Listener(kept, replies[-1], as_they_are)
        for reply in replies:
            reply.drains()
        await asyncio.wait_for(listener.done, 5)
        for _ in range(len(said) + 1):
            await asyncio.sleep(0)
        assert [reply.sent for reply in replies] == [said] * len(replies)
        assert kept.listeners == []

    with patch.object(recording, "TURN_BYTES", turn_bytes):
        run(scenario)


def test_a_client_that_is_full_is_sent_no_more_until_it_has_caught_up() -> None:
    async def scenario() -> None:
        kept, reply = Recording(), FakeReply()
        kept.begin(200, [])
        Listener(kept, reply, as_they_are)
        kept.add(b"a")
        reply.fills_up()
        kept.add(b"b")
        kept.add(b"c")
        assert reply.sent == [b"a"]
        reply.drains()
        assert reply.sent == [b"a", b"b", b"c"]

    run(scenario)


def test_a_long_stream_that_is_there_already_goes_out_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the connection can say, in between, that it is full."""
    monkeypatch.setattr(recording, "TURN_BYTES", 10)

    async def scenario() -> None:
        reply = FakeReply()
        listener = Listener(Recording.whole([], [b"12345"] * 9), reply, as_they_are)
        assert len(reply.sent) == 2
        await asyncio.sleep(0)
        assert len(reply.sent) == 4
        reply.fills_up()
        await asyncio.sleep(0)
        assert len(reply.sent) == 4
        reply.drains()
        await listener.done
        assert len(reply.sent) == 9

    run(scenario)


def test_what_is_kept_is_bounded_and_only_who_is_far_behind_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_KEPT_BYTES", 100)

    async def scenario() -> None:
        kept, slow, quick = Recording(), FakeReply(), FakeReply()
        kept.begin(200, [])
        behind, ahead = (Listener(kept, each, as_they_are) for each in (slow, quick))
        slow.fills_up()
        for number in range(100):
            kept.add(b"%09d," % number)
            assert sum(map(len, kept.pieces)) <= 100
        assert (slow.aborted, behind.was_cut_off, behind.done.done()) == (True, True, True)
        assert (quick.aborted, ahead.was_cut_off, len(quick.sent)) == (False, False, 100)
        assert not kept.is_whole

    run(scenario)


def test_who_is_alone_is_not_cut_off_but_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_KEPT_BYTES", 20)
    told: list[Any] = []

    async def scenario() -> None:
        kept, slow = Recording(lambda: told.append([each.full for each in kept.listeners])), FakeReply()
        kept.begin(200, [])
        Listener(kept, slow, as_they_are)
        slow.fills_up()
        assert told[-1] == [True]  # by which its upstream is paused
        for _ in range(9):  # what was on its way already
            kept.add(b"0123456789")
        slow.drains()
        assert (len(slow.sent), slow.aborted) == (9, False)
        kept.end()
        assert kept.listeners == []

    run(scenario)


def test_a_client_that_has_gone_before_it_listens_is_no_client() -> None:
    async def scenario() -> None:
        gone = FakeReply()
        gone.gone = True
        listener = Listener(Recording(), gone, as_they_are)
        assert listener.done.done()

    run(scenario)


def test_who_would_be_cut_off_before_it_has_caught_up_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_KEPT_BYTES", 10)

    async def scenario() -> None:
        kept = Recording()
        kept.begin(200, [])
        Listener(kept, FakeReply(), as_they_are)
        kept.add(b"12345")
        assert kept.may_be_joined
        kept.add(b"6")
        assert not kept.may_be_joined
        kept.end()
        assert kept.may_be_joined, "nothing more comes"
        kept.add(b"789012")
        assert not kept.may_be_joined, "its beginning is gone"

    run(scenario)
