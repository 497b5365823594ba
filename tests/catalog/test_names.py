"""Spellings of hosted models and providers."""

from __future__ import annotations

import pytest

from breakeven.catalog import genai_source, names
from breakeven.catalog.matching import maker_of, match_in, offering


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [
        ("OpenAI", "openai"),
        ("bedrock", "aws"),
        ("Vertex_AI", "google"),
        (" xai ", "x-ai"),
        ("meta-llama", None),
        ("", None),
    ],
)
def test_providers_by_their_other_names(spelling: str, provider: str | None) -> None:
    assert names.provider_id(spelling, genai_source.providers()) == provider


def test_every_alias_means_a_listed_provider_and_hides_none() -> None:
    listed = set(genai_source.providers())
    assert set(names.PROVIDER_ALIASES.values()) <= listed
    assert not listed & set(names.PROVIDER_ALIASES)


@pytest.mark.parametrize("model", ["anthropic.claude-opus-5", "us.meta.llama3-1-70b-instruct-v1:0", "zai.glm-5.3"])
def test_bedrock_ids_are_known_by_their_vendor_prefix(model: str) -> None:
    assert names.is_bedrock_id(model)


@pytest.mark.parametrize("model", ["gpt-4.1", "claude-3.5-haiku", "openai/gpt-5.2", "gemini-2.5-pro", "anthropic."])
def test_other_ids_are_not_bedrock(model: str) -> None:
    assert not names.is_bedrock_id(model)


@pytest.mark.parametrize(
    "suffix", ["", "-20241022", "-2024-08-06", "-v1:0", "-20241022-v2:0", "-latest", "-001", "@20250514"]
)
def test_dates_and_versions_decorate_a_name(suffix: str) -> None:
    assert names.is_decoration(suffix)


@pytest.mark.parametrize("suffix", ["-mini", "-turbo", "-zzz", "x", "-5", "-latest-mini", "-audio-preview"])
def test_other_words_make_another_model(suffix: str) -> None:
    assert not names.is_decoration(suffix)


def test_a_printed_name_has_its_processing_in_parentheses() -> None:
    known = ("standard", "batch")
    assert names.split_processing("openai/gpt-4o (batch)", known) == ("openai/gpt-4o", "batch")
    for whole in ("openai/gpt-4o", "a (b)", "batch)", " (", ""):
        assert names.split_processing(whole, known) == (whole, None)


def test_compact_dates_are_dashed_only_where_they_are_dates() -> None:
    assert names.with_dashed_date("gpt-5.2-20251211") == "gpt-5.2-2025-12-11"
    assert names.with_dashed_date("gpt-5.2-20259911") == "gpt-5.2-20259911"


@pytest.mark.parametrize(
    ("provider", "ref", "model"),
    [
        ("anthropic", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("openai", "gpt-4o-2031-01-01", None),
        ("openai", "gpt-5-nano-plus", None),
        ("deepseek", "deepseek-chatter", None),
        ("aws", "eu.anthropic.claude-sonnet-4-20250514-v1:0", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("google", "gemini-2.5-flash-image", "gemini-2.5-flash-image"),
    ],
)
def test_a_rule_of_the_library_is_read_strictly(provider: str, ref: str, model: str | None) -> None:
    found = match_in(provider, ref)
    assert (found and found.model) == model


def test_a_reseller_is_not_a_maker() -> None:
    assert offering("text-embedding-3-small") == ("openai",)
    assert maker_of("claude-opus-5") == "anthropic"
    assert maker_of("llama-3.3-70b") is None


def test_nearest_names_keep_their_case() -> None:
    assert names.nearest("qwen3-8b", ["Qwen/Qwen3-8B", "gpt-4o"], 1) == ("Qwen/Qwen3-8B",)
