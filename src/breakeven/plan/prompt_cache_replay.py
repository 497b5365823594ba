"""What marking prompts for a provider's cache would have cost on recorded requests, and what fixed rules would have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_policy import PromptCachePolicy


class PrefixRequest(NamedTuple):
    """A recorded request: when it came, its tokens, and its beginnings from the shortest to the longest."""

    at_s: float
    input_tokens: int
    prefixes: Sequence[Prefix]


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


def replay_prompt_cache(
    requests: Iterable[PrefixRequest], rule: PromptCacheRule, told: Callable[[PrefixRequest, Marks], None] | None = None
) -> PromptCacheReplay:
    """Replay requests, in order of arrival, through the policy that the gateway marks by.

    ``told`` is called with each request and its marks.
    """
    policy = PromptCachePolicy(rule)
    read = written = total = count = 0
    for request in requests:
        marks = policy.decide(request.prefixes, request.input_tokens, request.at_s)
        read += marks.read_tokens
        written += marks.written_tokens
        if told is not None:
            told(request, marks)
        total += request.input_tokens
        count += 1
    saved = [frac / max(1, total) for frac in policy.saved]
    return PromptCacheReplay(
        input_bill_ratio=1 - saved[4],
        fixed_ratios={"none": 1.0, "seen-before": 1 - saved[1], "all": 1 - saved[2]},
        read_tokens=read,
        written_tokens=written,
        fresh_tokens=total - read - written,
        input_tokens=total,
        requests=count,
    )
