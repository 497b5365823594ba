"""The one question in a request that another wording of it may be recognised by, and the rest of the request.

Only requests of a single turn have one: instructions, then one message of plain text. With turns of an assistant, with
tools, images or files, the words of the last message do not say what is asked. The rest, which is the request with the
question's text taken out, has to be the same to the byte in two requests: see `cache_key`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from breakeven.policy.decision import Operation
from breakeven.policy.lexical_guard import LONGEST
from breakeven.policy.semantic import is_safety_relevant

_PROMPTS: Final[Mapping[Operation, str]] = {"chat": "messages", "responses": "input", "messages": "messages"}
_TOOLS: Final = ("tools", "functions", "mcp_servers")
_INSTRUCTING: Final = ("system", "developer")
_TURN_NAMES: Final = frozenset({"role", "content", "type"})
_PART_NAMES: Final = frozenset({"type", "text", "cache_control"})
_TEXT_TYPES: Final = ("text", "input_text")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BLANK: Final = ""


class SingleQuestion(NamedTuple):
    """What is asked, and the top level of the body without it."""

    text: str
    rest: Mapping[str, Raw]


def single_question(operation: Operation, fields: Mapping[str, Raw]) -> SingleQuestion | None:
    """The question of a request of a single turn.

    None where there are more turns, tools, or anything but text; where the text is empty or longer than a question; and
    where it may be about harm to somebody (`is_safety_relevant`), which is never answered by another's answer.
    """
    name = _PROMPTS.get(operation, "")
    if name not in fields or any(bytes(fields.get(tool, b"null")) not in (b"null", b"[]") for tool in _TOOLS):
        return None
    try:
        prompt = msgspec.json.decode(fields[name])
    except _UNREADABLE:
        return None
    text, blanked = _taken_out(prompt)
    if not text.strip() or len(text) > LONGEST or is_safety_relevant(text):
        return None
    return SingleQuestion(text, {**fields, name: Raw(msgspec.json.encode(blanked))})


def _taken_out(prompt: Any) -> tuple[str, Any]:
    """The text of a prompt's only question, and the prompt without it; no text where there is no such question."""
    if isinstance(prompt, str):
        return prompt, _BLANK
    if not isinstance(prompt, list) or not prompt or not all(isinstance(turn, dict) for turn in prompt):
        return _BLANK, prompt
    *before, last = prompt
    if any(turn.get("role") not in _INSTRUCTING for turn in before):
        return _BLANK, prompt
    if last.get("role") != "user" or not _TURN_NAMES.issuperset(last):
        return _BLANK, prompt
    text, content = _of_content(last.get("content"))
    return text, [*before, {**last, "content": content}]


def _of_content(content: Any) -> tuple[str, Any]:
    if isinstance(content, str):
        return content, _BLANK
    if not _is_one_text(content):
        return _BLANK, content
    return content[0]["text"], [{**content[0], "text": _BLANK}]


def _is_one_text(content: Any) -> bool:
    if not isinstance(content, Sequence) or len(content) != 1 or not isinstance(content[0], dict):
        return False
    part = content[0]
    is_plain = part.get("type") in _TEXT_TYPES and _PART_NAMES.issuperset(part)
    return is_plain and isinstance(part.get("text"), str)
