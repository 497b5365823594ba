"""The rule by which a provider bills its prompt cache for a model on a day, from the catalogue's rows and prices."""

from __future__ import annotations

import datetime

from breakeven.catalog.prompt_caching import TTL_S, Ttl, cache_prices, prompt_caching
from breakeven.errors import InputError
from breakeven.policy.prompt_cache import PromptCacheRule


def prompt_cache_rule(provider: str, model: str, ttl: Ttl, at: datetime.date) -> PromptCacheRule:
    """The rule of a provider for a model and a life (``5m``, ``1h``; OpenAI's GPT-5.6: ``30m``).

    A provider that caches by itself can read any boundary. Of the others, where one does not publish how far it looks
    back, only the marks themselves count as readable; where it does not publish how many marks it takes, two are used.

    Raises:
        UnknownName: nothing is recorded about this provider and model, or the life is not offered.
        InputError: what is published does not suffice for a rule.
    """
    row = prompt_caching(provider, model)
    prices = cache_prices(provider, model, ttl, at)
    if row.min_tokens is None:
        raise InputError(
            f"{row.provider} does not publish from what length on it caches prompts", cause=row.note or None
        )
    return PromptCacheRule(
        write_multiplier=float(prices.write_multiplier),
        read_multiplier=float(prices.read_multiplier),
        ttl_s=TTL_S[ttl],
        min_tokens=row.min_tokens,
        max_marks=2 if row.max_marks is None else row.max_marks,
        lookback=None if row.control == "automatic" else row.lookback or 0,
    )
