"""Where to put the few marks that a provider allows, once it is known how far a prompt shall be cached."""

from __future__ import annotations

from collections.abc import Sequence

from breakeven.policy.prompt_cache import PromptCacheRule


def places(times: Sequence[int], tokens: Sequence[int], read: int, top: int, rule: PromptCacheRule) -> tuple[int, ...]:
    """Boundaries to mark, ascending, so that what is held is read and the first ``top`` boundaries are held after.

    ``times`` says how often each prefix was sent before, and ``tokens`` how long it is; the first ``read`` boundaries
    are held already. One mark goes to the end; one to what is read, unless the provider finds it by looking back. The
    rest go where most requests have parted so far, so that the next one that parts there can read up to it.
    """
    if not top:
        return ()
    if rule.lookback is None:
        return (top - 1,)
    chosen = {top - 1}
    if read and top - read > rule.lookback:
        chosen.add(read - 1)
    partings = [
        place for place in range(top - 1) if times[place] > times[place + 1] and tokens[place] >= rule.min_tokens
    ]
    partings.sort(key=lambda place: (times[place] - times[place + 1]) * tokens[place], reverse=True)
    for place in partings:
        if len(chosen) >= rule.max_marks:
            break
        chosen.add(place)
    return tuple(sorted(chosen))
