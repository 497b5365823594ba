"""A model's parameters and cache follow from its shape, and agree with what its owner published."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog.model_shapes import FeedForward
from breakeven.catalog.open_models import OpenModel, open_model, open_model_of_row, open_models
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import CatalogError, UnknownName

BYTES_AT_FP16 = 2


def kv_bytes_per_token(model: OpenModel) -> int:
    return BYTES_AT_FP16 * (model.kv_values_per_token + model.sliding_kv_values_per_token)


@pytest.mark.parametrize("model", open_models().values(), ids=lambda model: model.name)
def test_the_shape_has_the_published_number_of_parameters(model: OpenModel) -> None:
    rounded_to_a_trillion = model.name in {"Kimi-K2", "Kimi-K2.5"}
    assert model.published_total_params is not None
    assert model.total_params == pytest.approx(
        model.published_total_params, rel=0.027 if rounded_to_a_trillion else 0.013
    )


def test_active_parameters_agree_with_the_published_figures() -> None:
    """Owners round to a whole billion, and some leave the embedding out; either reading must be near."""
    published = read_table(
        "open_models.csv", lambda row: (row.text("name"), row.optional_number("published_active_params_b"))
    )
    stated = {name: billions * 1e9 for name, billions in published if billions}
    assert len(stated) > 20
    for name, active_params in stated.items():
        model = open_model(name)
        off = min(
            abs(model.active_params - active_params), abs(model.active_params - model.embedding_params - active_params)
        )
        assert off <= max(0.08 * active_params, 0.6e9), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Llama-3.1-8B", 131_072),
        ("Llama-3.1-70B", 327_680),
        ("Llama-3.1-405B", 516_096),
        ("Qwen3-30B-A3B", 98_304),
        ("gpt-oss-120b", 73_728),
        ("DeepSeek-V3", 70_272),
        ("Kimi-K2", 70_272),
        ("Gemma-3-27b", 507_904),
    ],
)
def test_cache_bytes_per_token_at_16_bits(name: str, expected: int) -> None:
    assert kv_bytes_per_token(open_model(name)) == expected


def test_latent_attention_keeps_a_25th_of_what_full_heads_would() -> None:
    model = open_model("DeepSeek-V3")
    full_heads = BYTES_AT_FP16 * 2 * model.hidden_size * model.layers
    assert model.multi_head_latent_attention
    assert 24 < full_heads / kv_bytes_per_token(model) < 26


def test_windowed_layers_are_kept_apart() -> None:
    half = open_model("gpt-oss-120b")
    assert half.kv_values_per_token == half.sliding_kv_values_per_token
    assert half.sliding_window_tokens == 128
    gemma = open_model("Gemma-3-27b")
    assert gemma.kv_values_per_token * 52 == gemma.sliding_kv_values_per_token * 10
    assert open_model("Mistral-7B").sliding_window_tokens == 0


def test_windowed_layers_may_have_other_heads() -> None:
    gemma = open_model("google/gemma-4-26B-A4B-it")
    assert gemma.kv_values_per_token == 5 * 2 * 2 * 512
    assert gemma.sliding_kv_values_per_token == 25 * 2 * 8 * 256


def test_hybrid_models_cache_only_in_full_attention_layers() -> None:
    model = open_model("Qwen3.5-397B-A17B")
    assert model.kv_values_per_token == 15 * 2 * 2 * 256
    assert model.recurrent_state_bytes == 45 * 64 * 128 * 128 * 4
    assert "hybrid" in model.note


def test_a_shared_output_layer_is_read_and_not_looked_up() -> None:
    assert open_model("Llama-3.2-1B").embedding_params == 0
    assert open_model("Llama-3.1-8B").embedding_params == 128_256 * 4_096


def test_experts_add_up_to_the_difference_between_total_and_active() -> None:
    for model in open_models().values():
        idle = (model.experts - model.experts_per_token) * model.expert_params
        assert model.total_params - model.active_params == idle
        assert model.is_moe == (model.total_params > model.active_params)


def test_published_four_and_eight_bit_weights_are_known() -> None:
    native = {
        name: open_model(name).native_weight_bits
        for name in ("gpt-oss-20b", "DeepSeek-R1", "Kimi-K2.5", "Llama-3.1-8B")
    }
    assert native == {"gpt-oss-20b": 4.25, "DeepSeek-R1": 8, "Kimi-K2.5": 4.5, "Llama-3.1-8B": 16}


def test_the_reference_table_agrees(shared_data: Path) -> None:
    with (shared_data / "catalog" / "models.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            model = open_model(row["model"].removesuffix("/R1").removesuffix(" (text)"))
            assert kv_bytes_per_token(model) == int(row["kv_bytes_per_token_fp16"])
            assert model.total_params / 1e9 == pytest.approx(float(row["computed_params_b"]), rel=0.002, abs=0.001)
            assert model.active_params / 1e9 == pytest.approx(float(row["computed_active_b"]), rel=0.003, abs=0.001)
            assert (model.layers, model.hidden_size) == (int(row["layers"]), int(row["hidden"]))


def test_every_measured_model_is_known(shared_data: Path) -> None:
    names: set[str] = set()
    for file in ("closed_loop_dev", "offline_max_throughput_dev", "edge_tokens_per_s_dev"):
        with (shared_data / "perf" / f"{file}.csv").open(encoding="utf-8") as table:
            names |= {row["model"] for row in csv.DictReader(table)}
    assert len(names) > 20
    assert {open_model(name).name for name in names} <= set(open_models())


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-70B", "Llama-3.1-70B"),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", "Llama-3.1-8B"),
        ("deepseek-ai/DeepSeek-R1", "DeepSeek-R1"),
        ("nvidia/DeepSeek-V3.1-NVFP4", "DeepSeek-V3"),
        ("Qwen/Qwen3-235B-A22B-FP8", "Qwen3-235B-A22B"),
        ("Qwen/Qwen3-32B-FP8-Static-PerTensor", "Qwen3-32B"),
        ("meta-llama/Llama-2-70b-chat-hf", "Llama-2-70B"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "Llama-4-Scout"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Nemotron-3-Nano-30B-A3B"),
        ("google/gemma-3-27b-it", "Gemma-3-27b"),
        ("zhipuai/GLM-5", "GLM-5"),
        ("GPT-J 6B", "GPT-J-6B"),
        ("LLaMA-v2-70B", "Llama-2-70B"),
        ("LLaMA v3.1 8B", "Llama-3.1-8B"),
        ("llama3.1:8b", "Llama-3.1-8B"),
        ("DeepSeek-R1-14B", "Qwen2.5-14B"),
        ("Mistral-7B", "Mistral-7B-v0.3"),
        ("mistralai/Mistral-7B-Instruct-v0.1", "Mistral-7B-v0.1"),
        ("mistralai/Mistral-Small-Instruct-2409", "Mistral-Small-22B"),
        ("mistralai/Mistral-Small-24B-Instruct-2501", "Mistral-Small-24B"),
    ],
)
def test_a_model_answers_to_its_names(name: str, canonical: str) -> None:
    assert open_model(name).name == canonical


@given(
    st.sampled_from(sorted(open_models())),
    st.lists(st.sampled_from(["-Instruct", "-FP8", "-NVFP4", "-AWQ", "-GGUF", "-2507"]), max_size=3, unique=True),
    st.sampled_from(["", "someone/"]),
)
def test_owner_and_endings_do_not_change_the_architecture(name: str, endings: list[str], owner: str) -> None:
    if name not in {"Mistral-Large-2407", "Mistral-Small-24B", "Mistral-Small-22B"}:
        assert open_model(owner + name + "".join(endings)).name == name


@pytest.mark.parametrize("name", ["Llama-9-8B", "gpt-4o", "", "Qwen3-33B", "DeepSeek-V9", "Instruct", "someone/"])
def test_an_unknown_model_is_refused_with_the_nearest_names(name: str) -> None:
    with pytest.raises(UnknownName) as refused:
        open_model(name)
    assert "nearest names" in (refused.value.hint or "")


def shape_row(**changed: str) -> Row:
    """The row of Llama-3.1-8B with some cells changed."""
    found = read_table("open_models.csv", lambda row: row)
    (llama,) = (row for row in found if row.cells["name"] == "Llama-3.1-8B")
    return replace(llama, cells={**llama.cells, **changed})


def test_a_row_reads_as_written() -> None:
    assert open_model_of_row(shape_row()) == open_model("Llama-3.1-8B")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"layers": "64"}, "the shape has 15.01B parameters, published 8.03B"),
        ({"published_total_params_b": ""}, "published_total_params_b must be a positive number"),
        ({"experts_per_token": "2"}, "experts_per_token exceeds experts"),
        ({"kv_heads": "64", "published_total_params_b": "9.9"}, "kv_heads exceed attention_heads"),
        ({"sliding_layers": "16"}, "belong together"),
        ({"sliding_window_tokens": "4096"}, "belong together"),
        ({"head_dim": "12.5"}, "head_dim must be a whole number"),
        ({"tied_embeddings": "maybe"}, "must be one of yes, no"),
    ],
)
def test_a_wrong_row_is_refused(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(CatalogError, match=reason):
        open_model_of_row(shape_row(**changed))


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 4_096), st.integers(1, 512))
def test_feed_forward_parameters_grow_by_one_expert_at_a_time(
    layers: int, experts: int, hidden: int, size: int
) -> None:
    layer = FeedForward(
        matrices=3,
        dense_layers=0,
        dense_size=0,
        moe_layers=layers,
        experts=experts,
        experts_per_token=1,
        expert_size=size,
        expert_hidden_size=hidden,
        shared_size=0,
    )
    grown = replace(layer, experts=experts + 1)
    router = layers * hidden
    assert grown.params(hidden) - layer.params(hidden) == layer.expert_params + router
