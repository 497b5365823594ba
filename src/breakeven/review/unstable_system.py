"""A system prompt in which one spot changes from call to call: what follows it cannot be read from a prompt cache."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.rule import KEPT_S, LEAST_CACHED_TOKENS, with_cache_read

LEAST_REQUESTS: Final = 10

_MOST_FAMILIES: Final = 64
_ALIKE_FRAC: Final = 0.6
_SHOWN_CHARACTERS: Final = 40
_REMEMBERED: Final = 64


@dataclass(slots=True)
class _Family:
    """System prompts that are one template: the same text but for one spot, as far as seen."""

    text: str
    same_before: int
    same_after: int
    requests: int = 1
    new_texts: int = 0
    examples: list[str] = field(default_factory=list)
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    applied_s: float | None = None

    def spot(self, text: str) -> str:
        """What stands in the changing spot of a prompt."""
        return text[self.same_before : len(text) - self.same_after]

    def would_be_cached(self, now_s: float) -> bool:
        """Whether a provider would still have the text from the call before; asked once for each call, in order."""
        before, self.applied_s = self.applied_s, now_s
        return before is not None and now_s - before <= KEPT_S

    def note(self, text: str) -> None:
        """Take in one more prompt of the template."""
        self.requests += 1
        if text == self.text:
            return
        before, after = _shared(self.text, text)
        self.same_before, self.same_after = min(self.same_before, before), min(self.same_after, after)
        digest = hash(text)
        if digest not in self.recent:
            self.new_texts += 1
            self.recent.append(digest)
        if len(self.examples) < 2:
            self.examples.append(text)

    @property
    def changes(self) -> bool:
        """Whether the spot is new in most calls; a few variants that come again are each cached."""
        return self.requests >= LEAST_REQUESTS and self.new_texts + 1 > self.requests / 2


class UnstableSystem:
    """Finds the spot, by model, and what the text behind it would cost if the spot stood at the end."""

    def __init__(self) -> None:
        self._families: dict[str, list[_Family]] = {}
        self._found: dict[int, tuple[str, _Family]] = {}

    def look(self, request: LoggedRequest) -> None:
        """Put the system prompt with those like it."""
        text = _system(request)
        families = self._families.setdefault(request.model, [])
        family = _of(families, text)
        if family is not None:
            family.note(text)
        elif text and len(families) < _MOST_FAMILIES:
            families.append(_Family(text=text, same_before=len(text), same_after=len(text)))

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """Everything of tools and system prompt but the spot, read from the cache."""
        text = _system(request)
        family = _of(self._families.get(request.model, []), text)
        if family is None or not family.changes or not family.would_be_cached(request.at_s or 0.0):
            return usage
        tools = sum(len(part.text) for part in request.parts if part.role == "tool_definition")
        stable = request.tokens("x" * (tools + len(text) - len(family.spot(text))))
        if stable < LEAST_CACHED_TOKENS:
            return usage
        after = with_cache_read(usage, stable)
        if after is not usage:
            self._found[id(family)] = request.model, family
        return after

    def finding(self, tally: Tally) -> Finding | None:
        """Where the prompts change, and from what to what."""
        if tally.now_nano_usd <= tally.after_nano_usd:
            return None
        return Finding(
            rule_id="unstable-system-prompt",
            title="a spot in the system prompt changes with every call, and what follows it is never cached",
            requests=tally.requests,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=tuple(_told(model, family) for model, family in self._found.values()),
            fix="move what changes (a time, an id) to the end of the prompt or into the last message",
            quality_risk="none",
        )


def _told(model: str, family: _Family) -> str:
    byte = len(family.text[: family.same_before].encode())
    start = max(family.same_before - _SHOWN_CHARACTERS // 2, 0)
    spots = [
        text[start : max(len(text) - family.same_after, start)][:_SHOWN_CHARACTERS]
        for text in (family.text, *family.examples)
    ][:2]
    return (
        f"{model}: byte {byte:,} of the system prompt was new in {family.new_texts:,} of {family.requests:,} calls, "
        f"for instance from {spots[0]!r} to {spots[-1]!r}"
    )


def _system(request: LoggedRequest) -> str:
    return "\n".join(part.text for part in request.parts if part.role == "system")


def _of(families: list[_Family], text: str) -> _Family | None:
    """The template of a prompt: most of it is the same before and behind one spot."""
    for family in families:
        if text == family.text:
            return family
    for family in families:
        before, after = _shared(family.text, text)
        if before + after >= _ALIKE_FRAC * max(len(family.text), len(text)):
            return family
    return None


def _shared(one: str, other: str) -> tuple[int, int]:
    """How many characters two texts share at their beginnings, and at their ends beside that."""
    before = _same_beginning(one, other)
    return before, _same_beginning(one[before:][::-1], other[before:][::-1])


def _same_beginning(one: str, other: str) -> int:
    """How many characters two texts begin with alike; slices are compared, since most texts are long and alike."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least
