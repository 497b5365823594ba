"""One request as a handler gets it: whole, checked and in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from msgspec import Struct

from breakeven.pipeline.reply import Reply

QUERY_FIELDS = 100


class Request(Struct, frozen=True):
    """A request whose body has come.

    ``path`` and ``query`` are as they were sent: percent-encodings stay, so that no two spellings of a path are one
    route. Header names are in lower case; lines that may be repeated are joined. ``peer`` is the client's address.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    peer: str
    keep_alive: bool
    http_1_1: bool

    def parameters(self) -> dict[str, str]:
        """The query's fields, decoded; of one that is repeated the last.

        Raises:
            ValueError: more than 100 fields.
        """
        return dict(parse_qsl(self.query, keep_blank_values=True, max_num_fields=QUERY_FIELDS))


Handler = Callable[[Request, Reply], Awaitable[None]]
"""What answers a request. It may go on after the answer; its place in work is free when it returns."""
