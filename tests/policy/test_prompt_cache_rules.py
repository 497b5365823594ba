"""A provider's rule comes from dated rows and price cards, or not at all."""

from __future__ import annotations

from datetime import date

import pytest

from breakeven.errors import BreakevenError
from breakeven.policy.prompt_cache import PromptCacheRule
from breakeven.policy.prompt_cache_rules import prompt_cache_rule

DAY = date(2026, 11, 24)


def test_anthropic_for_an_hour() -> None:
    assert prompt_cache_rule("anthropic", "claude-sonnet-4-5", "1h", DAY) == PromptCacheRule(
        write_multiplier=2.0, read_multiplier=0.1, ttl_s=3_600, min_tokens=1_024, max_marks=4, lookback=20
    )


def test_what_bedrock_does_not_publish_is_not_assumed() -> None:
    assert prompt_cache_rule("aws", "claude-sonnet-4-5", "5m", DAY).lookback == 0


def test_a_provider_that_caches_by_itself_writes_for_nothing_and_reads_any_boundary() -> None:
    rule = prompt_cache_rule("openai", "gpt-4o", "5m", DAY)
    assert (rule.premium, rule.discount, rule.lookback) == (0.0, 0.5, None)


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-unheard-of"), ("mistral", "mistral-large-4"), ("acme", "x")]
)
def test_what_is_not_recorded_is_an_error(provider: str, model: str) -> None:
    with pytest.raises(BreakevenError):
        prompt_cache_rule(provider, model, "5m", DAY)
