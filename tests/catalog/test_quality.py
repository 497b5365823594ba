"""Quality tiers: sourced, dated, ordered like their scores, and never handed to a different model."""

from __future__ import annotations

import csv
import datetime
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.model_names import canonical_model_name
from breakeven.catalog.open_models import open_models
from breakeven.catalog.quality import TIERS, is_at_least, quality_of, quality_scores, rated_models, scales


@pytest.fixture(scope="module")
def sold_names() -> list[str]:
    """Every model name in the price library, as its sellers write it."""
    data = pytest.importorskip("genai_prices.data")
    return [model.id for provider in data.providers for model in provider.models]


@pytest.mark.parametrize(
    ("name", "tier"),
    [
        ("gpt-4o", "premium"),
        ("gpt-4o-mini", "good"),
        ("claude-3.5-haiku", "good"),
        ("gemini-2.0-flash", "good"),
        ("claude-3.5-sonnet", "premium"),
        ("llama-3.1-405b", "premium"),
        ("llama-3.1-70b", "good"),
        ("llama-3.1-8b", "basic"),
        ("gemma-2-2b", "basic"),
    ],
)
def test_the_models_that_the_words_were_coined_for(name: str, tier: str) -> None:
    quality = quality_of(name)
    assert quality is not None
    assert quality.tier == tier


def test_a_ceiling_is_said_beside_the_score() -> None:
    quality = quality_of("gemini-2.0-flash")
    assert quality is not None
    assert "premium" in quality.note
    assert [model for model, rated in rated_models().items() if rated.note] == ["gemini-2.0-flash"]


@pytest.mark.parametrize("name", ["Llama-3.1-8B", "Llama-3.2-3B", "Qwen2.5-7B", "Qwen3-8B", "Qwen3-4B", "Gemma-3-4b"])
def test_small_open_models_are_basic(name: str) -> None:
    quality = quality_of(name)
    assert quality is not None
    assert quality.tier == "basic"


def test_every_score_is_sourced_dated_and_plausible() -> None:
    for score in quality_scores():
        assert len(score.source) > 20, score
        assert score.tested_as, score
        assert datetime.date(2024, 1, 1) <= score.published_on <= score.checked_on, score
        low, high = (800, 1700) if score.benchmark == "arena_text" else (0, 100)
        assert low < score.score < high, score


def test_scales_state_their_order_and_reason() -> None:
    for scale in scales().values():
        assert 0 < scale.good_from < scale.premium_from
        assert scale.margin_alone >= 0
        assert len(scale.reason) > 80


@given(st.sampled_from(sorted(scales())), st.floats(0, 2000), st.floats(0, 2000), st.booleans())
def test_more_score_is_never_a_lower_tier(benchmark: str, one: float, other: float, alone: bool) -> None:
    scale = scales()[benchmark]
    lower, higher = sorted((one, other))
    assert is_at_least(scale.tier(higher, alone=alone), scale.tier(lower, alone=alone))


@given(st.sampled_from(sorted(scales())), st.floats(0, 2000))
def test_standing_alone_never_helps(benchmark: str, score: float) -> None:
    scale = scales()[benchmark]
    assert is_at_least(scale.tier(score, alone=False), scale.tier(score, alone=True))


def test_no_model_is_rated_above_one_of_its_main_scales() -> None:
    for score in quality_scores():
        scale = scales()[score.benchmark]
        if not scale.fallback:
            assert is_at_least(scale.tier(score.score, alone=False), rated_models()[score.model].tier), score


def test_tiers_ascend() -> None:
    assert TIERS == ("basic", "good", "premium")
    assert [is_at_least(tier, "good") for tier in TIERS] == [False, True, True]


