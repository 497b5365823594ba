"""Rules of marking that never learn, to hold the policy against, and the oracle that knows what comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from breakeven.plan.provider_cache import ProviderCache
from breakeven.policy.prompt_cache import Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_places import places


class PrefixRequest(NamedTuple):
    """A recorded request: when it came, its tokens, and its beginnings from the shortest to the longest."""

    at_s: float
    input_tokens: int
    prefixes: Sequence[Prefix]


def fixed_bill_ratios(requests: Sequence[PrefixRequest], rule: PromptCacheRule) -> Mapping[str, float]:
    """Input bills of the fixed rules relative to no caching, by name; ``oracle`` writes what pays, knowing all."""
    known = _sent_before(requests)
    reads_to_come = _reads_to_come(requests, rule.ttl_s)
    paying = int(rule.premium / rule.discount) + 1
    tops = {
        "seen-before": [_first_drop(times) for times in known],
        "all": [len(request.prefixes) for request in requests],
        "oracle": [_last_at_least(reads, paying) for reads in reads_to_come],
    }
    return {"none": 1.0, **{name: _bill_ratio(requests, known, top, rule) for name, top in tops.items()}}


def _bill_ratio(
    requests: Sequence[PrefixRequest], known: list[list[int]], tops: list[int], rule: PromptCacheRule
) -> float:
    """The bill of marking each request up to its top, and up to what is held."""
    cache = ProviderCache(rule)
    held_until_s: dict[bytes, float] = {}
    for request, times, top in zip(requests, known, tops, strict=True):
        tokens = [prefix.tokens for prefix in request.prefixes]
        held = _last_held(request, held_until_s, rule.min_tokens)
        last = max(held, top if top and tokens[top - 1] >= rule.min_tokens else 0)
        marked = places(times, tokens, held, last, rule)
        cache.send(request.prefixes, marked, request.at_s)
        kept = range(last) if rule.lookback is None else {*marked, *([held - 1] if held else [])}
        held_until_s.update((request.prefixes[place].digest, request.at_s + rule.ttl_s) for place in kept)
    input_tokens = sum(request.input_tokens for request in requests)
    return cache.billed_tokens(input_tokens) / max(1, input_tokens)


def _sent_before(requests: Sequence[PrefixRequest]) -> list[list[int]]:
    """How often each prefix of each request was sent before."""
    times: dict[bytes, int] = {}
    known: list[list[int]] = []
    for request in requests:
        known.append([times.get(prefix.digest, 0) for prefix in request.prefixes])
        for prefix in request.prefixes:
            times[prefix.digest] = times.get(prefix.digest, 0) + 1
    return known


def _reads_to_come(requests: Sequence[PrefixRequest], ttl_s: float) -> list[list[int]]:
    """How often each prefix of each request will be sent again without a gap longer than the time to expiry."""
    next_sent: dict[bytes, tuple[float, int]] = {}
    to_come: list[list[int]] = []
    for request in reversed(requests):
        reads: list[int] = []
        for prefix in request.prefixes:
            at_s, reads_then = next_sent.get(prefix.digest, (float("inf"), 0))
            reads.append(reads_then + 1 if at_s - request.at_s <= ttl_s else 0)
            next_sent[prefix.digest] = (request.at_s, reads[-1])
        to_come.append(reads)
    to_come.reverse()
    return to_come


def _first_drop(times: list[int]) -> int:
    return next((place for place, sent in enumerate(times) if not sent), len(times))


def _last_at_least(reads: list[int], least: int) -> int:
    return next((place + 1 for place in range(len(reads) - 1, -1, -1) if reads[place] >= least), 0)


def _last_held(request: PrefixRequest, held_until_s: dict[bytes, float], min_tokens: int) -> int:
    for place in range(len(request.prefixes) - 1, -1, -1):
        prefix = request.prefixes[place]
        if prefix.tokens < min_tokens:
            return 0
        if held_until_s.get(prefix.digest, float("-inf")) >= request.at_s:
            return place + 1
    return 0
