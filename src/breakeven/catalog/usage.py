"""What one request consumed, in tokens, with the parts contained in the totals."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from breakeven.errors import UsageError

_WHOLE: Final = {int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one request, as OpenTelemetry's ``gen_ai.usage.*`` defines them.

    ``input_tokens`` includes the tokens read from and written to a provider's prompt cache;
    ``output_tokens`` includes the reasoning tokens. The parts are checked against the totals, so a token
    can neither be priced twice nor lost.

    Raises:
        UsageError: a count is negative, or parts exceed their total.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        counts = (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.reasoning_tokens,
        )
        if set(map(type, counts)) != _WHOLE or min(counts) < 0:
            self._refuse_counts()
        cached = self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        if cached > self.input_tokens:
            raise UsageError(
                f"cached tokens ({cached}) exceed input_tokens ({self.input_tokens})",
                cause="input_tokens includes cache reads and cache writes",
                hint="pass the provider's total input, cached tokens included",
            )
        if self.reasoning_tokens > self.output_tokens:
            raise UsageError(
                f"reasoning_tokens ({self.reasoning_tokens}) exceed output_tokens ({self.output_tokens})",
                cause="output_tokens includes reasoning tokens",
            )

    def _refuse_counts(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"{field.name} must be a whole number of tokens, not {value!r}")
            if value < 0:
                raise UsageError(f"{field.name} cannot be negative: {value}")

    @property
    def uncached_input_tokens(self) -> int:
        """Input tokens priced at the plain input rate."""
        return self.input_tokens - self.cache_read_tokens - self.cache_write_5m_tokens - self.cache_write_1h_tokens
