"""The endpoints that clients call: a request becomes a call, a refusal an error in the shape of its wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import ceil
from time import time, time_ns
from typing import Final
from urllib.parse import unquote

import msgspec

from breakeven.errors import Unavailable
from breakeven.gateway.http_request import Request
from breakeven.gateway.traces import Traces
from breakeven.pipeline.authorise import authorised_key
from breakeven.pipeline.call import Call
from breakeven.pipeline.pipeline import Pipeline
from breakeven.pipeline.refusal import Refusal
from breakeven.pipeline.reply import Reply
from breakeven.pipeline.request_ids import RequestIds
from breakeven.policy.virtual_key import VirtualKey
from breakeven.upstreams.codecs import ENDPOINTS
from breakeven.upstreams.wire import Endpoint

_FORWARDED: Final = (
    b"accept",
    b"anthropic-beta",
    b"anthropic-version",
    b"idempotency-key",
    b"openai-beta",
    b"traceparent",
    b"tracestate",
    b"user-agent",
)
_MOST_TAGS: Final = 32
MODEL_PATH: Final = "/v1/models/"
COUNT_PATH: Final = "/v1/messages/count_tokens"
_JSON: Final = (b"content-type", b"application/json")


class ModelCalls:
    """Answers the requests of all model endpoints with one pipeline."""

    def __init__(self, pipeline: Pipeline, traces: Traces | None = None) -> None:
        self._pipeline = pipeline
        self._traces = traces
        self._ids = RequestIds()

    def serve(self, endpoint: Endpoint, request: Request, reply: Reply) -> Awaitable[None]:
        """Answer one request of an endpoint."""
        return self._answer(self._pipeline.serve, self._traces, endpoint, request, reply)

    def count_tokens(self, request: Request, reply: Reply) -> Awaitable[None]:
        """``POST /v1/messages/count_tokens``; spans are made from rows, of which it has none."""
        return self._answer(self._pipeline.count_tokens, None, ENDPOINTS["messages"], request, reply)

    async def _answer(
        self,
        answered: Callable[[Call, Reply], Awaitable[None]],
        traces: Traces | None,
        endpoint: Endpoint,
        request: Request,
        reply: Reply,
    ) -> None:
        at_ns = time_ns()
        request_id = self._ids.next(at_ns)
        refused: str | None = None
        try:
            key = await authorised_key(self._pipeline.shared.ledger, secret_of(request.headers))
            headers = request.headers
            tags = (*key.tags, *tags_of(headers)) if b"x-breakeven-tags" in headers else key.tags
            cache_control = headers.get(b"cache-control", b"")
            call = Call(request_id, endpoint, request.body, key, tags, _forwarded(headers), at_ns, cache_control)
            await answered(call if traces is None else traces.begin(call), reply)
        except Refusal as refusal:
            refused = refusal.code
            self._pipeline.refused(refusal)
            _refuse(endpoint, request_id, refusal, reply)
        except Unavailable as error:
            refused = "ledger_unavailable"
            _refuse(endpoint, request_id, Refusal(503, "ledger_unavailable", error.message, retry_after_s=1.0), reply)
        finally:
            if traces is not None:
                traces.end(request_id, refused)

    async def models(self, request: Request, reply: Reply) -> None:
        """``GET /v1/models``: what a key may call."""
        await self._answer_models(request, reply, lambda names: {"object": "list", "data": list(map(_model, names))})

    async def model(self, request: Request, reply: Reply) -> None:
        """``GET /v1/models/NAME``: one of them."""
        name = unquote(request.path.removeprefix(MODEL_PATH))

        def one(names: list[str]) -> dict[str, object]:
            if name not in names:
                raise Refusal(404, "model_not_found", f"no model {name!r} is served here to this key")
            return _model(name)

        await self._answer_models(request, reply, one)

    async def _answer_models(
        self, request: Request, reply: Reply, told: Callable[[list[str]], dict[str, object]]
    ) -> None:
        try:
            key = await authorised_key(self._pipeline.shared.ledger, secret_of(request.headers))
            body = told(self._visible(key))
        except Refusal as refusal:
            self._pipeline.refused(refusal)
            _refuse(ENDPOINTS["chat"], self._ids.next(time_ns()), refusal, reply)
            return
        reply.whole(200, [_JSON], msgspec.json.encode(body))

    def _visible(self, key: VirtualKey) -> list[str]:
        known = self._pipeline.shared.routes.models
        return sorted(key.allowed_models.intersection(known) or key.allowed_models or known)


def secret_of(headers: Mapping[bytes, bytes]) -> bytes:
    """The key as any of the official clients sends it: OpenAI's, Anthropic's, Azure's; empty without one."""
    bearer = headers.get(b"authorization", b"")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip()
    return headers.get(b"x-api-key", b"") or headers.get(b"api-key", b"")


def tags_of(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """The tags of a request: ``x-breakeven-tags: project=atlas, step=draft``.

    Raises:
        Refusal: they cannot be read, or are too many.
    """
    parts = [part.strip() for part in headers[b"x-breakeven-tags"].decode("utf-8", "replace").split(",")]
    tags = tuple(part for part in parts if part)
    if len(tags) > _MOST_TAGS or any("=" not in tag or len(tag) > 256 for tag in tags):
        raise Refusal(400, "invalid_tags", "x-breakeven-tags is KEY=VALUE, separated by commas, at most 32 of them")
    return tags


def _forwarded(headers: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: headers[name] for name in _FORWARDED if name in headers}


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": int(time()), "owned_by": "breakeven"}


def _refuse(endpoint: Endpoint, request_id: str, refusal: Refusal, reply: Reply) -> None:
    headers = [_JSON, (b"x-breakeven-request-id", request_id.encode("ascii")), (b"x-breakeven-cost-nano-usd", b"0")]
    if refusal.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(ceil(refusal.retry_after_s), 1)))
    elif refusal.status == 429:
        headers.append((b"x-should-retry", b"false"))  # the official clients ask again for 429 unless they are told
    reply.whole(refusal.status, headers, endpoint.error(refusal.status, refusal.message, refusal.code, request_id))
