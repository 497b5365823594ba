"""What an upstream said is left of its limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """Requests and tokens left in a provider's window, when the window is whole again, and its limits; None: not said.

    ``retry_after_s`` is how long it asked to be left alone. Seconds count from the answer that said so.
    """

    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    limit_requests: int | None = None
    limit_tokens: int | None = None
    requests_reset_s: float | None = None
    tokens_reset_s: float | None = None
    retry_after_s: float | None = None

    def requests_left(self, passed_s: float) -> int | None:
        """Requests left ``passed_s`` after it was said; None where nothing is known any more."""
        return _left(self.remaining_requests, self.limit_requests, self.requests_reset_s, passed_s)

    def tokens_left(self, passed_s: float) -> int | None:
        """Tokens left ``passed_s`` after it was said; None where nothing is known any more."""
        return _left(self.remaining_tokens, self.limit_tokens, self.tokens_reset_s, passed_s)


_A_MINUTE_S = 60.0


def _left(remaining: int | None, limit: int | None, reset_s: float | None, passed_s: float) -> int | None:
    """What remains until the reset, a minute where none was said; after it the limit."""
    return remaining if passed_s < (_A_MINUTE_S if reset_s is None else reset_s) else limit
