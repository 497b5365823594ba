"""Who waits for room under a budget: first come, first served, woken one at a time."""

from __future__ import annotations

import asyncio
from bisect import insort
from dataclasses import dataclass
from itertools import count
from typing import Final

from breakeven.policy.budget import Admission

LINE_LENGTH: Final = 1_000
"""The most requests that wait under one budget; more are told at once."""

TURN_S: Final = 0.05
"""A request that was called and does not ask again within this time loses its turn, and the next is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Admission):
    """A verdict to wait, with the request that it was given to, so that it keeps its place."""

    request_id: str


class Line:
    """The requests that wait under one budget.

    Each time something is settled under the budget the first is called: it asks for its hold again. If it gets it,
    or is refused, the next is called; if there still is too little room, it goes back to its place. While anyone
    waits, newcomers go to the end of the line, so a small request cannot starve a large one.
    """

    __slots__ = ("_called", "_queue", "_tickets")

    def __init__(self) -> None:
        self._tickets = count()
        self._queue: list[tuple[int, str, asyncio.Future[None]]] = []
        self._called: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits, and nobody who was called is still to ask."""
        return not (self._queue or self._called)

    def lets_ask(self, request_id: str) -> bool:
        """Whether this request may ask for room now: nobody waits, or it was called."""
        return request_id in self._called or not (self._queue or self._called)

    async def wait(self, request_id: str, timeout_s: float) -> bool:
        """Wait to be called; False where that took too long or the line is full.

        A request that was called before takes its old place.
        """
        if len(self._queue) >= LINE_LENGTH:
            return False
        ticket = self._called.pop(request_id, None)
        called = asyncio.get_running_loop().create_future()
        place = (next(self._tickets) if ticket is None else ticket, request_id, called)
        insort(self._queue, place, key=lambda waiting: waiting[0])
        try:
            await asyncio.wait_for(called, timeout_s)
        except TimeoutError:
            return False
        finally:
            if place in self._queue:
                self._queue.remove(place)
            elif called.cancelled():  # called, and given up before it could ask
                self.answered(request_id)
        return True

    def call_next(self) -> None:
        """Call the first of those that wait."""
        while self._queue:
            ticket, request_id, called = self._queue.pop(0)
            if called.done():
                continue
            self._called[request_id] = ticket
            called.set_result(None)
            called.get_loop().call_later(TURN_S, self._lapse, request_id, ticket)
            return

    def answered(self, request_id: str) -> None:
        """A request that was called has its answer, and it is not to wait here: it is the next one's turn."""
        if self._called.pop(request_id, None) is not None:
            self.call_next()

    def _lapse(self, request_id: str, ticket: int) -> None:
        if self._called.get(request_id) == ticket:
            self.answered(request_id)
