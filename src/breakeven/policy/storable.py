"""Whether an answer may be remembered: only a complete and good one, for it would be served again and again.

Read from the answer as the client got it, so each endpoint has its own words for "complete". What is not recognised is
not stored. A stream is judged by the data of its events, put together as a client puts it together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from breakeven.policy.decision import Operation

NotStored = Literal[
    "truncated",
    "filtered",
    "refused",
    "empty",
    "tool_calls",
    "provider_tools",
    "failed",
    "incomplete",
    "too_large",
    "unreadable",
]
"""Why an answer is not stored: a code for ledger and metrics.

``truncated``: it ended at a limit. ``filtered`` and ``refused``: by the provider, by the model. ``tool_calls``: it
calls tools of a route that does not declare them pure, or by ids that cannot be made anew. ``provider_tools``: the
provider ran tools. ``failed``: it is, or has in it, an error. ``incomplete``: its end never came, or has an unknown
reason. ``too_large``: it is not worth the time to judge it.
"""

DONE: Final = b"[DONE]"
SHORTEST_CALL_ID: Final = 8
"""A shorter id of a tool call could also be another text of the answer, so it cannot be replaced."""

_ENDS: Final[Mapping[object, NotStored | None]] = {
    "stop": None,
    "end_turn": None,
    "stop_sequence": None,
    "completed": None,
    "tool_calls": None,
    "function_call": None,
    "tool_use": None,
    "length": "truncated",
    "max_tokens": "truncated",
    "max_output_tokens": "truncated",
    "model_context_window_exceeded": "truncated",
    "content_filter": "filtered",
    "refusal": "refused",
    "failed": "failed",
    "error": "failed",
}
"""What the words at the end of an answer mean on all wires; others are ``incomplete``."""

_RESPONSE_ITEMS: Final = frozenset(("message", "reasoning", "function_call", "custom_tool_call"))
_MESSAGE_BLOCKS: Final = frozenset(("text", "thinking", "redacted_thinking", "tool_use"))
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, TypeError, KeyError)


class Storable(NamedTuple):
    """The judgement on an answer: ``reason`` is None where it may be stored; ``call_ids`` are its tool calls' ids."""

    reason: NotStored | None
    call_ids: tuple[bytes, ...] = ()


_UNENDED: Final = Storable("incomplete")


class _Seen:
    """What one answer, or one choice of it, has in it."""

    __slots__ = ("call_ids", "calls", "end", "fault", "says")

    def __init__(self) -> None:
        self.end: object = None
        self.fault: NotStored | None = None
        self.says = False
        self.calls = False
        self.call_ids: list[str] = []

    def call(self, call_id: object) -> None:
        """It calls a tool; the id may be missing, as in the older calls of functions."""
        self.calls = True
        if isinstance(call_id, str) and call_id:
            self.call_ids.append(call_id)

    def reason(self, *, pure_tools: bool) -> NotStored | None:
        """Why it is not stored."""
        ended = _ENDS.get(self.end, "incomplete")
        if self.fault is not None or ended is not None:
            return self.fault or ended
        if self.calls and not (pure_tools and all(map(_can_be_renewed, self.call_ids))):
            return "tool_calls"
        return None if self.says or self.calls else "empty"


def storable(operation: Operation, body: bytes, *, pure_tools: bool = False) -> Storable:
    """Judge a whole answer by its JSON body."""
    try:
        answer = msgspec.json.decode(body)
        if answer.get("error"):
            return Storable("failed")
        if operation == "embeddings":
            return Storable(None if answer["data"] and all(each["embedding"] for each in answer["data"]) else "empty")
        return _judged(_WHOLE[operation](answer), pure_tools=pure_tools)
    except _UNREADABLE:
        return Storable("unreadable")


def storable_stream(operation: Operation, events: Iterable[bytes], *, pure_tools: bool = False) -> Storable:
    """Judge a streamed answer by the data of all its events, from the first to the one that says that it is whole."""
    try:
        return _judged(_STREAMED[operation](events), pure_tools=pure_tools)
    except _UNREADABLE:
        return Storable("unreadable")


def _judged(seen: Iterable[_Seen], *, pure_tools: bool) -> Storable:
    parts = list(seen)
    for part in parts:
        if reason := part.reason(pure_tools=pure_tools):
            return Storable(reason)
    return Storable(None, tuple(each.encode() for part in parts for each in part.call_ids)) if parts else _UNENDED