@pytest.mark.parametrize(
    ("sold_as", "model"),
    [
        ("openai/gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o:batch", "gpt-4o"),
        ("gpt-4o:extended", "gpt-4o"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "claude-3.5-haiku"),
        ("regional.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3.5-sonnet"),
        ("claude-3-5-haiku@20241022", "claude-3.5-haiku"),
        ("claude-3-5-haiku-latest", "claude-3.5-haiku"),
        ("claude-3.5-haiku", "claude-3.5-haiku"),
        ("claude-opus-4-0", "claude-opus-4"),
        ("claude-4-opus", "claude-opus-4"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4.5"),
        ("accounts/fireworks/models/llama-v3p1-70b-instruct", "llama-3.1-70b"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo", "llama-3.1-70b"),
        ("meta.llama3-1-70b-instruct-v1:0", "llama-3.1-70b"),
        ("llama-3.3-70b-versatile", "llama-3.3-70b"),
        ("Meta-Llama-3_3-70B-Instruct", "llama-3.3-70b"),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "llama-3.3-70b"),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", "llama-4-maverick"),
        ("llama4-maverick-instruct-basic", "llama-4-maverick"),
        ("llama3.1:8b", "llama-3.1-8b"),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen2.5-72b"),
        ("qwen/qwen-2.5-72b-instruct:free", "qwen2.5-72b"),
        ("qwen-3-32b", "qwen3-32b"),
        ("qwen.qwen3-32b-v1:0", "qwen3-32b"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", "qwen3-235b-a22b-2507"),
        ("gemma2-9b-it", "gemma-2-9b"),
        ("google.gemma-3-27b-it", "gemma-3-27b"),
        ("gemini-2.0-flash-001", "gemini-2.0-flash"),
        ("google/gemini-flash-1.5", "gemini-1.5-flash"),
        ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        ("amazon.nova-pro-v1:0", "nova-pro"),
        ("global.amazon.nova-2-lite-v1:0", "nova-2-lite"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("mistral.mistral-large-3-675b-instruct", "mistral-large-3"),
        ("mistral.mistral-7b-instruct-v0:2", "mistral-7b-v0.2"),
        ("deepseek.r1-v1:0", "deepseek-r1"),
        ("glm-4p7", "glm-4.7"),
        ("kimi-k2p6-fast", "kimi-k2.6"),
        ("databricks-meta-llama-3-1-8b-instruct", "llama-3.1-8b"),
        ("nvidia.nemotron-nano-9b-v2:0", "nemotron-nano-9b-v2"),
        ("gpt-5-chat-latest", "gpt-5-chat"),
        ("deepseek-chat", "deepseek-chat"),
        ("databricks-kimi-k2-7-code", "kimi-k2.7-code"),
        ("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4", "nemotron-3-ultra-550b-a55b"),
    ],
)
def test_one_name_for_one_model(sold_as: str, model: str) -> None:
    assert canonical_model_name(sold_as) == model


@pytest.mark.parametrize(
    "name",
    [
        "ft:gpt-4o",
        "gpt-4o-mini-2024-07-18.ft-",
        "gpt-4o-audio-preview",
        "gpt-4o-transcribe",
        "gpt-4o-mini-tts",
        "gpt-4o-realtime-preview",
        "gpt-5-image",
        "gpt-oss-safeguard-20b",
        "gemini-2.5-flash-image",
        "gemini-2.5-flash-preview-tts",
        "gemini-2.5-pro-tts",
        "gemini-embedding-001",
        "llama-guard-3-8b",
        "meta-llama/llama-prompt-guard-2-86m",
        "llama3-groq-70b-8192-tool-use-preview",
        "perplexity/llama-3.1-sonar-large-128k-online",
        "sao10k/l3.1-euryale-70b",
        "huihui-ai/Llama-3.3-70B-Instruct-abliterated",
        "nvidia/Llama-3.1-8B-Instruct-AWQ",
        "Qwen/Qwen3-Embedding-8B",
        "Qwen3-32B-Base",
        "tokyotech-llm/Llama-3.3-Swallow-70B-Instruct-v0.4",
        "deepseek-ai/DeepSeek-Prover-V2-671B",
        "mistral-large-latest",
        "~anthropic/claude-opus-latest",
        "text-embedding-3-large",
        "whisper-1",
        "gpt-3.5-turbo-instruct",
        "deepseek-chat",
        "gpt-chat-latest",
        "meta-llama/Llama-3-70B-Lite",
        "gpt-99",
        "",
    ],
)
def test_a_different_model_inherits_nothing(name: str) -> None:
    assert quality_of(name) is None


def test_a_distillation_has_its_own_score_or_none() -> None:
    for name in ("deepseek-r1-distill-llama-8b", "deepseek-r1-distill-qwen-32b", "hermes-3-llama-3.1-70b"):
        quality = quality_of(name)
        assert quality is not None
        assert quality.model == name
    assert quality_of("nousresearch/hermes-3-llama-3.1-405b") is None


SPEECH_PICTURES_AND_CHECKS = (
    "embed", "whisper", "tts", "transcribe", "audio", "realtime", "image", "guard", "moderation", "ocr", "rerank",
    "bge-", "voyage", "speech", "live", "safety", "abliterated", "ft:",
)  # fmt: skip


def test_no_sold_model_of_another_kind_is_rated(sold_names: list[str]) -> None:
    rated = [name for name in sold_names if quality_of(name) is not None]
    wrong = [name for name in rated if any(word in name.casefold() for word in SPEECH_PICTURES_AND_CHECKS)]
    assert wrong == []
    assert len(rated) > 900


def test_a_canonical_name_is_its_own(sold_names: list[str]) -> None:
    for name in sold_names:
        once = canonical_model_name(name)
        assert canonical_model_name(once) == once


def test_every_open_model_is_rated_or_known_to_be_unrated() -> None:
    unrated = {name for name in open_models() if quality_of(name) is None}
    assert unrated == UNRATED_OPEN_MODELS & set(open_models())


UNRATED_OPEN_MODELS = {
    "CodeLlama-7B",
    "CodeLlama-13B",
    "DeepSeek-V2-Lite",
    "Falcon3-7B",
    "Falcon3-10B",
    "GLM-4-9B",
    "GPT-J-6B",
    "Grok-1",
    "Mistral-7B-v0.3",
    "Mistral-Small-22B",
    "Nemotron-H-56B",
    "OLMo-2-13B",
    "Phi-2",
    "StarCoder2-15B",
    "TinyLlama-1.1B",
}
"""No public score on one of the scales was seen: these are chosen only when asked for by name."""


def test_lookups_are_fast_enough_for_every_price_card(sold_names: list[str]) -> None:
    for name in sold_names:
        quality_of(name)
    started = time.perf_counter()
    for name in sold_names:
        quality_of(name)
    assert time.perf_counter() - started < 0.03


def test_the_shared_models_are_answered_for(shared_names: list[str]) -> None:
    assert [name for name in shared_names if quality_of(name) is None] == ["Mistral-7B-v0.3"]


@pytest.fixture
def shared_names(shared_data: Path) -> list[str]:
    """The reference list of open models; a name may join two ("DeepSeek-V3/R1") or add a remark ("(text)")."""
    text = (shared_data / "catalog" / "models.csv").read_text(encoding="utf-8")
    return [row["model"].split("/")[0].split(" (")[0] for row in csv.DictReader(text.splitlines())]
