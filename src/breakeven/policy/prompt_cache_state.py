"""A policy's state as a plain value, so that a gateway that starts again knows what the one before it had learned.

The value is made of lists, numbers, text and bytes only: msgpack writes it as it is.
"""

from __future__ import annotations

from typing import Any, Final

from breakeven.errors import InputError
from breakeven.policy.prompt_cache import PromptCacheRule
from breakeven.policy.prompt_cache_memory import Sent
from breakeven.policy.prompt_cache_policy import MAX_PREFIXES, PromptCachePolicy
from breakeven.policy.prompt_cache_reuse import Group, ReuseModel

VERSION: Final = 2

PlainState = dict[str, Any]


def exported_state(policy: PromptCachePolicy) -> PlainState:
    """Everything that the policy knows. Restored, it decides as the policy does from here on."""
    numbers: dict[int, int] = {}
    groups: list[Group] = []
    for group in [*_waiting(policy), *_referred(policy)]:
        if id(group) not in numbers:
            numbers[id(group)] = len(groups)
            groups.append(group)
    return {
        "version": VERSION,
        "now_s": policy.now_s,
        "bill_tokens": policy.purse.bill_tokens,
        "held_tokens": policy.purse.held_tokens,
        "mean_tokens": policy.purse.mean_tokens,
        "saved_tokens": list(policy.purse.saved_tokens),
        "classes": [
            [list(key), known.at_risk[:], known.again[:], known.judged, known.gained]
            for key, known in policy.reuse.classes.items()
        ],
        "groups": [[group.at_s, [list(key) for key in group.keys], group.waiting] for group in groups],
        "waiting": [[numbers[id(group)] for group in queue] for queue in policy.reuse.waiting],
        "prefixes": [
            [digest, sent.last_s, sent.times, sent.weight, list(sent.until_s), numbers.get(id(sent.group))]
            for digest, sent in policy.memory.items()
        ],
    }


def restored_policy(rule: PromptCacheRule, state: PlainState, *, max_prefixes: int = MAX_PREFIXES) -> PromptCachePolicy:
    """The policy of an exported state.

    Raises:
        InputError: the state is of another version.
    """
    if state.get("version") != VERSION:
        raise InputError(
            "the saved prompt-cache state is of another version", hint="start without it: it is learned anew"
        )
    policy = PromptCachePolicy(rule, max_prefixes=max_prefixes)
    policy.now_s = state["now_s"]
    policy.purse.bill_tokens = state["bill_tokens"]
    policy.purse.held_tokens = state["held_tokens"]
    policy.purse.mean_tokens = state["mean_tokens"]
    policy.purse.saved_tokens = list(state["saved_tokens"])
    for key, at_risk, again, judged, gained in state["classes"]:
        known = policy.reuse.known_class(tuple(key))
        known.at_risk, known.again, known.judged, known.gained = list(at_risk), list(again), judged, gained
    groups = [_group(policy.reuse, *group) for group in state["groups"]]
    for queue, waiting in zip(policy.reuse.waiting, state["waiting"], strict=True):
        queue.extend(groups[number] for number in waiting)
    for digest, last_s, times, weight, until_s, number in state["prefixes"]:
        sent = Sent()
        sent.last_s, sent.times, sent.weight, sent.until_s = last_s, times, weight, list(until_s)
        sent.group = None if number is None else groups[number]
        policy.memory.restore(digest, sent)
    return policy


def _waiting(policy: PromptCachePolicy) -> list[Group]:
    return [group for queue in policy.reuse.waiting for group in queue]


def _referred(policy: PromptCachePolicy) -> list[Group]:
    return [sent.group for _, sent in policy.memory.items() if sent.group is not None]


def _group(reuse: ReuseModel, at_s: float, keys: list[list[int]], waiting: float) -> Group:
    group = reuse.known_group(at_s, tuple(tuple(key) for key in keys))
    group.waiting = waiting
    return group
