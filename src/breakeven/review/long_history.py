"""Conversations that carry, and pay, all of their past with every turn."""

from __future__ import annotations

from typing import Final

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest
from breakeven.review.prompt_parts import Part
from breakeven.review.rule import without_input

KEPT_PARTS: Final = 20
"""Messages and tool results that the fix would keep: about ten turns. Older ones are summed up or left out."""


class LongHistory:
    """Requests whose older messages cost more than the newest ones.

    Where a conversation's beginning is read from the provider's cache, cutting it moves what follows, which is then
    bought fresh: the rule takes that loss into account, and claims nothing where it outweighs the cut.
    """

    def __init__(self) -> None:
        self._longest = 0
        self._tokens = 0

    def look(self, request: LoggedRequest) -> None:
        """Nothing of it needs to be known before."""

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """The request with its tools, its system prompt and its last messages."""
        spoken = [part for part in request.parts if not _is_lead(part)]
        if len(spoken) <= KEPT_PARTS:
            return usage
        removed = sum(request.tokens(part.text) for part in spoken[:-KEPT_PARTS])
        lead = sum(request.tokens(part.text) for part in request.parts if _is_lead(part))
        self._longest = max(self._longest, len(spoken))
        self._tokens += removed
        return _cut(usage, removed, lead)

    def finding(self, tally: Tally) -> Finding | None:
        """How much of what was paid is old history."""
        if tally.now_nano_usd <= tally.after_nano_usd:
            return None
        return Finding(
            rule_id="long-history",
            title="long conversations are sent whole with every turn",
            requests=tally.requests,
            now_nano_usd=tally.now_nano_usd,
            after_nano_usd=tally.after_nano_usd,
            evidence=(
                f"{tally.requests:,} requests carry more than {KEPT_PARTS} messages, the longest {self._longest:,}",
                f"{self._tokens:,} input tokens are older messages; cache reads that a cut would lose are deducted",
            ),
            fix=f"keep the last {KEPT_PARTS} messages and a summary of the older ones; try it on your evaluation first",
            quality_risk="high",
        )


def _is_lead(part: Part) -> bool:
    return part.role in ("tool_definition", "system")


def _cut(usage: Usage, removed: int, lead: int) -> Usage:
    """Without the old messages; of the cache, only what comes before them can still be read."""
    kept = without_input(usage, removed)
    read = min(kept.cache_read_tokens, lead)
    if kept.cache_read_audio_tokens or read == kept.cache_read_tokens:
        return kept
    return Usage(
        input_tokens=kept.input_tokens,
        output_tokens=kept.output_tokens,
        cache_read_tokens=read,
        cache_write_5m_tokens=kept.cache_write_5m_tokens,
        cache_write_1h_tokens=kept.cache_write_1h_tokens,
        reasoning_tokens=kept.reasoning_tokens,
        input_audio_tokens=kept.input_audio_tokens,
        output_audio_tokens=kept.output_audio_tokens,
    )
