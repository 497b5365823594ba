"""What is known of providers' prompt caches: of whole names and their snapshots, and nothing of what is not listed."""

from __future__ import annotations

import pytest

from breakeven.catalog import prompt_caches as module
from breakeven.catalog.hosted import find_card
from breakeven.catalog.prompt_caches import prompt_cache_of, prompt_caches
from breakeven.catalog.tables import Row
from breakeven.errors import CatalogError


@pytest.mark.parametrize(
    ("provider", "model", "control", "min_tokens"),
    [
        ("anthropic", "claude-opus-5", "cache_control", 512),
        ("anthropic", "claude-sonnet-4-5", "cache_control", 1_024),
        ("anthropic", "claude-sonnet-4-5-20250929", "cache_control", 1_024),
        ("anthropic", "claude-haiku-4-5-latest", "cache_control", 4_096),
        ("anthropic", "claude-opus-4-20250514", "cache_control", 1_024),
        ("anthropic", "claude-opus-4-7", "cache_control", 2_048),
        ("openai", "gpt-5.6-sol", "prompt_cache_breakpoint", 1_024),
        ("openai", "gpt-5.5", "prompt_cache_key", 1_024),
        ("openai", "gpt-4o-mini-2024-07-18", "prompt_cache_key", 1_024),
        ("mistral", "mistral-large-latest", "prompt_cache_key", 1_024),
    ],
)
def test_a_model_has_the_rule_of_its_own_name(provider: str, model: str, control: str, min_tokens: int) -> None:
    known = prompt_cache_of(provider, model)
    assert known is not None
    assert (known.control, known.min_tokens) == (control, min_tokens)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-opus-4-9"),
        ("anthropic", "claude-sonnet-4-5-turbo"),
        ("anthropic", "gpt-5.6"),
        ("aws", "claude-sonnet-4-5"),
        ("own-gpu", "gpt-5.6"),
        ("deepseek", "deepseek-chat"),
    ],
)
def test_what_is_not_listed_is_not_known(provider: str, model: str) -> None:
    assert prompt_cache_of(provider, model) is None


def test_multipliers_are_those_of_the_prices() -> None:
    """Anthropic states both; a row that differs from the price list is wrong, or the list is."""
    for model in ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-8"):
        known = prompt_cache_of("anthropic", model)
        [rates, *_] = find_card(model, provider="anthropic").tiers
        assert known is not None
        assert rates.input_usd_per_mtok is not None
        assert rates.cache_write_5m_usd_per_mtok is not None
        assert rates.cache_read_usd_per_mtok is not None
        assert float(rates.cache_write_5m_usd_per_mtok / rates.input_usd_per_mtok) == known.write_multiplier
        assert float(rates.cache_read_usd_per_mtok / rates.input_usd_per_mtok) == known.read_multiplier
        if rates.cache_write_1h_usd_per_mtok is not None:
            assert float(rates.cache_write_1h_usd_per_mtok / rates.input_usd_per_mtok) == known.long_write_multiplier


def test_every_row_is_dated_and_sourced() -> None:
    assert all(each.source and each.checked_on for each in prompt_caches())
    names = [(each.provider, each.model) for each in prompt_caches()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "wrong", [{"read_multiplier": "2"}, {"long_ttl_s": ""}, {"long_write_multiplier": ""}, {"control": "magic"}]
)
def test_a_row_that_cannot_be_right_is_refused(wrong: dict[str, str]) -> None:
    cells = {
        "provider": "p",
        "model": "m",
        "control": "cache_control",
        "min_tokens": "1",
        "ttl_s": "300",
        "write_multiplier": "1.25",
        "long_ttl_s": "3600",
        "long_write_multiplier": "2",
        "read_multiplier": "0.1",
        "max_marks": "4",
        "lookback": "20",
        "source": "s",
        "checked_on": "2026-11-24",
    }
    module._prompt_cache(Row(file="f.csv", line=2, cells=cells))
    with pytest.raises(CatalogError, match=r"f\.csv, line 2"):
        module._prompt_cache(Row(file="f.csv", line=2, cells={**cells, **wrong}))
