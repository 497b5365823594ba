"""A client for tests: it keeps what it is sent, and says when it is full, has caught up, or goes."""

from __future__ import annotations

from collections.abc import Callable

from breakeven.pipeline.reply import Headers


class FakeReply:
    """A `Reply`. ``sent`` are its pieces in order."""

    def __init__(self) -> None:
        self.gone = self.aborted = self.ended = False
        self.on_gone: Callable[[], None] | None = None
        self.on_full: Callable[[], None] | None = None
        self.on_drained: Callable[[], None] | None = None
        self.status = 0
        self.sent: list[bytes] = []

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.status, self.ended = status, True
        self.sent.append(body)

    def begin(self, status: int, headers: Headers) -> None:
        assert not self.status
        self.status = status

    def piece(self, data: bytes) -> None:
        assert self.status
        assert not self.ended
        self.sent.append(data)

    def end(self, data: bytes = b"") -> None:
        self.piece(data)
        self.ended = True

    def abort(self) -> None:
        self.aborted = True

    def leaves(self) -> None:
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()

    def fills_up(self) -> None:
        if self.on_full is not None:
            self.on_full()

    def drains(self) -> None:
        if self.on_drained is not None:
            self.on_drained()
