"""An answer that the server gives by itself: the request was never a request, or there is no room for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

ErrorBody = Callable[[int, str, str], bytes]
"""Status, message and code to a JSON body; an endpoint's own shape, such as `Endpoint.error`, fits."""


class Refusal(NamedTuple):
    """A status with the sentence and the code that the error body carries."""

    status: int
    code: str
    message: str


def json_error(status: int, message: str, code: str) -> bytes:
    """The error body of most wires: ``{"error": {"message", "type", "code"}}``."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return msgspec.json.encode({"error": {"message": message, "type": kind, "code": code}})


def bad_request(message: str) -> Refusal:
    """400: what came is no request, or may mean two things."""
    return Refusal(400, "bad_request", message)


OVERLOADED = Refusal(503, "overloaded", "the gateway has as many requests as it takes; try again")
TOO_MANY_CONNECTIONS = Refusal(503, "too_many_connections", "the gateway has as many connections as it takes")
TOO_SLOW = Refusal(408, "request_timeout", "the request did not come in time")
BROKEN = Refusal(500, "internal_error", "the gateway failed to answer; the log says why")
