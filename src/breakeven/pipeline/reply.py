"""The way back to the client: what the pipeline needs of a connection, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case; without content-length, transfer-encoding and connection, which the carrier adds."""


class Reply(Protocol):
    """One answer: either ``whole``, or ``begin``, any number of ``piece``, and ``end``.

    After the client has gone every call does nothing. ``on_gone`` is called once when it goes before the end;
    ``on_full`` and ``on_drained`` when it reads slower than it is written to.
    """

    gone: bool
    on_gone: Callable[[], None] | None
    on_full: Callable[[], None] | None
    on_drained: Callable[[], None] | None

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer in one piece."""
        ...

    def begin(self, status: int, headers: Headers) -> None:
        """Send the head of a stream."""
        ...

    def piece(self, data: bytes) -> None:
        """Send a piece; an empty one is left out."""
        ...

    def end(self, data: bytes = b"") -> None:
        """Send a last piece and end the stream."""
        ...

    def abort(self) -> None:
        """Break the connection, so that the client sees that the stream is not whole."""
        ...
