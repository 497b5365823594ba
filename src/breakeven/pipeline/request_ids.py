"""Names of requests: ours, unique, and in order of time, so that the ledger grows at its end."""

from __future__ import annotations

import os
from itertools import count


class RequestIds:
    """Gives ``req_`` and 28 hexadecimal digits: milliseconds, this process, a counter."""

    def __init__(self) -> None:
        self._process = os.urandom(5).hex()
        self._numbers = count(int.from_bytes(os.urandom(2), "big"))

    def next(self, at_ns: int) -> str:
        """The next name, for a request that came at this time (nanoseconds since 1970)."""
        return f"req_{at_ns // 1_000_000:011x}{self._process}{next(self._numbers) & 0xFFFFFFF:07x}"
