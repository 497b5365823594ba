"""Calls under way, by what they ask: who asks the same hears the one that is there, or makes one for others to hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from breakeven.pipeline.flight import Flight
from breakeven.pipeline.followed import follow
from breakeven.pipeline.given import Asked
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.recording import Listener, as_they_are
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.shared import Shared

Run = Callable[[RequestLife], Awaitable[None]]
"""Live a request's life: how the pipeline counts it and limits its tokens is its own affair."""

FOLLOWED: Final = 2
"""How often a request waits for another's answer: where that fails, one of those that waited asks, and once more the
others wait; then each asks for itself, as if nobody shared."""

_TOOLS: Final = ("tools", "functions")


class Flights:
    """The calls under way that one more request may hear."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._flights: dict[bytes, Flight] = {}
        self._stopping = False

    def give_up(self) -> None:
        """The process is about to end: who waits for a call that is given up makes no other."""
        self._stopping = True

    async def followed(self, key: bytes, asked: Asked, reply: Reply) -> bool:
        """Whether a request was answered by another's call.

        One with tools is not: the ids of the calls in one answer would be several clients'.

        Raises:
            Refusal: the process is stopping.
            Unavailable: the ledger takes no rows now.
        """
        if any(name in asked.question.fields for name in _TOOLS):
            return False
        for _ in range(FOLLOWED):
            flight = self._flights.get(key)
            if flight is None or not flight.may_be_joined:
                return False
            if await follow(self._shared, asked, flight, reply):
                return True
            if self._stopping:
                raise Refusal(503, "gateway_stopping", "the gateway is stopping; send the request again")
        return False

    async def lead(self, key: bytes, asked: Asked, reply: Reply, run: Run, keep: Callable[[Flight], None]) -> None:
        """Fetch an answer: to its end as long as anybody hears it, whoever asked for it. ``keep`` gets it then.

        Raises:
            Refusal: it is not served; nothing was sent to the client.
            Unavailable: the ledger takes no rows now.
        """
        flight = Flight(asked.route)
        life = RequestLife(self._shared, asked.call, asked.question, asked.route, flight)
        flight.fetched_by(life)
        before = self._flights.get(key)
        if before is None or not before.may_be_joined:
            self._flights[key] = flight
        listener = flight.payer = Listener(flight.recording, reply, as_they_are)
        try:
            await run(life)
            if listener.done.done():  # its client first
                flight.finish(reply)
            keep(flight)
            await listener.done
            flight.finish(reply)
        finally:
            flight.abandon()
            listener.close()
            if self._flights.get(key) is flight:
                del self._flights[key]
