"""Decide which prefixes of a prompt to mark, and learn from every request.

A pure state machine: time comes with the requests. Three rules run in the shadow on the same stream, and what each
would have been billed is known exactly, whatever was marked: mark what was sent before, mark everything, and mark
what is worth it. The last one is followed as far as the purse goes (``prompt_cache_purse``); while it is far behind
the first one, that one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_memory import ALL, LEARNED, OURS, RULES, SEEN, Sent, SentMemory
from breakeven.policy.prompt_cache_places import places
from breakeven.policy.prompt_cache_purse import Purse
from breakeven.policy.prompt_cache_reuse import Group, ReuseModel

MAX_PREFIXES: Final = 200_000
"""Prefixes that a policy remembers by default: at 330 bytes each, or 570 in prompts of four, 66 to 115 MB."""

TIMES_CLASSES: Final = (0, 1, 2, 3, *[4] * 4, *[5] * 8, 6)
"""Class of a prefix by how often it was sent before; the last one holds for all beyond."""

BLOCK_BITS: Final = 9
"""Lengths are told apart by their power of two, in units of 512 tokens."""


class _Request(NamedTuple):
    """A request on its way through the policy; ``first`` boundaries are too short to be cached."""

    at_s: float
    input_tokens: int
    tokens: list[int]
    sent: list[Sent]
    known: int
    first: int

    def tokens_to(self, boundaries: int) -> int:
        """Tokens of the first so many boundaries."""
        return self.tokens[boundaries - 1] if boundaries else 0


class PromptCachePolicy:
    """The policy for one provider's rule. Requests must come in order; an earlier time counts as the latest seen."""

    __slots__ = ("memory", "now_s", "purse", "reuse", "rule")

    def __init__(self, rule: PromptCacheRule, *, max_prefixes: int = MAX_PREFIXES) -> None:
        self.rule = rule
        self.memory = SentMemory(max_prefixes)
        self.reuse = ReuseModel(rule)
        self.purse = Purse(rule)
        self.now_s = float("-inf")

    def decide(self, prefixes: Sequence[Prefix], input_tokens: int, at_s: float) -> Marks:
        """Say where to mark a request that is sent now, and learn from it.

        ``prefixes`` ascend in tokens, none longer than ``input_tokens``. Time grows with their number only.
        """
        request = self._read(prefixes, input_tokens, at_s)
        groups = self._learn(request)
        self.purse.bill(input_tokens)
        reads = [self._held(request, rule) for rule in range(RULES)]
        if self.purse.is_overdrawn:
            reads[OURS] = 0  # what should be read was billed as written too often to be counted on
        tops = self._tops(request, groups, reads)
        for rule, (read, top) in enumerate(zip(reads, tops, strict=True)):
            self.purse.account(rule, request.tokens_to(read), request.tokens_to(top) - request.tokens_to(read))
        marked = places([sent.times for sent in request.sent], request.tokens, reads[OURS], tops[OURS], self.rule)
        self._keep(request, groups, reads, tops, marked)
        read_tokens = request.tokens_to(reads[OURS])
        return Marks(marked, read_tokens, request.tokens_to(tops[OURS]) - read_tokens)

    def settle(self, expected: Marks, read_tokens: int, written_tokens: int) -> None:
        """Correct the purse by what the provider billed, where that is not what ``decide`` expected.

        The rules in the shadow would have met the same provider, so they are corrected by as much.
        """
        for rule in range(RULES):
            self.purse.account(rule, read_tokens - expected.read_tokens, written_tokens - expected.written_tokens)

    def _read(self, prefixes: Sequence[Prefix], input_tokens: int, at_s: float) -> _Request:
        self.now_s = max(self.now_s, at_s)
        self.purse.see(input_tokens)
        tokens = [prefix.tokens for prefix in prefixes]
        sent = self.memory.path(prefixes)
        known = next((place for place, prefix in enumerate(sent) if not prefix.times), len(sent))
        first = next((place for place, size in enumerate(tokens) if size >= self.rule.min_tokens), len(tokens))
        return _Request(self.now_s, input_tokens, tokens, sent, known, first)

    def _learn(self, request: _Request) -> list[Group]:
        """Tell the model what came again, and group what is sent now."""
        reuse, at_s = self.reuse, request.at_s
        reuse.age(at_s)
        in_time = [
            sent.group is not None and reuse.again(sent.group, sent.weight, at_s - sent.last_s) for sent in request.sent
        ]
        groups = self._groups(request)
        for sent, group, again in zip(request.sent, groups, in_time, strict=True):
            if again and sent.group is not None:
                reuse.judge(sent.group, sent.weight, group.worth)
        return groups

    def _groups(self, request: _Request) -> list[Group]:
        new_size = ((request.input_tokens - request.tokens_to(request.known)) >> BLOCK_BITS).bit_length()
        full_size = (request.input_tokens >> BLOCK_BITS).bit_length()
        made: dict[tuple[int, bool, bool], Group] = {}
        groups: list[Group] = []
        last = len(request.sent) - 1
        for place, sent in enumerate(request.sent):
            key = (TIMES_CLASSES[min(sent.times, 16)], place == last, place >= request.known)
            group = made.get(key)
            if group is None:
                traits = ((key[2], 0, new_size), (key[2], 1, full_size))
                group = made[key] = self.reuse.group(request.at_s, key[:2], traits)
            groups.append(group)
        return groups

    def _held(self, request: _Request, rule: int) -> int:
        """Boundaries that the cache of a rule holds: up to the longest one that can be read."""
        for place in range(request.known - 1, request.first - 1, -1):
            if request.sent[place].until_s[rule] >= request.at_s:
                return place + 1
        return 0

    def _tops(self, request: _Request, groups: list[Group], reads: list[int]) -> list[int]:
        """Up to which boundary each rule has a request cached."""
        room_tokens = self.purse.room_tokens()
        tops = [0] * RULES
        tops[SEEN] = request.known if request.known > request.first else 0
        tops[ALL] = len(request.sent) if len(request.sent) > request.first else 0
        tops[LEARNED] = self._worth_marking(request, groups, reads[LEARNED], self.rule.premium)
        if self.purse.learned_lags:
            tops[OURS] = max(tops[SEEN], reads[OURS])
        else:
            tops[OURS] = self._worth_marking(request, groups, reads[OURS], self.purse.hurdle(room_tokens))
        tops[OURS] = self._affordable(request, reads[OURS], tops[OURS], room_tokens)
        return [max(top, read) for top, read in zip(tops, reads, strict=True)]

    def _worth_marking(self, request: _Request, groups: list[Group], read: int, hurdle: float) -> int:
        """The boundary up to which writing gains most over the hurdle; ``read`` if none gains."""
        best, total, top = 0.0, 0.0, read
        before = request.tokens_to(read)
        for place in range(read, len(groups)):
            tokens = request.tokens[place]
            total += (groups[place].worth - hurdle) * (tokens - before)
            before = tokens
            if total > best and place >= request.first:
                best, top = total, place + 1
        return top

    def _affordable(self, request: _Request, read: int, top: int, room_tokens: float) -> int:
        """The last boundary up to ``top`` whose premium the purse has room for."""
        held_tokens = request.tokens_to(read)
        while top > read and (request.tokens_to(top) - held_tokens) * self.rule.premium > room_tokens:
            top -= 1
        return top if top > request.first else read

    def _keep(
        self, request: _Request, groups: list[Group], reads: list[int], tops: list[int], marked: tuple[int, ...]
    ) -> None:
        """Remember what each rule's cache holds now."""
        until_s = request.at_s + self.rule.ttl_s
        for rule, top in enumerate(tops):
            if rule != OURS or self.rule.lookback is None:
                for sent in request.sent[:top]:
                    sent.until_s[rule] = until_s
        if self.rule.lookback is not None:
            self._keep_marked(request, reads[OURS], marked, until_s)
        self._count(request, groups)

    def _keep_marked(self, request: _Request, read: int, marked: tuple[int, ...], until_s: float) -> None:
        """Remember the marks, where only marks can be read. One inside what was read must be held already."""
        for place in {*marked, *([read - 1] if read else [])}:
            held = request.sent[place].until_s
            if place >= read or held[OURS] >= request.at_s:
                held[OURS] = until_s

    def _count(self, request: _Request, groups: list[Group]) -> None:
        before = 0
        scale = (self.purse.mean_tokens * max(1, request.input_tokens)) ** 0.5
        for sent, group, tokens in zip(request.sent, groups, request.tokens, strict=True):
            sent.last_s = request.at_s
            sent.times += 1
            sent.group = group
            sent.weight = (tokens - before) / scale
            self.reuse.sent(group, sent.weight)
            before = tokens
