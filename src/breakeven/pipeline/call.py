"""One request as the pipeline gets it: who asks, by which endpoint, with which body."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from breakeven.policy.virtual_key import VirtualKey
from breakeven.upstreams.wire import Endpoint


class Call(Struct, frozen=True, gc=False):
    """A request of an authorised key. ``headers`` are those to pass on; ``received_at_ns`` is UTC since 1970.

    ``cache_control`` is what its client says of the cache; ``answer_headers`` go back with the answer.
    """

    request_id: str
    endpoint: Endpoint
    body: bytes
    key: VirtualKey
    tags: tuple[str, ...]
    headers: Mapping[bytes, bytes]
    received_at_ns: int
    cache_control: bytes = b""
    answer_headers: tuple[tuple[bytes, bytes], ...] = ()
