"""Tells a provider what of a prompt to cache, where that is expected to pay, and learns from the bills whether it did.

What it knows is kept for each tenant and deployment: the prefixes that came, what marks have saved, and how many bytes
make a token. It stands down where the caller says anything of a cache, where nothing is known of the provider's, where
the prompt is below its minimum, and where the policy expects no gain or its purse is empty.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from breakeven.catalog.prompt_caches import CacheControl, PromptCache, prompt_cache_of
from breakeven.ledger.entry import LedgerEntry, MarkedBy
from breakeven.pipeline.target import Target
from breakeven.policy.mark_places import mark_places
from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_policy import PromptCachePolicy
from breakeven.policy.token_scale import TokenScale
from breakeven.upstreams.cache_marks import MarkStyle, Ttl, boundaries, says_what_to_cache, with_key, with_marks
from breakeven.upstreams.json_spans import Unlocatable
from breakeven.upstreams.prompt_boundaries import ATTACHMENT_TOKENS, Boundaries
from breakeven.upstreams.wire import Question, WireName

MOST_LEARNERS: Final = 128
"""Tenants at deployments that are remembered; those that were not heard of for longest are forgotten."""

MOST_PREFIXES: Final = 400_000
"""Prefixes of all together, 130 to 230 MB; beyond it, who has most forgets first. One alone has ``MAX_PREFIXES``."""

_Whose = tuple[str, str, str]

_TEXT_BYTES_PER_TOKEN: Final = 4
_DENSE_BYTES_PER_TOKEN: Final = 2
"""A shorter body cannot have as many tokens as are cached at least, so it is not looked into."""

_KEYED_PATHS: Final = frozenset({"/chat/completions", "/responses"})
_UNKNOWN: Final[Mapping[WireName, CacheControl]] = {"anthropic": "cache_control"}
"""How callers mark where nothing is known of a provider's cache but its wire."""

_PATHS: Final[Mapping[MarkStyle, str]] = {"cache_control": "/messages", "prompt_cache_breakpoint": "/chat/completions"}


class Learner(Struct, kw_only=True, gc=False):
    """What is known of one tenant's prompts at one deployment."""

    policy: PromptCachePolicy
    scale: TokenScale
    ttl: Ttl


class Told(Struct, kw_only=True):
    """What an attempt teaches when it is billed: the prompt's size, and what was read and written.

    ``accounted`` is what the policy takes to have been read and written so far, since an attempt may be repeated; None
    where the provider sets marks of its own, so that its bill says nothing about ours.
    """

    learner: Learner
    sized_bytes: int
    is_text: bool
    accounted: Marks | None


class Marked(Struct, frozen=True, kw_only=True):
    """A body, who asked for it to be cached, and what its bill will teach; None where nothing will be learned."""

    body: bytes
    marked_by: MarkedBy = "none"
    told: Told | None = None


