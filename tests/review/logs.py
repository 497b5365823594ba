"""Logs with planted faults, as lines of JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from breakeven import api
from breakeven.review.audit import PromptAudit
from breakeven.review.finding import Finding

PRICED_ON = date(2026, 11, 24)
STABLE = "You help the customers of a shop with their orders. " * 160
STARTED_S = 1_790_000_000


def tool(name: str) -> dict[str, Any]:
    """A tool definition of about 100 tokens."""
    return {"type": "function", "function": {"name": name, "description": "Does a thing. " * 28, "parameters": {}}}


def line(number: int, body: dict[str, Any], *, called: str = "", output: int = 60, **usage: Any) -> dict[str, Any]:
    """A request and its answer, one a minute, four characters a token unless ``usage`` says otherwise."""
    message: dict[str, Any] = {"role": "assistant", "content": f"answer {number}"}
    if called:
        message["tool_calls"] = [{"id": "1", "type": "function", "function": {"name": called, "arguments": "{}"}}]
    counts = {"prompt_tokens": len(json.dumps(body)) // 4, "completion_tokens": output, **usage}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"model": body["model"], "choices": [choice], "usage": counts}
    return {"timestamp": STARTED_S + 60 * number, "request": body, "response": answer}


def chat(*messages: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """A chat request."""
    spoken = [{"role": role, "content": content} for role, content in messages]
    return {"model": "gpt-4o", "messages": spoken, **fields}


def clean(count: int = 100) -> Iterator[dict[str, Any]]:
    """Short questions that share nothing: no fault in them."""
    for number in range(count):
        yield line(number, chat(("user", f"{number} tell me about number {number}"), max_tokens=100))


def written(folder: Path, lines: Iterable[dict[str, Any]]) -> Path:
    """A log file."""
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def audited(folder: Path, lines: Iterable[dict[str, Any]], **options: Any) -> PromptAudit:
    """What the audit says of these lines."""
    return api.audit(written(folder, lines), at=PRICED_ON, **options)


def finding(audit: PromptAudit, rule_id: str) -> Finding | None:
    """The finding of one rule."""
    return next((each for each in audit.findings if each.rule_id == rule_id), None)
