"""What an error looks like on each wire: the type that a status has there, the body, and the event in a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

_OPENAI_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES: Final = {**_OPENAI_TYPES, 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error"}
_QUOTA: Final = "insufficient_quota"


def openai_type(status: int, code: str) -> str:
    """The ``type`` of an OpenAI error. A quota that is used up and a rate limit share the status 429."""
    if code == _QUOTA:
        return _QUOTA
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def anthropic_type(status: int) -> str:
    """The ``type`` of an Anthropic error."""
    return _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def openai_error(status: int, message: str, code: str) -> bytes:
    """The body of an OpenAI error."""
    return msgspec.json.encode(_openai(openai_type(status, code), message, code))


def openai_stream_error(message: str, code: str) -> bytes:
    """An event that ends a stream of chat chunks with an error: clients look for ``error`` in the data."""
    return event("", _openai(openai_type(500, code), message, code))


def responses_stream_error(message: str, code: str) -> bytes:
    """An event that ends a stream of response events with an error."""
    data = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
    return event("error", data)


def anthropic_error(status: int, message: str, request_id: str) -> bytes:
    """The body of an Anthropic error."""
    return msgspec.json.encode(_anthropic(anthropic_type(status), message) | {"request_id": request_id or None})


def anthropic_stream_error(message: str, code: str) -> bytes:
    """An event that ends a stream of message events with an error."""
    kind = code if code.endswith("_error") else "api_error"
    return event("error", _anthropic(kind, message))


def event(name: str, data: Mapping[str, object]) -> bytes:
    """A server-sent event with JSON data, and a name unless empty."""
    line = b"event: " + name.encode() + b"\n" if name else b""
    return line + b"data: " + msgspec.json.encode(data) + b"\n\n"


def error_message(body: bytes) -> tuple[str, str]:
    """Message and type (empty where unknown) of an upstream's error body, whatever its shape.

    OpenAI and Anthropic nest both under ``error``; FastAPI has ``detail``, vLLM and Ollama a bare ``message`` or
    ``error``. A body that is none of these is its own message, cut short.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    error = answer.get("error", answer) if isinstance(answer, dict) else answer
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, dict):
        return body[:500].decode(errors="replace").strip() or "the upstream gave no reason", ""
    message = next((error[name] for name in ("message", "detail") if isinstance(error.get(name), str)), "")
    kind = error.get("type")
    return message or "the upstream gave no reason", kind if isinstance(kind, str) else ""


def _openai(kind: str, message: str, code: str) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def _anthropic(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}}
