"""A stream as it comes, kept so that several clients can be sent it: each from its beginning, at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from breakeven.pipeline.reply import Headers, Reply

MOST_KEPT_BYTES: Final = 4 << 20
"""What is kept for clients that read slower than others, or come later; who is further behind is cut off."""

TURN_BYTES: Final = 64 << 10
"""Sent to one client in one turn of the event loop: its connection says only afterwards that it is full."""

Heads = Callable[[Headers], Headers]
"""The headers that one client gets, from those that came."""


def as_they_are(headers: Headers) -> Headers:
    """The headers that came."""
    return headers


class Recording:
    """The pieces of one stream. ``on_change`` is called when a client joins, leaves, is full or has caught up."""

    __slots__ = ("_kept_bytes", "begun", "dropped", "ended", "headers", "listeners", "on_change", "pieces", "status")

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self.on_change = on_change
        self.status = 0
        self.headers: Headers = ()
        self.begun = self.ended = False
        self.pieces: list[bytes] = []
        self.dropped = 0
        self.listeners: list[Listener] = []
        self._kept_bytes = 0

    @classmethod
    def whole(cls, headers: Headers, pieces: Iterable[bytes]) -> Recording:
        """A stream that has all come."""
        made = cls()
        made.status, made.headers, made.pieces = 200, headers, list(pieces)
        made.begun = made.ended = True
        return made

    @property
    def is_whole(self) -> bool:
        """Whether all that came is still there, so that it can be sent from its beginning."""
        return self.dropped == 0

    @property
    def may_be_joined(self) -> bool:
        """Whether one more client can be sent all of it: while more comes, it needs time to catch up."""
        return self.is_whole and (self.ended or self._kept_bytes <= MOST_KEPT_BYTES // 2)

    def begin(self, status: int, headers: Headers) -> None:
        """The head has come."""
        self.status, self.headers, self.begun = status, headers, True
        for listener in tuple(self.listeners):
            listener.begin()

    def add(self, piece: bytes) -> None:
        """A piece has come."""
        self.pieces.append(piece)
        self._kept_bytes += len(piece)
        for listener in self.listeners:
            listener.hear(piece)
        if self._kept_bytes > MOST_KEPT_BYTES:
            self._let_go()

    def end(self) -> None:
        """No more will come."""
        self.ended = True
        for listener in tuple(self.listeners):
            listener.pump()

    def changed(self) -> None:
        """Tell of a change among the clients."""
        if self.on_change is not None:
            self.on_change()

    def _let_go(self) -> None:
        """Drop what every client has been sent; where that is not enough, cut off who is furthest behind."""
        while self._kept_bytes > MOST_KEPT_BYTES:
            least = min((each.position for each in self.listeners), default=self.dropped + len(self.pieces))
            count = least - self.dropped
            if count:
                self._kept_bytes -= sum(map(len, self.pieces[:count]))
                del self.pieces[:count]
                self.dropped = least
            elif len(self.listeners) > 1:
                min(self.listeners, key=lambda each: each.position).cut_off()
            else:  # it is alone, so what still comes waits for it
                return


class Listener:
    """One client of a recording. ``done`` when it was sent all of it, has gone, or was cut off."""

    __slots__ = (
        "_heads",
        "_recording",
        "_reply",
        "_waits_for_turn",
        "begun",
        "done",
        "full",
        "position",
        "was_cut_off",
    )

    def __init__(self, recording: Recording, reply: Reply, heads: Heads) -> None:
        self._recording, self._reply, self._heads = recording, reply, heads
        self.position = 0
        self.begun = self.full = self.was_cut_off = False
        self._waits_for_turn = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reply.on_gone, reply.on_full, reply.on_drained = self.close, self._is_full, self._has_drained
        recording.listeners.append(self)
        recording.changed()
        if reply.gone:
            self.close()
        elif recording.begun:
            self.begin()
        elif recording.ended:
            self.close()

    def begin(self) -> None:
        """Send the head, and what has come."""
        self.begun = True
        self._reply.begin(self._recording.status, self._heads(self._recording.headers))
        self.pump()

    def hear(self, piece: bytes) -> None:
        """A piece has come. Whoever has all before it gets it at once: so it is with nearly all."""
        recording = self._recording
        if self.full or self._waits_for_turn or self.position + 1 - recording.dropped < len(recording.pieces):
            self.pump()
        else:
            self.position += 1
            self._reply.piece(piece)

    def pump(self) -> None:
        """Send what is there, some in each turn, as long as the client takes it."""
        if self._waits_for_turn:
            return
        recording, sent_bytes = self._recording, 0
        pieces, dropped = recording.pieces, recording.dropped
        while not self.full and self.position - dropped < len(pieces):
            if sent_bytes >= TURN_BYTES:
                self._waits_for_turn = True
                asyncio.get_running_loop().call_soon(self._next_turn)
                return
            piece = pieces[self.position - dropped]
            self.position += 1
            sent_bytes += len(piece)
            self._reply.piece(piece)
        if recording.ended and self.position - dropped == len(pieces):
            self.close()

    def cut_off(self) -> None:
        """The client is too far behind: break its connection."""
        self.was_cut_off = True
        self._reply.abort()
        self.close()

    def close(self) -> None:
        """Hear no more."""
        if self not in self._recording.listeners:
            return
        self._recording.listeners.remove(self)
        # Each names what holds the reply: kept, they would hold it until a garbage collection.
        self._reply.on_gone = self._reply.on_full = self._reply.on_drained = None
        if not self.done.done():
            self.done.set_result(None)
        self._recording.changed()

    def _next_turn(self) -> None:
        self._waits_for_turn = False
        if not self.done.done():
            self.pump()

    def _is_full(self) -> None:
        self.full = True
        self._recording.changed()

    def _has_drained(self) -> None:
        self.full = False
        self.pump()
        self._recording.changed()
