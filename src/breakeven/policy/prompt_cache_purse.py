"""What marking may spend: what it has saved, a small share of the bill, and what it has proved it could have saved."""

from __future__ import annotations

from typing import Final

from breakeven.policy.prompt_cache import PromptCacheRule
from breakeven.policy.prompt_cache_memory import LEARNED, OURS, RULES, SEEN

BET_FRAC: Final = 0.004
"""The share of the bill without caching that may be lost on marks, once and for all."""

HELD_REQUESTS: Final = 32
"""The purse holds so many mean requests at most: what was saved long ago is not staked on a provider that changed."""

PROVED_REQUESTS: Final = 16.0
"""So many mean requests may be written beyond that, as far as a rule in the shadow has already saved as much."""

PROVED_FRAC: Final = 0.1
"""And no more than this share of the bill: it binds while there were few requests."""

OVERDRAWN_REQUESTS: Final = 4
"""Guesses may be wrong by the premium of so many mean requests before what should be read is counted on no longer."""

LAG_FRAC: Final = 0.003
"""By this share of the bill the learned rule may be behind the one that marks what was sent before."""

STEEPNESS: Final = 0.4
"""How much more than its premium a token must be worth while the purse is empty, as a share of the discount."""


class Purse:
    """Amounts are fresh input tokens. ``saved_tokens`` is against no caching, by rule; premiums count when written.

    ``held_tokens`` is what is left to spend of what was saved and of the share of the bill.
    """

    __slots__ = ("_rule", "bill_tokens", "held_tokens", "mean_tokens", "saved_tokens")

    def __init__(self, rule: PromptCacheRule) -> None:
        self._rule = rule
        self.bill_tokens = 0
        self.held_tokens = 0.0
        self.mean_tokens = 0.0
        self.saved_tokens = [0.0] * RULES

    def see(self, input_tokens: int) -> None:
        """Count a request's length towards the mean of the last hundred or so."""
        self.mean_tokens += (input_tokens - self.mean_tokens) * (0.01 if self.mean_tokens else 1.0)

    @property
    def learned_lags(self) -> bool:
        """Whether marking what was sent before has saved clearly more so far than what was learned."""
        return self.saved_tokens[SEEN] - self.saved_tokens[LEARNED] > LAG_FRAC * self.bill_tokens

    def bill(self, input_tokens: int) -> None:
        """Count a request that may be marked: some of its price may be lost."""
        self.bill_tokens += input_tokens
        self._hold(BET_FRAC * input_tokens)

    def room_tokens(self) -> float:
        """What may be spent on premiums now; negative after losses."""
        ours = self.saved_tokens[OURS]
        proved = max(0.0, max(self.saved_tokens) - max(0.0, ours))
        most = min(PROVED_REQUESTS * self.mean_tokens * self._rule.premium, PROVED_FRAC * self.bill_tokens)
        return self.held_tokens + min(proved, most)

    @property
    def is_overdrawn(self) -> bool:
        """Whether bills took clearly more than there was to spend: what should have been read was written anew."""
        return self.room_tokens() < -OVERDRAWN_REQUESTS * self.mean_tokens * self._rule.premium

    def hurdle(self, room_tokens: float) -> float:
        """What a token must be worth to be written: its premium with a full purse, more with an emptier one."""
        full = min(BET_FRAC * self.bill_tokens, HELD_REQUESTS * self.mean_tokens)
        fullness = min(1.0, max(0.0, room_tokens / full)) if full else 0.0
        return self._rule.premium + STEEPNESS * (1 - fullness) * self._rule.discount

    def account(self, rule: int, read_tokens: float, written_tokens: float) -> None:
        """Add what one of the rules saved by reading and paid by writing."""
        gain_tokens = read_tokens * self._rule.discount - written_tokens * self._rule.premium
        self.saved_tokens[rule] += gain_tokens
        if rule == OURS:
            self._hold(gain_tokens)

    def _hold(self, tokens: float) -> None:
        self.held_tokens = min(self.held_tokens + tokens, max(self.held_tokens, HELD_REQUESTS * self.mean_tokens))
