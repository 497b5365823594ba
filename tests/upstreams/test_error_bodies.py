"""Errors are those that the official clients expect: the right exception, with the message in it."""

from __future__ import annotations

import json

import anthropic
import httpx
import httpx2
import openai
import pytest
from anthropic.types import ErrorResponse

from breakeven.policy.decision import Operation
from breakeven.upstreams.codecs import ENDPOINTS
from breakeven.upstreams.error_bodies import error_message

QUESTION = [{"role": "user", "content": "hi"}]


def openai_client(status: int, content: bytes, kind: str = "application/json") -> openai.OpenAI:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers={"content-type": kind})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http, max_retries=0)


def anthropic_client(status: int, content: bytes, kind: str = "application/json") -> anthropic.Anthropic:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=content, headers={"content-type": kind})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="k", base_url="http://gateway", http_client=http, max_retries=0)


@pytest.mark.parametrize(
    ("status", "code", "error", "kind"),
    [
        (400, "invalid_request", openai.BadRequestError, "invalid_request_error"),
        (401, "invalid_api_key", openai.AuthenticationError, "authentication_error"),
        (402, "budget_exceeded", openai.APIStatusError, "billing_error"),
        (403, "model_not_allowed", openai.PermissionDeniedError, "permission_error"),
        (404, "model_not_found", openai.NotFoundError, "not_found_error"),
        (429, "rate_limit_exceeded", openai.RateLimitError, "rate_limit_error"),
        (429, "insufficient_quota", openai.RateLimitError, "insufficient_quota"),
        (502, "upstream_failed", openai.InternalServerError, "server_error"),
        (503, "overloaded", openai.InternalServerError, "server_error"),
    ],
)
def test_the_openai_client_raises_what_was_meant(
    status: int, code: str, error: type[openai.APIStatusError], kind: str
) -> None:
    body = ENDPOINTS["chat"].error(status, "what went wrong", code, "req-1")
    with pytest.raises(error, match="what went wrong") as raised:
        openai_client(status, body).chat.completions.create(model="m", messages=QUESTION)
    assert (raised.value.code, raised.value.type, raised.value.param) == (code, kind, None)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (402, anthropic.APIStatusError, "billing_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (503, anthropic.APIStatusError, "overloaded_error"),
        (504, anthropic.APIStatusError, "timeout_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
def test_the_anthropic_client_raises_what_was_meant(
    status: int, error: type[anthropic.APIStatusError], kind: str
) -> None:
    body = ENDPOINTS["messages"].error(status, "what went wrong", "x", "req-1")
    with pytest.raises(error, match="what went wrong"):
        anthropic_client(status, body).messages.create(model="m", max_tokens=5, messages=QUESTION)
    told = json.loads(body)
    assert (told["type"], told["error"]["type"], told["request_id"]) == ("error", kind, "req-1")
    if kind != "request_too_large":  # which its types leave to the status
        assert ErrorResponse.model_validate(told).error.message == "what went wrong"


def test_an_error_within_a_chat_stream_is_raised_by_the_client() -> None:
    body = b'data: {"id":"c","choices":[]}\n\n' + ENDPOINTS["chat"].stream_error("upstream broke", "upstream_failed")
    client = openai_client(200, body, "text/event-stream")
    with pytest.raises(openai.APIError, match="upstream broke"):
        list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))


def test_an_error_within_a_message_stream_is_raised_by_the_client() -> None:
    body = ENDPOINTS["messages"].stream_error("upstream broke", "overloaded_error")
    client = anthropic_client(200, body, "text/event-stream")
    with pytest.raises(anthropic.APIStatusError, match="upstream broke"):
        list(client.messages.create(model="m", max_tokens=5, messages=QUESTION, stream=True))
    assert b'"type":"api_error"' in ENDPOINTS["messages"].stream_error("x", "timeout")


def test_an_error_within_a_response_stream_is_an_event_of_the_client() -> None:
    body = ENDPOINTS["responses"].stream_error("upstream broke", "server_error")
    client = openai_client(200, body, "text/event-stream")
    (event,) = client.responses.create(model="m", input="hi", stream=True)
    assert event.type == "error"
    assert (event.message, event.code) == ("upstream broke", "server_error")


@pytest.mark.parametrize("operation", ["chat", "responses", "completions", "embeddings"])
def test_all_of_openais_endpoints_share_their_errors(operation: Operation) -> None:
    assert ENDPOINTS[operation].error(404, "m", "c") == ENDPOINTS["chat"].error(404, "m", "c")


@pytest.mark.parametrize(
    ("body", "message", "kind"),
    [
        (b'{"error":{"message":"m","type":"t","code":null}}', "m", "t"),
        (b'{"type":"error","error":{"type":"t","message":"m"}}', "m", "t"),
        (b'{"error":"model not found"}', "model not found", ""),
        (b'{"object":"error","message":"m","type":"BadRequestError","code":400}', "m", "BadRequestError"),
        (b'{"detail":"Not Found"}', "Not Found", ""),
        (b'{"error":{"code":5}}', "the upstream gave no reason", ""),
        (b"<html>bad gateway</html>", "<html>bad gateway</html>", ""),
        (b"", "the upstream gave no reason", ""),
        (b"\xff" * 9, "\ufffd" * 9, ""),
        (b"[1]", "[1]", ""),
        (b"x" * 900, "x" * 500, ""),
    ],
)
def test_an_upstreams_reason_is_found_whatever_its_shape(body: bytes, message: str, kind: str) -> None:
    assert error_message(body) == (message, kind)
