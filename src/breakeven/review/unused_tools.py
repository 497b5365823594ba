"""Tool definitions that are sent, and paid, with every request and never called."""

from __future__ import annotations

from collections import Counter
from typing import Final

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.rule import without_input

LEAST_OFFERED: Final = 20
"""A tool that was offered less often may only not have been needed yet."""

_NAMED: Final = 5


class UnusedTools:
    """Tools that no answer and no conversation calls, by model and name."""

    def __init__(self) -> None:
        self._offered: Counter[tuple[str, str]] = Counter()
        self._called: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._answers = 0

    def look(self, request: LoggedRequest) -> None:
        """Count what is offered and what is called."""
        called = request.tools_called
        self._answers += bool(called) or request.answer is not None
        for name in {part.name for part in request.parts if part.role == "tool_definition"}:
            self._offered[request.model, name] += 1
            self._called[request.model, name] += name in called

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """The request without the definitions of tools that are never called."""
        if not self._answers:  # the log does not say what is called
            return usage
        removed = 0
        for part in request.parts:
            if part.role == "tool_definition" and self._is_unused((request.model, part.name)):
                tokens = request.tokens(part.text)
                self._tokens[request.model, part.name] += tokens
                removed += tokens
        return without_input(usage, removed) if removed else usage

    def finding(self, tally: Tally) -> Finding | None:
        """The unused tools, those of the most tokens first."""
        if not tally.requests:
            return None
        most = [
            f"{name} ({model}): offered {self._offered[model, name]:,} times, never called, {tokens:,} tokens in all"
            for (model, name), tokens in self._tokens.most_common(_NAMED)
        ]
        more = len(self._tokens) - len(most)
        return Finding(
            rule_id="unused-tools",
            title=f"{len(self._tokens)} tool definition{'s' * (len(self._tokens) != 1)} sent and never called",
            requests=tally.requests,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=(*most, *((f"and {more} more",) if more else ())),
            fix="leave these tools out of the requests, or send them only where they may be called",
            quality_risk="low",
        )

    def _is_unused(self, tool: tuple[str, str]) -> bool:
        return self._offered[tool] >= LEAST_OFFERED and not self._called[tool]
