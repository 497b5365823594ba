"""From an answer that was just bought to one that is remembered, if it is a good one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from time import time_ns
from typing import Final

from breakeven.cache.response_store import StoredAnswer
from breakeven.pipeline.flight import Flight
from breakeven.pipeline.given import content_type
from breakeven.pipeline.recording import MOST_KEPT_BYTES
from breakeven.policy.cacheability import CacheRule
from breakeven.policy.decision import Operation
from breakeven.policy.storable import NotStored, storable, storable_stream
from breakeven.policy.window import NS_PER_S
from breakeven.upstreams.event_stream import event_data, split_events

_NAMED_ERROR: Final = re.compile(rb"^event: ?error *\r?$", re.MULTILINE)
_ERROR: Final = b'{"type":"error","error":{"type":"named_so"}}'


def kept(flight: Flight, operation: Operation, rule: CacheRule) -> StoredAnswer | NotStored:
    """What is remembered of an answer, or why nothing is."""
    bought = flight.bought
    if bought is None or not flight.is_good or not flight.recording.is_whole:
        return "incomplete"
    if flight.has_extras:
        return "provider_tools"
    if flight.body is not None and len(flight.body) > MOST_KEPT_BYTES:  # as of a stream, and judging it takes time
        return "too_large"
    if flight.body is not None:
        pieces: tuple[bytes, ...] = (flight.body,)
        judged = storable(operation, flight.body, pure_tools=rule.pure_tools)
    else:
        pieces = (*flight.recording.pieces, flight.ending)
        judged = storable_stream(operation, _event_data(pieces), pure_tools=rule.pure_tools)
    if judged.reason is not None:
        return judged.reason
    at_ns = time_ns()
    return StoredAnswer(
        content_type=content_type(flight.recording.headers),
        pieces=pieces,
        stream=flight.body is None,
        served_model=bought.served_model,
        deployment=bought.deployment,
        provider=bought.provider,
        usage=bought.usage,
        processing=bought.processing,
        call_ids=judged.call_ids,
        stored_at_ns=at_ns,
        expires_at_ns=at_ns + int(rule.ttl_s * NS_PER_S),
    )


def _event_data(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The data of all events; nearly all are one line. One that is named an error is one, whatever its data says."""
    for piece in pieces:
        if piece.startswith(b"data: ") and piece.find(b"\n") == len(piece) - 2:
            yield piece[6:-2]
            continue
        if piece.find(b"data:") < 0:
            continue  # comments, which keep a connection open
        for event in piece.split(b"\n\n") if piece.find(b"\r") < 0 else split_events(piece):
            if event.startswith(b"data: ") and event.find(b"\n") < 0:
                yield event[6:]
            elif event and (data := _ERROR if _NAMED_ERROR.search(event) else event_data(event)):
                yield data
