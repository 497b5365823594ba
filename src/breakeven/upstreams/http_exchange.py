"""One request to an upstream and who hears its answer, from the queue for a connection to the end."""

from __future__ import annotations

from typing import Protocol

from breakeven.upstreams.upstream import Failure, Receiver, UpstreamFailed


class Carrier(Protocol):
    """The connection that carries an exchange."""

    def pause(self) -> None:
        """Read no more."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def drop(self) -> None:
        """Give the exchange and the connection up."""
        ...


class Queue(Protocol):
    """Where an exchange waits for a connection."""

    def forget(self, exchange: HttpExchange) -> None:
        """It waits no longer."""
        ...


class HttpExchange:
    """An `Exchange`. The receiver hears one end of it, `complete` or `failed`, or none after `abort`.

    After its end it has no connection: a late `pause` or `abort` must not touch one that carries another exchange.
    """

    __slots__ = (
        "_over",
        "_queue",
        "body",
        "connection",
        "head",
        "paused",
        "queued_s",
        "receiver",
        "resent",
        "upstream",
    )

    def __init__(self, upstream: str, queue: Queue, head: bytes, body: bytes, receiver: Receiver) -> None:
        self.upstream, self.head, self.body, self.receiver = upstream, head, body, receiver
        self.connection: Carrier | None = None
        self.queued_s = 0.0
        self.paused = self.resent = False
        self._over = False
        self._queue = queue

    def pause(self) -> None:
        """Read no more until `resume`."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def abort(self) -> None:
        """Drop the connection, or the place in the queue; the receiver hears nothing more."""
        if self._over:
            return
        connection, self.connection, self._over = self.connection, None, True
        if connection is None:
            self._queue.forget(self)
        else:
            connection.drop()

    def complete(self) -> None:
        """The answer is whole."""
        if not self._over:
            self._over, self.connection = True, None
            self.receiver.complete()

    def fail(self, failure: Failure, what: str, *, sent: bool) -> None:
        """It will not come: the upstream did ``what``."""
        if not self._over:
            self._over, self.connection = True, None
            self.receiver.failed(UpstreamFailed(failure, f"upstream {self.upstream} {what}", sent=sent))
