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


_TICKETS: Final = count()


def new_ticket() -> int:
    """The place behind everyone who asked before."""
    return next(_TICKETS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Admission):
    """A verdict to wait, with the request that it was given to and the place that it has since it first asked."""

    request_id: str
    ticket: int


class Line:
    """The requests that wait under one budget.

    Each time something is settled under the budget the first is called: it asks for its hold again. If it gets it,
    or is refused, the next is called; if there still is too little room, it goes back to its place. While anyone
    waits, newcomers go to the end of the line, so a small request cannot starve a large one. Places are the same in
    all lines: a request that finds room under one budget and must wait under another stays before those that came
    after it.
    """

    __slots__ = ("_called", "_queue")

    def __init__(self) -> None:
        self._queue: list[tuple[int, str, asyncio.Future[None]]] = []
        self._called: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits, and nobody who was called is still to ask."""
        return not (self._queue or self._called)

    def ticket(self, request_id: str) -> int | None:
        """The place of a request that was called; None where it was not."""
        return self._called.get(request_id)

    def lets_ask(self, ticket: int | None) -> bool:
        """Whether the request with this place may ask for room now; None is one without a place."""
        if self.is_empty:
            return True
        return ticket is not None and ticket <= min([*self._called.values(), *(place[0] for place in self._queue[:1])])

    async def wait(self, request_id: str, ticket: int, timeout_s: float) -> bool:
        """Wait to be called; False where that took too long or the line is full."""
        if len(self._queue) >= LINE_LENGTH:
            return False
        self._called.pop(request_id, None)
        called = asyncio.get_running_loop().create_future()
        place = (ticket, request_id, called)
        insort(self._queue, place, key=lambda waiting: waiting[0])
        try:
            await asyncio.wait_for(called, timeout_s)
        except (TimeoutError, asyncio.CancelledError) as given_up:
            self._leave(place)
            if isinstance(given_up, TimeoutError):
                return False
            raise
        # From here the request asks as soon as its task goes on; the time it had to wait for that is not its fault.
        called.get_loop().call_later(TURN_S, self._lapse, request_id, ticket)
        return True

    def _leave(self, place: tuple[int, str, asyncio.Future[None]]) -> None:
        """Who gives up leaves the line; who was called just then passes the turn on."""
        if place in self._queue:
            self._queue.remove(place)
        self.answered(place[1])

    def call_next(self) -> None:
        """Call the first of those that wait."""
        while self._queue:
            ticket, request_id, called = self._queue.pop(0)
            if called.done():
                continue
            self._called[request_id] = ticket
            called.set_result(None)
            return

    def answered(self, request_id: str) -> None:
        """A request that was called has its answer, and it is not to wait here: it is the next one's turn."""
        if self._called.pop(request_id, None) is not None:
            self.call_next()

    def _lapse(self, request_id: str, ticket: int) -> None:
        if self._called.get(request_id) == ticket:
            self.answered(request_id)