def _can_be_renewed(call_id: str) -> bool:
    plain = call_id.isascii() and call_id.replace("_", "").replace("-", "").isalnum()
    return plain and len(call_id) >= SHORTEST_CALL_ID


def _chat(answer: dict[str, Any]) -> Iterable[_Seen]:
    for choice in answer["choices"]:
        seen = _Seen()
        _hear_choice(seen, choice, choice.get("message") or {})
        yield seen


def _completion(answer: dict[str, Any]) -> Iterable[_Seen]:
    for choice in answer["choices"]:
        seen = _Seen()
        _hear_choice(seen, choice, {"content": choice.get("text")})
        yield seen


def _choices_streamed(events: Iterable[bytes]) -> Iterable[_Seen]:
    """Chunks of chats and of legacy completions: each choice by its index, all of them ended, then ``[DONE]``."""
    choices: dict[int, _Seen] = {}
    done = False
    for data in events:
        if data.strip() == DONE:
            done = True
            continue
        chunk = msgspec.json.decode(data)
        if chunk.get("error"):
            return [_failed()]
        for choice in chunk.get("choices") or ():
            seen = choices.setdefault(choice.get("index", 0), _Seen())
            _hear_choice(seen, choice, choice.get("delta") or {"content": choice.get("text")})
    return choices.values() if done else ()


def _hear_choice(seen: _Seen, choice: dict[str, Any], message: dict[str, Any]) -> None:
    """A choice, or a piece of one."""
    seen.end = choice.get("finish_reason") or seen.end
    seen.says = seen.says or bool(message.get("content"))
    if message.get("refusal"):
        seen.fault = "refused"
    for call in message.get("tool_calls") or ():
        seen.call(call.get("id"))
    if message.get("function_call"):
        seen.call(None)


def _response(answer: dict[str, Any]) -> Iterable[_Seen]:
    seen = _Seen()
    details = answer.get("incomplete_details") or {}
    seen.end = details.get("reason") or answer.get("status")
    for item in answer["output"]:
        kind = item["type"]
        if kind not in _RESPONSE_ITEMS:
            seen.fault = "provider_tools"
        elif kind.endswith("_call"):
            seen.call(item.get("call_id"))
        elif kind == "message":
            _hear_parts(seen, item["content"])
    return [seen]


def _hear_parts(seen: _Seen, parts: Iterable[dict[str, Any]]) -> None:
    for part in parts:
        if part["type"] == "refusal":
            seen.fault = "refused"
        seen.says = seen.says or bool(part.get("text"))


def _response_streamed(events: Iterable[bytes]) -> Iterable[_Seen]:
    """The event with the whole response is the last, and says it all."""
    for data in events:
        event = msgspec.json.decode(data)
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            return [_failed()]
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            return [_failed()] if event["response"].get("error") else _response(event["response"])
    return ()


def _message(answer: dict[str, Any]) -> Iterable[_Seen]:
    seen = _Seen()
    seen.end = answer.get("stop_reason")
    for block in answer["content"]:
        _hear_block(seen, block)
    return [seen]


def _message_streamed(events: Iterable[bytes]) -> Iterable[_Seen]:
    """Blocks begin, grow and end; the reason comes last but one, and ``message_stop`` last."""
    seen = _Seen()
    for data in events:
        event = msgspec.json.decode(data)
        match event.get("type"):
            case "error":
                return [_failed()]
            case "content_block_start":
                _hear_block(seen, event["content_block"])
            case "content_block_delta":
                seen.says = seen.says or bool(event["delta"].get("text"))
            case "message_delta":
                seen.end = event["delta"].get("stop_reason") or seen.end
            case "message_stop":
                return [seen]
    return ()


def _hear_block(seen: _Seen, block: dict[str, Any]) -> None:
    kind = block["type"]
    if kind not in _MESSAGE_BLOCKS:
        seen.fault = "provider_tools"
    elif kind == "tool_use":
        seen.call(block.get("id"))
    else:
        seen.says = seen.says or bool(block.get("text"))


def _failed() -> _Seen:
    seen = _Seen()
    seen.fault = "failed"
    return seen


def _no_stream(_events: Iterable[bytes]) -> Iterable[_Seen]:
    return ()


_WHOLE: Final = {"chat": _chat, "completions": _completion, "responses": _response, "messages": _message}
_STREAMED: Final = {
    "chat": _choices_streamed,
    "completions": _choices_streamed,
    "responses": _response_streamed,
    "messages": _message_streamed,
    "embeddings": _no_stream,
}
