"""The seam of the prompt audit: a rule looks at every request, then says what each would have used once mended."""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import structs

from breakeven.catalog.usage import Usage
from breakeven.review.finding import Finding, Tally
from breakeven.review.logged_request import LoggedRequest

LEAST_CACHED_TOKENS: Final = 1_024
"""The least that most providers cache."""

CACHE_STEP_TOKENS: Final = 128
"""OpenAI caches in steps of so many tokens, so that a whole prefix is never quite read; less is no fault."""

KEPT_S: Final = 300.0
"""How long providers keep what nobody reads again, at least: five minutes."""


class PromptRule(Protocol):
    """One kind of waste in prompts. A log is gone through twice: once to look, once to apply."""

    def look(self, request: LoggedRequest) -> None:
        """Learn from a request what can only be known of all of them."""
        ...

    def apply(self, request: LoggedRequest, usage: Usage) -> Usage:
        """What the request would have used with the fix; the same object where there is nothing to fix."""
        ...

    def finding(self, tally: Tally) -> Finding | None:
        """What was found; None where nothing worth telling was."""
        ...


def without_input(usage: Usage, tokens: int) -> Usage:
    """Fewer input tokens, taken from those read from the provider's cache first: they are the cheapest.

    So no fix is credited with the full price of what was already cheap.
    """
    left = min(tokens, usage.input_tokens - usage.input_audio_tokens)
    counts = {}
    for name in ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"):
        spared = usage.cache_read_audio_tokens if name == "cache_read_tokens" else 0
        taken = min(left, getattr(usage, name) - spared)
        counts[name] = getattr(usage, name) - taken
        left -= taken
    removed = min(tokens, usage.input_tokens - usage.input_audio_tokens)
    return structs.replace(usage, input_tokens=usage.input_tokens - removed, **counts)


def with_cache_read(usage: Usage, tokens: int) -> Usage:
    """As many of the input tokens read from the provider's cache, if that is clearly more than were."""
    free = usage.input_tokens - usage.cache_write_5m_tokens - usage.cache_write_1h_tokens - usage.input_audio_tokens
    read = min(tokens, free + usage.cache_read_audio_tokens)
    if read - usage.cache_read_tokens < CACHE_STEP_TOKENS:
        return usage
    return structs.replace(usage, cache_read_tokens=read)
