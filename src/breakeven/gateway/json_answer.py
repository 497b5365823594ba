"""Answers in JSON that are not a model's: the admin API's, and refusals of pages that are no model endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

import msgspec

from breakeven.gateway.refusal import json_error
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply

_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def answer(reply: Reply, status: int, body: object) -> None:
    """Send a value as JSON that nobody keeps a copy of."""
    reply.whole(status, _HEADERS, msgspec.json.encode(body))


def refuse(reply: Reply, refusal: Refusal, allowed: Sequence[str] = ()) -> None:
    """Send a refusal: ``{"error": {"message", "type", "code"}}``; ``allowed`` are the methods of a 405."""
    headers = [*_HEADERS]
    if allowed:
        headers.append((b"allow", ", ".join(allowed).encode("ascii")))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="breakeven admin"'))
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(ceil(refusal.retry_after_s), 1)))
    reply.whole(refusal.status, headers, json_error(refusal.status, refusal.message, refusal.code))
