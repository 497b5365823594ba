"""Who waits for room under a budget: first come, first served, woken one at a time."""

from __future__ import annotations

import asyncio
from bisect import insort
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple

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


class Place(NamedTuple):
    """One wait of one request: places of earlier tickets are called first."""

    ticket: int
    request_id: str
    called: asyncio.Future[None]


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
        self._queue: list[Place] = []
        self._called: dict[str, Place] = {}

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits, and nobody who was called is still to ask."""
        return not (self._queue or self._called)

    def ticket(self, request_id: str) -> int | None:
        """The place of a request that was called; None where it was not."""
        place = self._called.get(request_id)
        return None if place is None else place.ticket

    def lets_ask(self, ticket: int | None) -> bool:
        """Whether the request with this place may ask for room now; None is one without a place."""
        if self.is_empty:
            return True
        return ticket is not None and ticket <= min(
            place.ticket for place in (*self._called.values(), *self._queue[:1])
        )

    async def wait(self, request_id: str, ticket: int, timeout_s: float) -> bool:
        """Wait to be called; False where that took too long or the line is full."""
        if len(self._queue) >= LINE_LENGTH:
            return False
        self._called.pop(request_id, None)
        place = Place(ticket, request_id, asyncio.get_running_loop().create_future())
        insort(self._queue, place, key=lambda waiting: waiting.ticket)
        try:
            await asyncio.wait_for(place.called, timeout_s)
        except (TimeoutError, asyncio.CancelledError) as given_up:
            self._leave(place)
            if isinstance(given_up, TimeoutError):
                return False
            raise
        # From here the request asks as soon as its task goes on; the time it had to wait for that is not its fault.
        place.called.get_loop().call_later(TURN_S, self._lapse, place)
        return True

    def _leave(self, place: Place) -> None:
        """Who gives up leaves the line; who was called just then passes the turn on."""
        if place in self._queue:
            self._queue.remove(place)
        self.answered(place.request_id)

    def call_next(self) -> None:
        """Call the first of those that wait."""
        while self._queue:
            place = self._queue.pop(0)
            if not place.called.done():
                self._called[place.request_id] = place
                place.called.set_result(None)
                return

    def answered(self, request_id: str) -> None:
        """A request that was called has its answer, and it is not to wait here: it is the next one's turn."""
        if self._called.pop(request_id, None) is not None:
            self.call_next()

    def _lapse(self, place: Place) -> None:
        """The turn of a request that did not ask; one that asked, waited on and was called anew has another place."""
        if self._called.get(place.request_id) is place:
            self.answered(place.request_id)
