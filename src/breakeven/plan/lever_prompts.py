"""A trace replayed through the provider's prompt cache, marked by the policy that the gateway marks by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.prompt_caches import PromptCache, prompt_cache_of
from breakeven.catalog.usage import Usage
from breakeven.errors import Unpriced
from breakeven.options.replayed_bills import Bills, bills, saving
from breakeven.plan.fixed_marks import PrefixRequest
from breakeven.plan.lever_report import LeverResult
from breakeven.plan.provider_cache import CacheUse, ProviderCache
from breakeven.policy.mark_places import mark_places
from breakeven.policy.prompt_cache import Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_memory import ALL, SEEN
from breakeven.policy.prompt_cache_policy import PromptCachePolicy
from breakeven.policy.prompt_cache_purse import Purse
from breakeven.workload.prefix_blocks import PrefixBlocks
from breakeven.workload.trace import Trace

_DIGEST_BYTES = 8


class Kept(NamedTuple):
    """For how long a provider keeps a prefix, seconds, and what writing it costs, in prices of a fresh token."""

    ttl_s: float
    write_multiplier: float
    is_long: bool


def prompt_cache_result(
    trace: Trace, card: PriceCard, stated_ttl_s: float | None, without: Bills, *, is_block_markable: bool = False
) -> LeverResult:
    """What marking the trace's prompts would save at a card's price; ``unknown`` where that cannot be told.

    ``is_block_markable`` says that the trace's blocks are those of the bodies, which carry marks: then the provider
    looks back as far as it does. Blocks of so many tokens each stand in no body; of these any boundary can be read.
    """
    known = prompt_cache_of(card.provider, card.model)
    kept = None if known is None else _kept(known, stated_ttl_s)
    if trace.blocks is None:
        return _unknown("the trace has no hash_ids, which tell the prefixes of its prompts")
    if known is None:
        return _unknown(f"the catalogue does not say how {card.label} caches prompts")
    if kept is None:
        return _unknown(f"{card.provider} keeps prefixes for {known.ttl_s:,.0f} s or {known.long_ttl_s or 0:,.0f} s")
    rule = _rule(known, kept, known.lookback if is_block_markable else None)
    policy, cache = PromptCachePolicy(rule), ProviderCache(rule)
    cached = [_sent(request, policy, cache) for request in prefix_requests(trace, trace.blocks)]
    try:
        with_lever = bills(card, _usages(trace, cached, kept))
    except Unpriced as refused:
        return _unknown(refused.message)
    return LeverResult(
        name="prompt-cache",
        rule=_words(known, kept),
        ttl_s=kept.ttl_s,
        hits=sum(each.read_tokens > 0 for each in cached),
        saving=saving(without, with_lever, trace.arrivals_s, trace.span_s),
        compared=_compared(policy.purse),
    )


def _sent(request: PrefixRequest, policy: PromptCachePolicy, cache: ProviderCache) -> CacheUse:
    """One request on its way through the policy and to the provider, as the gateway sends it."""
    marks = policy.decide(request.prefixes, request.input_tokens, request.at_s)
    return cache.send(request.prefixes, mark_places(request.prefixes, marks, (), policy.rule), request.at_s)


def _compared(purse: Purse) -> tuple[tuple[str, float], ...]:
    """Input bills of the rules that ran in the policy's shadow: over blocks of which each can be read."""
    bill_tokens = max(1, purse.bill_tokens)
    return tuple(
        (name, 1 - purse.saved_tokens[rule] / bill_tokens) for name, rule in (("seen-before", SEEN), ("all", ALL))
    )


def prefix_min_tokens(card: PriceCard) -> int | None:
    """The shortest prefix that is cached for a card's model, tokens; None where it is not known."""
    known = prompt_cache_of(card.provider, card.model)
    return None if known is None else known.min_tokens


def prefix_requests(trace: Trace, blocks: PrefixBlocks) -> Iterator[PrefixRequest]:
    """The trace's requests with their beginnings: one at the end of each block, the last at the end of the prompt."""
    inputs, arrivals = trace.input_tokens.tolist(), trace.arrivals_s.tolist()
    for row, (input_tokens, at_s) in enumerate(zip(inputs, arrivals, strict=True)):
        yield PrefixRequest(at_s, input_tokens, tuple(_prefixes(blocks.of(row), blocks.block_tokens, input_tokens)))


def _prefixes(ids: list[int], block_tokens: int, input_tokens: int) -> Iterator[Prefix]:
    """A beginning's digest covers all of its blocks, so blocks that are not chained in the trace are chained here."""
    chain, tokens = 0, 0
    for block in ids:
        if tokens >= input_tokens:
            return
        chain = hash((chain, block))
        tokens = min(tokens + block_tokens, input_tokens)
        yield Prefix(chain.to_bytes(_DIGEST_BYTES, "little", signed=True), tokens)


def _usages(trace: Trace, cached: Sequence[CacheUse], kept: Kept) -> Iterator[Usage]:
    """What each request is billed for; where writing is free, what is written is ordinary input."""
    is_charged = kept.write_multiplier != 1
    rows = zip(trace.input_tokens.tolist(), trace.output_tokens.tolist(), cached, strict=True)
    for input_tokens, output_tokens, each in rows:
        written = each.written_tokens if is_charged else 0
        yield Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=each.read_tokens,
            cache_write_5m_tokens=0 if kept.is_long else written,
            cache_write_1h_tokens=written if kept.is_long else 0,
        )


def _kept(known: PromptCache, stated_ttl_s: float | None) -> Kept | None:
    """The life that was stated, at its price; a provider that offers no choice is taken at the user's word."""
    if stated_ttl_s is None or stated_ttl_s == known.ttl_s or known.long_ttl_s is None:
        return Kept(stated_ttl_s or known.ttl_s, known.write_multiplier, is_long=False)
    if stated_ttl_s == known.long_ttl_s and known.long_write_multiplier is not None:
        return Kept(stated_ttl_s, known.long_write_multiplier, is_long=True)
    return None


def _rule(known: PromptCache, kept: Kept, lookback: int | None) -> PromptCacheRule:
    """The provider's rule for what is kept so long."""
    return PromptCacheRule(
        write_multiplier=kept.write_multiplier,
        read_multiplier=known.read_multiplier,
        ttl_s=kept.ttl_s,
        min_tokens=known.min_tokens,
        max_marks=max(known.max_marks, 1),
        lookback=lookback,
    )


def _words(known: PromptCache, kept: Kept) -> str:
    costs = f"writing {kept.write_multiplier:g} and reading {known.read_multiplier:g} times the price of fresh input"
    lives = f"prefixes of {known.min_tokens:,} tokens or more kept {kept.ttl_s:,.0f} s, {costs}"
    if known.control == "prompt_cache_key":
        return f"{lives}; the provider does this by itself, so it is no saving of the gateway's"
    return f"{lives}; marked by the gateway's policy"


def _unknown(why: str) -> LeverResult:
    return LeverResult(name="prompt-cache", rule="", unknown=why)
