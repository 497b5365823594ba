"""The rules of the prompt audit, in the order in which they are applied: what changes no answer comes first."""

from __future__ import annotations

from breakeven.review.duplicate_requests import DuplicateRequests
from breakeven.review.json_whitespace import JsonWhitespace
from breakeven.review.long_history import LongHistory
from breakeven.review.output_limits import OutputLimits
from breakeven.review.repeated_prompts import RepeatedPrompts
from breakeven.review.rule import PromptRule
from breakeven.review.unstable_system import UnstableSystem
from breakeven.review.unused_tools import UnusedTools


def prompt_rules() -> tuple[PromptRule, ...]:
    """Fresh rules, for one log."""
    return (
        DuplicateRequests(),
        JsonWhitespace(),
        RepeatedPrompts(),
        UnstableSystem(),
        UnusedTools(),
        LongHistory(),
        OutputLimits(),
    )
