"""One answer under way that several clients hear: the reply of the one request that fetches it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from breakeven.pipeline.attempt import Attempt
from breakeven.pipeline.given import Bought
from breakeven.pipeline.life import RequestLife
from breakeven.pipeline.recording import Listener, Recording
from breakeven.pipeline.reply import Headers, Reply
from breakeven.pipeline.target import Route, Target

MOST_LISTENERS: Final = 1_000
"""Clients of one answer; those that come then call for themselves."""


class Flight:
    """A `Reply` that keeps what it is given. It has gone when the last of its clients has.

    ``landed`` once nothing more will come; then ``is_good`` where the answer is whole and of the model's own
    deployments, so that it answers everybody who asked the same. ``payer`` is the client whose request it is,
    ``body`` the answer where it is no stream, ``tail``
    what ends a stream for the client that pays for it, and ``ending`` the stream's own last event.
    """

    __slots__ = (
        *("_life", "_route", "body", "bought", "ending", "gone", "has_extras", "is_good", "landed", "on_drained"),
        *("on_full", "on_gone", "payer", "recording", "served", "tail"),
    )

    def __init__(self, route: Route) -> None:
        self._route = route
        self._life: RequestLife | None = None
        self.recording = Recording(self._changed)
        self.body: bytes | None = None
        self.tail = self.ending = b""
        self.landed = self.is_good = self.gone = self.has_extras = False
        self.served: Target = route.targets[0]
        self.bought: Bought | None = None
        self.payer: Listener | None = None
        self.on_gone: Callable[[], None] | None = None
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    def fetched_by(self, life: RequestLife) -> None:
        """Say whose reply it is, before it is used. Each names the other until it has landed."""
        self._life = life

    @property
    def may_be_joined(self) -> bool:
        """Whether one more client may hear it from its beginning."""
        if self.gone or (self.landed and not self.is_good) or not self.recording.may_be_joined:
            return False
        return self._is_own() and len(self.recording.listeners) < MOST_LISTENERS

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """The answer has come in one piece."""
        self.recording.status, self.recording.headers, self.body = status, headers, body
        self._land()

    def begin(self, status: int, headers: Headers) -> None:
        """The head of a stream has come. Another model's answer is its own client's alone."""
        if self._life is not None and self._life.attempt is not None:
            self.served = self._life.attempt.target
        if not self._is_own():
            for listener in [each for each in self.recording.listeners if each is not self.payer]:
                listener.close()
        self.recording.begin(status, headers)

    def piece(self, data: bytes) -> None:
        """A piece has come."""
        self.recording.add(data)

    def end(self, data: bytes = b"") -> None:
        """The stream has ended, well or not, and is settled."""
        self.tail = data
        self._land()

    def abort(self) -> None:
        """Nothing more will come."""
        self.abandon()

    def abandon(self) -> None:
        """Whoever fetched the answer gave up."""
        if not self.landed:
            self._life = None
            self._land()

    def finish(self, reply: Reply) -> None:
        """Give its end to the client that pays for it, which was sent the rest."""
        if self.body is not None:
            reply.whole(self.recording.status, self.recording.headers, self.body)
        elif self.recording.begun:
            reply.end(self.tail)

    def _land(self) -> None:
        attempt, self._life = None if self._life is None else self._life.attempt, None
        if attempt is not None:
            self._note(attempt)
        self.landed = True
        self.recording.end()
        self.recording.on_change = self.payer = None  # each names this: kept, they would outlive the request

    def _note(self, attempt: Attempt) -> None:
        """What is needed of the attempt from here on; itself it names its reply, and so this."""
        self.served = attempt.target
        self.bought = Bought.fetched(attempt)
        self.has_extras = bool(attempt.consumed.extras)
        self.is_good = self._is_own() and attempt.consumed.outcome == "ok"
        if attempt.relay.stream is not None and self.is_good:
            self.ending = attempt.relay.stream.ending

    def _is_own(self) -> bool:
        return any(self.served is each for each in self._route.targets)

    def _changed(self) -> None:
        """A client came, left, or reads faster or slower: the slowest does not hold up the others."""
        if self.landed:
            return
        listeners = self.recording.listeners
        if not listeners:
            self.gone = True
            if self.on_gone is not None:
                self.on_gone()
        elif all(listener.full for listener in listeners):
            if self.on_full is not None:
                self.on_full()
        elif self.on_drained is not None:
            self.on_drained()
