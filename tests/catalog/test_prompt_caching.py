"""How providers cache prompts is dated and sourced, and what it costs is what the price cards say."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from breakeven.catalog.hosted import hosted_cards
from breakeven.catalog.model_names import canonical_model_name
from breakeven.catalog.price_card import PriceRates
from breakeven.catalog.prompt_caching import PromptCaching, cache_prices, prompt_caching, prompt_caching_rows
from breakeven.errors import UnknownName

DAY = date(2026, 11, 24)
EXACT = [row for row in prompt_caching_rows() if "*" not in row.model]
UNPRICED = {("anthropic", "claude-mythos-5"), ("google", "claude-sonnet-5"), ("google", "claude-opus-4.1")}


@pytest.mark.parametrize("row", EXACT, ids=lambda row: f"{row.provider}/{row.model}")
def test_rows_agree_with_the_price_cards(row: PromptCaching) -> None:
    cards = [
        card
        for card in hosted_cards(DAY)
        if (card.provider, card.processing, canonical_model_name(card.model)) == (row.provider, "standard", row.model)
    ]
    assert cards or (row.provider, row.model) in UNPRICED
    for rates in (card.tiers[0] for card in cards):
        _agrees(row, rates)


def _agrees(row: PromptCaching, rates: PriceRates) -> None:
    written = {"5m": rates.cache_write_5m_usd_per_mtok, "1h": rates.cache_write_1h_usd_per_mtok}
    assert rates.input_usd_per_mtok
    assert row.read_multiplier is not None
    for ttl, multiplier in row.write_multipliers.items():
        if written[ttl] is not None:
            assert written[ttl] == multiplier * rates.input_usd_per_mtok
    if rates.cache_read_usd_per_mtok is not None:
        assert rates.cache_read_usd_per_mtok == row.read_multiplier * rates.input_usd_per_mtok


def test_minimums_are_those_of_the_source(shared_data: Path) -> None:
    targets = json.loads((shared_data / "caching" / "providers.json").read_text())["targets"]
    minimums = next(target for target in targets if target["id"] == "anthropic/direct")["min_cacheable_tokens"]
    assert minimums
    for model, tokens in minimums.items():
        name = canonical_model_name("claude-3-5-haiku" if model == "claude-haiku-3-5" else model)
        assert prompt_caching("anthropic", name).min_tokens == tokens


def test_a_model_answers_to_its_clouds_names() -> None:
    row = prompt_caching("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0")
    assert (row.provider, row.min_tokens, set(row.write_multipliers)) == ("aws", 4_096, {"5m", "1h"})


def test_a_family_is_found_by_its_longest_beginning() -> None:
    assert prompt_caching("openai", "gpt-5.6-sol").control == "explicit"
    assert prompt_caching("openai", "gpt-5.5").control == "automatic"


def test_a_card_says_what_a_read_costs() -> None:
    assert cache_prices("openai", "gpt-4o", "5m", DAY).read_multiplier == Decimal("0.5")


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        prompt_caching("anthropic", "claude-sonnet-4-9")
    assert caught.value.hint is not None
    assert "claude-sonnet-4.6" in caught.value.hint


def test_a_life_that_is_not_offered_is_refused() -> None:
    with pytest.raises(UnknownName, match="does not keep"):
        cache_prices("aws", "claude-opus-5", "1h", DAY)


def test_every_row_has_its_date_and_source() -> None:
    for row in prompt_caching_rows():
        assert row.source.startswith("https://")
        assert date(2026, 7, 1) <= row.checked_on <= DAY
