"""Standard error for logs: a reader that is slow, or does not read at all, never holds up a request.

A write to a full pipe waits until somebody reads it, and the event loop with it. So a pipe is asked first whether it
has room, and what it has no room for is dropped and counted.
"""

from __future__ import annotations

import os
import select
import stat
from typing import Final, Protocol, TextIO

_PIECE_BYTES: Final = select.PIPE_BUF
"""What a pipe that says that it has room takes without waiting (POSIX)."""


class LogStream(Protocol):
    """What logs are written to."""

    def write(self, text: str, /) -> int:
        """Write lines."""
        ...

    def flush(self) -> None:
        """Let them go."""
        ...


def log_stream(stream: TextIO) -> LogStream:
    """The stream itself where a write cannot wait (a file, a buffer); else one that never does."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # a buffer in memory
        return stream
    return stream if stat.S_ISREG(os.fstat(descriptor).st_mode) else UnwaitingStream(descriptor)


class UnwaitingStream:
    """A pipe, a terminal or a socket. ``dropped_lines`` counts what was lost since the last line that was written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self.dropped_lines = 0

    def write(self, text: str, /) -> int:
        """Write whole lines as far as there is room.

        Raises:
            OSError: the reader has gone.
        """
        rest = text.encode("utf-8", "backslashreplace")
        if self.dropped_lines and self._has_room():
            told, self.dropped_lines = self.dropped_lines, 0
            rest = b"(%d lines of the log were dropped: nobody read them)\n" % told + rest
        while rest:
            if not self._has_room():
                self.dropped_lines += rest.count(b"\n")
                break
            end = rest.rfind(b"\n", 0, _PIECE_BYTES) + 1 or _PIECE_BYTES
            rest = rest[os.write(self._descriptor, rest[:end]) :]
        return len(text)

    def flush(self) -> None:
        """Nothing is kept."""

    def _has_room(self) -> bool:
        return bool(self._poll.poll(0))
