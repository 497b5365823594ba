"""Marks for a provider's prompt cache, before a provider that keeps one: what arrives, what is saved, and whose it is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

MODEL = "claude-sonnet-4-5"
NANO_PER_INPUT, NANO_PER_READ = 3_000, 300
NANO_PER_WRITE = {"5m": 3_750, "1h": 6_000}
WORDS = [
    "order",
    "customer",
    "status",
    "address",
    "delivery",
    "invoice",
    "refund",
    "total",
    "price",
    "street",
    "city",
    "number",
    "please",
    "thanks",
]


class Sent(NamedTuple):
    """One request: how long after the one before, and what it asks."""

    gap_s: float
    body: dict[str, Any]


def text(seed: str, words: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def asking(messages: list[Any], **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 20, "messages": messages, **fields}


def one_shots() -> Iterator[Sent]:
    """Long prompts that nothing has in common with any other."""
    for number in range(80):
        yield Sent(5, asking([{"role": "user", "content": text(f"one {number}", 1_500)}]))


def shared_system() -> Iterator[Sent]:
    """One long system prompt, and each question asked once."""
    system = text("system", 2_000)
    for number in range(80):
        yield Sent(20, asking([{"role": "user", "content": text(f"question {number}", 30)}], system=system))


def conversations() -> Iterator[Sent]:
    """Eight conversations at once, each eight turns long."""
    said = [[{"role": "user", "content": text(f"begin {each}", 1_200)}] for each in range(8)]
    for turn in range(8):
        for each, messages in enumerate(said):
            yield Sent(7, asking(list(messages), system="Be kind."))
            messages.append({"role": "assistant", "content": text(f"answer {each} {turn}", 150)})
            messages.append({"role": "user", "content": text(f"turn {each} {turn}", 60)})


def agent() -> Iterator[Sent]:
    """One agent with tools that takes thirty steps."""
    tools = [
        {"name": f"tool_{each}", "description": text(f"tool {each}", 80), "input_schema": {"type": "object"}}
        for each in range(12)
    ]
    messages: list[Any] = [{"role": "user", "content": text("task", 200)}]
    for step in range(30):
        yield Sent(4, asking(list(messages), system=text("agent", 900), tools=tools))
        use = {"type": "tool_use", "id": f"t{step}", "name": "tool_1", "input": {"at": step}}
        found = {
            "type": "tool_result",
            "tool_use_id": f"t{step}",
            "content": json.dumps({"a": [text(f"f{step}", 90)]}, indent=2),
        }
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [found]}]


def too_slow() -> Iterator[Sent]:
    """One long system prompt, asked with again only when it is forgotten."""
    system = text("slow", 2_000)
    for number in range(60):
        yield Sent(1_200, asking([{"role": "user", "content": text(f"slow {number}", 30)}], system=system))


def too_short() -> Iterator[Sent]:
    """The same short prompt again and again: below the least that is cached."""
    for number in range(40):
        yield Sent(5, asking([{"role": "user", "content": f"{number}"}], system=text("short", 200)))


def mixed() -> Iterator[Sent]:
    """All of it by turns, as a gateway sees it."""
    shapes = [one_shots(), shared_system(), conversations(), agent()]
    chance = random.Random(7)
    while shapes:
        shape = chance.choice(shapes)
        found = next(shape, None)
        if found is None:
            shapes.remove(shape)
        else:
            yield Sent(found.gap_s / 4, found.body)


SHAPES: dict[str, Callable[[], Iterator[Sent]]] = {
    each.__name__: each for each in (one_shots, shared_system, conversations, agent, too_slow, too_short, mixed)
}
