"""What marking prompts for a provider's cache would have cost on recorded requests, and what fixed rules would have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from breakeven.plan.fixed_marks import PrefixRequest, fixed_bill_ratios
from breakeven.plan.provider_cache import ProviderCache
from breakeven.policy.prompt_cache import PromptCacheRule
from breakeven.policy.prompt_cache_policy import PromptCachePolicy

__all__ = ["PrefixRequest", "PromptCacheReplay", "replay_prompt_cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCacheReplay:
    """Input bills relative to sending the same requests with no cache; 1.0 is no caching.

    ``fixed_ratios`` are those of rules that never learn, by name (``none``, ``seen-before``, ``all``) and ``oracle``,
    which knows what comes. The tokens are the policy's: read from the cache, written to it, and neither.
    """

    input_bill_ratio: float
    fixed_ratios: Mapping[str, float]
    read_tokens: int
    written_tokens: int
    fresh_tokens: int
    input_tokens: int
    requests: int


def replay_prompt_cache(requests: Iterable[PrefixRequest], rule: PromptCacheRule) -> PromptCacheReplay:
    """Replay requests, in order of arrival, through the policy that the gateway marks by.

    What the policy marks is billed by a cache that knows nothing of the policy.
    """
    sent = list(requests)
    policy = PromptCachePolicy(rule)
    cache = ProviderCache(rule)
    for at_s, input_tokens, prefixes in sent:
        cache.send(prefixes, policy.decide(prefixes, input_tokens, at_s).boundaries, at_s)
    input_tokens = sum(request.input_tokens for request in sent)
    return PromptCacheReplay(
        input_bill_ratio=cache.billed_tokens(input_tokens) / input_tokens if input_tokens else 1.0,
        fixed_ratios=fixed_bill_ratios(sent, rule),
        read_tokens=cache.read_tokens,
        written_tokens=cache.written_tokens,
        fresh_tokens=input_tokens - cache.read_tokens - cache.written_tokens,
        input_tokens=input_tokens,
        requests=len(sent),
    )
