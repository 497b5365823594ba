"""Where a prompt is marked: where the policy wants it, and before that where others may have left something to read."""

from __future__ import annotations

from collections.abc import Sequence

from breakeven.policy.prompt_cache import Marks, Prefix, PromptCacheRule


def mark_places(
    prefixes: Sequence[Prefix], marks: Marks, section_ends: Sequence[int], rule: PromptCacheRule
) -> list[int]:
    """Boundaries to mark, ascending, as many as the provider takes. ``section_ends`` is where tools and system end.

    Everything up to the policy's last mark is read or written anyway, so a mark before it costs nothing. One is put
    where the prompt leaves what was sent before: the last mark may be further from there than the provider looks back,
    and others may leave it there too. The others are where tools and system prompt end.
    """
    if not marks.boundaries:
        return []
    last = marks.boundaries[-1]
    parting = [place for place in range(last) if prefixes[place].tokens == marks.read_tokens]
    more = [*parting[-1:], *(place for place in reversed(section_ends) if place < last)]
    wanted = dict.fromkeys([*marks.boundaries, *more])
    able = [place for place in wanted if prefixes[place].tokens >= rule.min_tokens]
    return sorted(able[: rule.max_marks])
