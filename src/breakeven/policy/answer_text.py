"""What an answer says, whatever its wire, and whether two answers say the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from breakeven.policy.decision import Operation

_DONE: Final = b"[DONE]"
_MARKS: Final = re.compile(r"[\s.!]+\Z")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, TypeError, KeyError)


def answer_text(operation: Operation, body: bytes) -> str | None:
    """The text of a whole answer, None where it has none, or more in it than text."""
    return _read(_WHOLE.get(operation), [body])


def streamed_text(operation: Operation, events: Iterable[bytes]) -> str | None:
    """The text of a streamed answer by the data of its events, None as above."""
    return _read(_STREAMED.get(operation), events)


def same_answer(first: str, second: str) -> bool:
    """Whether two answers are one: as JSON where both are, else but for case, blanks and a last full stop.

    That is stricter than a reader is: two good answers in free text mostly differ, and count as different.

    >>> same_answer('{"a": 1, "b": 2}', '{"b":2,"a":1}'), same_answer("Paris.", " paris"), same_answer("1", "2")
    (True, True, False)
    """
    values = [_as_json(text) for text in (first, second)]
    if all(value is not None for value in values):
        return bool(values[0] == values[1])
    return _normal(first) == _normal(second)


def _normal(text: str) -> str:
    return _MARKS.sub("", " ".join(unicodedata.normalize("NFKC", text).casefold().split()))


def _as_json(text: str) -> Any:
    """The value of an answer that is a JSON object or list, in a fence or not; None where it is none."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", text, re.DOTALL)
    try:
        value = msgspec.json.decode(fenced[1] if fenced else text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


_Texts = Callable[[Any], Iterator[str]]


def _read(texts: _Texts | None, documents: Iterable[bytes]) -> str | None:
    if texts is None:
        return None
    try:
        parts = [text for data in documents if data.strip() != _DONE for text in texts(msgspec.json.decode(data))]
    except _UNREADABLE:
        return None
    return "".join(parts) or None


def _chat(answer: Any) -> Iterator[str]:
    """The only choice's text; a call of a tool is no text."""
    for choice in answer.get("choices") or ():
        message = choice.get("message") or choice.get("delta") or {}
        if message.get("tool_calls") or message.get("function_call") or choice.get("index", 0):
            raise TypeError("more than one text")
        yield message.get("content") or ""


def _completion(answer: Any) -> Iterator[str]:
    for choice in answer.get("choices") or ():
        if choice.get("index", 0):
            raise TypeError("more than one text")
        yield choice.get("text") or ""


def _message(answer: Any) -> Iterator[str]:
    for block in answer["content"]:
        if block["type"] == "tool_use":
            raise TypeError("a call of a tool")
        yield block.get("text") or ""


def _message_event(event: Any) -> Iterator[str]:
    if event.get("type") == "content_block_start":
        yield from _message({"content": [event["content_block"]]})
    elif event.get("type") == "content_block_delta":
        yield event["delta"].get("text") or ""


def _response(answer: Any) -> Iterator[str]:
    for item in answer["output"]:
        if item["type"] not in {"message", "reasoning"}:
            raise TypeError("a call of a tool")
        yield from (part.get("text") or "" for part in item.get("content") or () if item["type"] == "message")


def _response_event(event: Any) -> Iterator[str]:
    if event.get("type") == "response.completed":
        yield from _response(event["response"])


_WHOLE: Final[Mapping[str, _Texts]] = {
    "chat": _chat,
    "completions": _completion,
    "messages": _message,
    "responses": _response,
}
_STREAMED: Final[Mapping[str, _Texts]] = {
    "chat": _chat,
    "completions": _completion,
    "messages": _message_event,
    "responses": _response_event,
}