class PromptMarker:
    """Marks bodies. ``now_s`` gives the time in seconds since 1970."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self.now_s = now_s
        self._learners: OrderedDict[_Whose, Learner] = OrderedDict()
        self._prefixes = 0

    def marked(self, tenant: str, question: Question, target: Target, path: str, body: bytes) -> Marked:
        """A body on its way to a deployment's ``path``, marked where that is expected to pay."""
        known = _known(target.provider, target.model)
        control = known.control if known is not None else _UNKNOWN.get(target.upstream.wire)
        if control is not None and says_what_to_cache(body, question.fields, control):
            return Marked(body=body, marked_by="caller")
        if known is None or not target.body_rules.marks_cache:
            return Marked(body=body)
        if known.control == "prompt_cache_key":
            keyed = path in _KEYED_PATHS and question.prefix and len(body) >= _TEXT_BYTES_PER_TOKEN * known.min_tokens
            return Marked(body=with_key(body, tenant.encode(), question.prefix) if keyed else body)
        if path != _PATHS[known.control] or len(body) < _DENSE_BYTES_PER_TOKEN * known.min_tokens:
            return Marked(body=body)
        ttl: Ttl = "5m" if known.long_ttl_s is None else target.body_rules.cache_ttl
        try:
            return self._decided(self._learner(tenant, target, known, ttl), known.control, ttl, body)
        except Unlocatable:
            return Marked(body=body)

    def settled(self, told: Told, entry: LedgerEntry) -> None:
        """Learn from a bill, also from that of an attempt that failed and cost nothing."""
        usage, basis, learner = entry.usage, entry.usage_basis, told.learner
        if told.accounted is not None and basis in ("reported", "none"):
            written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
            billed = Marks(read_tokens=usage.cache_read_tokens, written_tokens=written)
            learner.policy.settle(told.accounted, billed.read_tokens, billed.written_tokens)
            told.accounted = billed
        if told.is_text and basis == "reported":
            learner.scale.observe(told.sized_bytes, usage.input_tokens)

    def _decided(self, learner: Learner, style: MarkStyle, ttl: Ttl, body: bytes) -> Marked:
        found = boundaries(body, style, learner.scale.tokens_per_byte)
        prefixes = [each.prefix for each in found.found]
        marks = self._wanted(learner, prefixes, _tokens(found, learner))
        places = mark_places(prefixes, marks, found.section_ends, learner.policy.rule)
        told = Told(
            learner=learner,
            sized_bytes=found.sized_bytes,
            is_text=not found.attachments,
            accounted=marks if style == "cache_control" else None,
        )
        if not places:
            return Marked(body=body, told=told)
        written = with_marks(body, style, [(found.found[place], ttl) for place in places])
        return Marked(body=written, marked_by="gateway" if style == "cache_control" else "none", told=told)

    def _wanted(self, learner: Learner, prefixes: list[Prefix], input_tokens: int) -> Marks:
        policy = learner.policy
        before = len(policy.memory)
        marks = policy.decide(prefixes, input_tokens, self.now_s())
        self._prefixes += len(policy.memory) - before
        while self._prefixes > MOST_PREFIXES:
            most = max((each.policy.memory for each in self._learners.values()), key=len)
            self._prefixes -= len(most)
            most.turn()
            self._prefixes += len(most)
        return marks

    def _learner(self, tenant: str, target: Target, known: PromptCache, ttl: Ttl) -> Learner:
        wanted = tenant, target.name, target.model
        learner = self._learners.get(wanted)
        if learner is not None and learner.ttl == ttl:
            self._learners.move_to_end(wanted)
            return learner
        if learner is None and len(self._learners) >= MOST_LEARNERS:
            _, learner = self._learners.popitem(last=False)
        if learner is not None:
            self._prefixes -= len(learner.policy.memory)
        learner = Learner(policy=PromptCachePolicy(rule_of(known, ttl)), scale=TokenScale(), ttl=ttl)
        self._learners[wanted] = learner
        return learner


def rule_of(known: PromptCache, ttl: Ttl) -> PromptCacheRule:
    """A provider's cache as the policy knows it, kept for an hour where that is asked for and can be had."""
    kept, multiplier = known.ttl_s, known.write_multiplier
    if ttl == "1h" and known.long_ttl_s is not None and known.long_write_multiplier is not None:
        kept, multiplier = known.long_ttl_s, known.long_write_multiplier
    return PromptCacheRule(
        write_multiplier=multiplier,
        read_multiplier=known.read_multiplier,
        ttl_s=kept,
        min_tokens=known.min_tokens,
        max_marks=known.max_marks,
        lookback=known.lookback,
    )


@lru_cache(maxsize=4096)
def _known(provider: str, model: str) -> PromptCache | None:
    return prompt_cache_of(provider, model)


def _tokens(found: Boundaries, learner: Learner) -> int:
    return int(found.sized_bytes * learner.scale.tokens_per_byte) + found.attachments * ATTACHMENT_TOKENS
