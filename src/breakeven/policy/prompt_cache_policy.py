"""Decide which prefixes of a prompt to mark, and learn from every request; a pure state machine without a clock.

Four rules run in the shadow on the same requests: mark nothing, mark what was sent before, mark everything, and the
learned rule. What each would have been billed is known exactly, whatever was marked. The learned rule is followed
unless a fixed one has saved more; and no rule may spend more on writing than has been saved so far, but for a small
share of the bill, without which nothing could ever be gained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule
from breakeven.policy.prompt_cache_reuse import Group, ReuseModel

BET_FRAC: Final = 0.004
HOPE_FRAC: Final = 0.0
FULL: Final = 1.0
STEEP: Final = 0.4
LAG_FRAC: Final = 0.05
NONE, SEEN, ALL, LEARNED = range(4)


class Sent:
    """A prefix that was sent: when, how often, and until when each rule's cache holds it."""

    __slots__ = ("group", "last_s", "times", "until", "weight")

    def __init__(self) -> None:
        self.last_s = float("-inf")
        self.times = 0
        self.weight = 0.0
        self.group: Group | None = None
        self.until = [float("-inf")] * 5


def _times_class(times: int) -> int:
    return times if times < 4 else 4 if times < 8 else 5 if times < 16 else 6


class PromptCachePolicy:
    def __init__(self, rule: PromptCacheRule, max_entries: int = 200_000) -> None:
        self.rule = rule
        self._reuse = ReuseModel(rule)
        self._max = max_entries
        self._young: dict[bytes, Sent] = {}
        self._old: dict[bytes, Sent] = {}
        self._mean = 0.0
        self._now = float("-inf")
        self.bill = 0.0
        self.saved = [0.0] * 5  # none, seen, all, learned, ours
        self.leader = LEARNED

    def _get(self, d: bytes) -> Sent | None:
        e = self._young.get(d)
        if e is None:
            e = self._old.pop(d, None)
            if e is not None:
                self._young[d] = e
        return e

    def decide(self, prefixes: Sequence[Prefix], input_tokens: int, at_s: float) -> Marks:
        at_s = self._now = max(self._now, at_s)
        rule = self.rule
        self._reuse.age(at_s)
        self._mean += (input_tokens - self._mean) * (0.01 if self._mean else 1.0)
        entries = [self._get(p.digest) for p in prefixes]
        nb = len(prefixes)
        k = 0
        while k < nb and entries[k] is not None:
            k += 1
        self.bill += input_tokens
        minb = 0
        while minb < nb and prefixes[minb].tokens < rule.min_tokens:
            minb += 1
        # reads by strategy
        reads = [0] * 5
        for s in range(1, 5):
            j = k
            while j > minb and entries[j - 1].until[s] < at_s:
                j -= 1
            reads[s] = j if j > minb else 0
        known_tokens = prefixes[k - 1].tokens if k else 0
        tn = ((input_tokens - known_tokens) >> 9).bit_length()
        tl = (input_tokens >> 9).bit_length()
        memo: dict[int, Group] = {}
        room = self._room(input_tokens)
        fill = min(1.0, max(0.0, room / (FULL * BET_FRAC * self.bill)))
        hurdle = rule.premium + STEEP * (1 - fill) * rule.discount
        groups = []
        acc = best = 0.0
        target = rdl = reads[LEARNED]
        acc_o = best_o = 0.0
        target_o = reads[4]
        prev = 0
        for j, (p, e) in enumerate(zip(prefixes, entries)):
            times = e.times if e is not None else 0
            code = _times_class(times) * 4 + (j == nb - 1) * 2 + (j >= k)
            g = memo.get(code)
            if g is None:
                kind = (code >> 1,)
                g = memo[code] = self._reuse.group(at_s, kind, ((code & 1, 0, tn), (code & 1, 1, tl)))
            groups.append(g)
            v = (g.worth - rule.premium) * (p.tokens - prev)
            vo = (g.worth - hurdle) * (p.tokens - prev)
            if j >= rdl:
                acc += v
                if acc > best and j >= minb:
                    best = acc
                    target = j + 1
            if j >= reads[4]:
                acc_o += vo
                if acc_o > best_o and j >= minb:
                    best_o = acc_o
                    target_o = j + 1
            prev = p.tokens
        tops = [0, max(reads[SEEN], k if k > minb else 0), nb if nb > minb else 0, target, 0]
        # choose
        lead = self._leader()
        want = target_o if lead == LEARNED else max(tops[lead], reads[4])
        room = self._room(input_tokens)
        tok = lambda j: prefixes[j - 1].tokens if j else 0
        rd_t = tok(reads[4])
        while want > reads[4] and (tok(want) - rd_t) * rule.premium > room:
            want -= 1
        if want <= minb:
            want = reads[4]
        tops[4] = want
        for s in range(1, 5):
            r, w = tok(reads[s]), tok(max(tops[s], reads[s]))
            self.saved[s] += r * rule.discount - (w - r) * rule.premium
        marks = Marks((want - 1,) if want else (), rd_t, tok(want) - rd_t)
        # learn
        exp = at_s + rule.ttl_s
        prev = 0
        for j, (p, e) in enumerate(zip(prefixes, entries)):
            g = groups[j]
            if e is None:
                e = self._young[p.digest] = Sent()
            elif e.group is not None:
                self._reuse.came_again(e.group, e.weight, at_s - e.last_s, g.worth)
            e.last_s = at_s
            e.times += 1
            e.group = g
            e.weight = (p.tokens - prev) / self._mean
            g.wait(e.weight)
            for s in range(1, 5):
                if j < tops[s] or j < reads[s]:
                    e.until[s] = exp
            prev = p.tokens
        if len(self._young) > self._max // 2:
            self._old, self._young = self._young, {}
        return marks

    def _leader(self) -> int:
        fixed = max((NONE, SEEN, ALL), key=self.saved.__getitem__)
        lag = LAG_FRAC * self.bill
        if self.saved[fixed] - self.saved[LEARNED] > lag:
            return fixed
        return LEARNED

    def _room(self, input_tokens: int) -> float:
        ours = self.saved[4]
        best = max(self.saved[:4])
        return ours + BET_FRAC * self.bill + HOPE_FRAC * max(0.0, best - max(0.0, ours))
