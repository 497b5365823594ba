"""The catalogue by name: which card a name means, and every trap of the price library closed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from breakeven.catalog import genai_source
from breakeven.catalog.hosted import find_card, find_cards, hosted_cards, maker_model_name, matching_cards
from breakeven.catalog.pricing import price
from breakeven.catalog.retirements import retirements
from breakeven.catalog.usage import Usage
from breakeven.errors import AmbiguousName, BreakevenError, UnknownName, Unpriced
from conftest import REPOSITORY

DAY = date(2026, 11, 24)
USAGE = Usage(input_tokens=800, output_tokens=400)


def usd(model: str) -> Decimal:
    return price(find_card(model, at=DAY), USAGE).usd


@pytest.mark.parametrize(
    ("model", "expected_usd"),
    [
        ("gpt-4o", "0.006"),
        ("openai/gpt-4o-mini", "0.00036"),
        ("claude-3-5-haiku-20241022", "0.00224"),
        ("gemini-2.0-flash", "0.00024"),
    ],
)
def test_the_article_prices_of_one_request(model: str, expected_usd: str) -> None:
    assert usd(model) == Decimal(expected_usd)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("GPT-4o", "openai/gpt-4o"),
        ("azure/gpt-4o", "azure/gpt-4o"),
        ("azure_openai/gpt-4o", "azure/gpt-4o"),
        ("models/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("vertex_ai/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("gpt-5.2-20251211", "openai/gpt-5.2"),
        ("claude-sonnet-4.5", "anthropic/claude-sonnet-4-5"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "aws/regional.anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("bedrock/amazon.nova-lite-v1:0", "aws/amazon.nova-lite-v1:0"),
        ("accounts/fireworks/models/deepseek-v3p2", "fireworks/deepseek-v3p2"),
        ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("xai/grok-4.3", "x-ai/grok-4.3"),
        ("text-embedding-3-small", "openai/text-embedding-3-small"),
    ],
)
def test_names_as_other_tools_write_them(name: str, label: str) -> None:
    provider = "fireworks" if name.startswith("accounts/") else None
    assert find_card(name, provider=provider, at=DAY).label == label


def test_a_resold_model_says_whose_price_it_is() -> None:
    card = find_card("azure/gpt-4o", at=DAY)
    assert "openai's list price" in card.note
    with pytest.raises(UnknownName, match="no published batch price"):
        find_card("azure/gpt-4o", processing="batch", at=DAY)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("gpt-4oo", "openai/gpt-4o"),
        ("gpt-5-nano-zzz", "openai/gpt-5-nano"),
        ("openai/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("claud-sonnet-4-5", "claude-sonnet-4"),
    ],
)
def test_an_unknown_model_is_an_error_with_the_nearest_names(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownName) as caught:
        find_card(name, at=DAY)
    assert suggestion in (caught.value.cause or "")
    assert (caught.value.hint or "").startswith("breakeven ")


@pytest.mark.parametrize("name", ["", " ", "/", "openai/", "foo", "x" * 10_000, "\x00", "💥/💥", "azure/my-deployment"])
def test_no_name_is_a_default(name: str) -> None:
    with pytest.raises(UnknownName):
        find_card(name, at=DAY)


def test_an_id_of_several_resellers_is_refused() -> None:
    with pytest.raises(AmbiguousName) as caught:
        find_card("meta-llama/Llama-3.3-70B-Instruct", at=DAY)
    assert "novita" in (caught.value.cause or "")


def test_unknown_provider_and_processing_name_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        find_card("gpt-4o", provider="opnai", at=DAY)
    assert caught.value.hint == "--provider openai"
    with pytest.raises(UnknownName) as caught:
        find_card("gpt-4o", processing="Batch", at=DAY)
    assert caught.value.hint == "--processing batch"


def test_an_unknown_variant_is_never_the_standard_price() -> None:
    with pytest.raises(UnknownName) as caught:
        find_card("o1-mini", processing="flex", at=DAY)
    assert "the standard price is not put in its place" in (caught.value.cause or "")


def test_a_variant_that_only_the_second_source_has_is_named_as_such() -> None:
    card = find_card("gemini-2.5-flash", processing="flex", at=DAY)
    assert card.source.startswith("litellm")
    assert price(card, USAGE).nano_usd * 2 == price(find_card("gemini-2.5-flash", at=DAY), USAGE).nano_usd


def test_a_dated_variant_is_refused_before_its_date() -> None:
    with pytest.raises(UnknownName) as caught:
        find_card("gpt-5", processing="batch", at=date(2026, 10, 13))
    assert "2026-10-14" in (caught.value.cause or "")
    assert find_card("gpt-5", processing="batch", at=date(2026, 10, 14)).processing == "batch"


def test_a_variant_that_overrides_some_prices_inherits_the_rest() -> None:
    standard, batch = (find_card("gpt-4.1", processing=tier, at=DAY).tiers[0] for tier in ("standard", "batch"))
    assert (batch.input_usd_per_mtok, batch.output_usd_per_mtok) == (Decimal(1), Decimal(4))
    assert batch.cache_read_usd_per_mtok == standard.cache_read_usd_per_mtok == Decimal("0.5")


def test_history_prices_the_day_that_is_asked_for() -> None:
    before, after = (price(find_card("o3", at=day), USAGE).usd for day in (date(2025, 6, 9), date(2025, 6, 11)))
    assert before == 5 * after


@pytest.mark.parametrize("model", ["whisper-1", "tts-1", "mistral/mistral-ocr-2512", "groq/whisper-large-v3"])
def test_what_tokens_cannot_price_is_never_free(model: str) -> None:
    with pytest.raises(Unpriced):
        usd(model)


@pytest.mark.parametrize("model", ["github-copilot/gpt-4o", "google/gemma-3", "openai/moderation"])
def test_what_has_no_published_price_is_never_free(model: str) -> None:
    with pytest.raises(Unpriced):
        usd(model)


def test_a_model_that_is_no_longer_served_is_priced_and_marked() -> None:
    retired = find_card("gpt-4.1-nano", at=date(2026, 10, 23))
    assert retired.retired_on == date(2026, 10, 23)
    before = find_card("gpt-4.1-nano", at=date(2026, 10, 22))
    assert before.retired_on is None
    assert "to be retired on 2026-10-23" in before.note
    assert price(retired, USAGE).nano_usd == price(before, USAGE).nano_usd


def test_every_retirement_is_of_a_listed_model_with_a_source() -> None:
    for (provider, model), row in retirements().items():
        assert model in {listed.id for listed in genai_source.models(provider).values()}
        assert row.source
    retired = [card for card in hosted_cards(DAY) if card.retired_on is not None]
    assert 60 < len(retired) < 150
    assert {"openai/gpt-4o", "openai/gpt-4o-mini"}.isdisjoint(card.label for card in retired)


def test_a_free_endpoint_is_marked_as_free() -> None:
    card = find_card("openrouter/openai/gpt-oss-120b:free", at=DAY)
    assert card.is_free
    assert price(card, USAGE).nano_usd == 0
    assert not any(card.is_free for card in hosted_cards(DAY) if card.provider == "anthropic")


def test_a_moved_alias_is_refused_and_its_model_is_not() -> None:
    with pytest.raises(AmbiguousName) as caught:
        find_card("mistral-large-latest", at=DAY)
    assert "$2/$6" in (caught.value.cause or "")
    assert "$0.5/$1.5" in (caught.value.cause or "")
    assert usd("mistral/mistral-large-2512") == Decimal("0.001")


def test_a_disagreement_about_a_plain_name_is_a_note() -> None:
    assert "litellm" in find_card("together/meta-llama/Llama-3.3-70B-Instruct-Turbo", at=DAY).note
    assert find_card("gpt-4o", at=DAY).note == ""
    assert "litellm" not in find_card("gpt-4.1", at=DAY).note


def test_a_batch_endpoint_with_its_own_id_is_a_batch_price() -> None:
    card = find_card("anthropic/claude-opus-5", provider="openrouter", processing="batch", at=DAY)
    assert card.model == "anthropic/claude-opus-5:batch"
    assert find_card("openrouter/anthropic/claude-opus-5:batch", at=DAY).processing == "batch"


def test_a_price_by_the_hour_needs_an_hour() -> None:
    with pytest.raises(AmbiguousName, match="depends on the hour"):
        find_card("deepseek-flash", at=DAY)
    cheap, dear = (
        price(find_card("deepseek-flash", at=datetime(2026, 11, 24, hour, tzinfo=UTC)), USAGE).nano_usd
        for hour in (0, 3)
    )
    assert dear == 2 * cheap
    both = [card for card in hosted_cards(DAY) if (card.provider, card.model) == ("deepseek", "deepseek-flash")]
    assert len(both) == 2
    assert all(sum(window.contains(moment) for card in both for window in card.hours_utc) == 1 for moment in minutes())


def minutes() -> list[time]:
    return [time(hour, minute) for hour in range(24) for minute in range(60)]


def test_the_catalogue_of_a_day_is_whole_and_unique() -> None:
    cards = hosted_cards(DAY)
    assert len(cards) > 2_400
    labels = [card.label for card in cards]
    assert len(set(labels)) == len(labels)
    assert {card.processing for card in cards} == {"standard", "batch", "flex", "priority"}
    assert all(card.valid_on(DAY) and card.checked_on <= DAY for card in cards)


@pytest.mark.parametrize("step", [7, 11])
def test_every_card_is_found_by_its_own_name(step: int) -> None:
    for card in hosted_cards(DAY)[::step]:
        moment = datetime.combine(DAY, card.hours_utc[0].start, UTC) if card.hours_utc else DAY
        try:
            found = find_card(f"{card.provider}/{card.model}", processing=card.processing, at=moment)
        except AmbiguousName:
            assert card.model.endswith("-latest")
            continue
        assert found.label == card.label


def test_maker_names_join_providers() -> None:
    names = ["openrouter/meta-llama/llama-3.1-70b-instruct", "groq/llama-3.1-70b-versatile"]
    assert {maker_model_name(find_card(name, at=DAY)) for name in names} == {"llama-3.1-70b"}


def test_a_printed_name_finds_its_cards() -> None:
    assert find_card("openai/gpt-4o (batch)", at=DAY) == find_card("gpt-4o", processing="batch", at=DAY)
    hours = find_cards("deepseek-flash", at=DAY)
    assert [card.name for card in hours] == ["deepseek/deepseek-flash"] * 2
    assert find_cards("gpt-4o", at=DAY) == (find_card("gpt-4o", at=DAY),)


def test_matching_cards_have_every_word() -> None:
    found = matching_cards(["GPT-5", "batch"], DAY, provider="openai")
    assert found
    assert all("gpt-5" in card.label and card.processing == "batch" for card in found)
    with pytest.raises(UnknownName):
        matching_cards([], DAY, provider="nobody")


def test_every_refusal_is_an_expected_failure() -> None:
    for name in ("whisper-1", "nothing", "mistral-large-latest"):
        with pytest.raises(BreakevenError) as caught:
            usd(name)
        assert caught.value.cause
        assert caught.value.hint


def test_random_cases_agree_with_the_library() -> None:
    script = [sys.executable, REPOSITORY / "scripts/price_agreement.py", "--cases", "300", "--seed", "7"]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "   300  priced by both, equal to the nano-dollar; 0 different" in result.stdout
