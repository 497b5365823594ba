"""Bytes of weights and cache: references from published files and papers, and what splitting does to them."""

from __future__ import annotations

import pytest

from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import gpu_precisions, precision
from breakeven.serving import edge, weights
from breakeven.serving.kv_cache import kv_bytes_per_token
from serving import cases


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("Llama-3.1-8B", 131_072),  # 2 x 32 layers x 8 heads x 128 x 2 bytes
        ("Llama-3.1-70B", 327_680),
        ("Llama-3.1-405B", 516_096),
        ("DeepSeek-V3", 70_272),  # latent attention: 61 layers x 576 values x 2 bytes (DeepSeek-V3 report)
        ("Qwen3-30B-A3B", 98_304),
    ],
)
def test_cache_bytes_per_token_are_those_of_the_architecture(model: str, expected: int) -> None:
    assert kv_bytes_per_token(open_model(model)) == expected


def test_a_sliding_window_stops_growing_and_full_attention_does_not() -> None:
    columns = cases.deployed(open_model("gpt-oss-20b"), kv_bytes_per_value=2.0)
    short, window, long = (columns.kv_bytes(cases.column(n))[0] for n in (64, 128, 1_128))
    assert window == pytest.approx(2 * short)
    full_only = 12_288 * 2  # half of 24 layers x 2 x 8 heads x 64
    assert long - window == pytest.approx(1_000 * full_only)


def test_key_value_heads_are_not_split_and_the_latent_cache_is_copied() -> None:
    per_gpu = {
        split: cases.deployed(open_model("Qwen3-30B-A3B"), tensor_parallel=split).kv_bytes(cases.column(1_000))[0]
        for split in (1, 2, 4, 8)
    }
    assert per_gpu[4] == per_gpu[1] / 4  # four key-value heads
    assert per_gpu[8] == per_gpu[4]
    latent = [
        cases.deployed(open_model("DeepSeek-V3"), tensor_parallel=split).kv_bytes(cases.column(1_000))[0]
        for split in (1, 8)
    ]
    assert latent[0] == latent[1]


@pytest.mark.parametrize(
    ("model", "name", "published_gb", "tolerance"),
    [
        ("Llama-3.1-8B", "fp16", 16.06, 0.01),  # safetensors index of the published checkpoint
        ("Llama-3.1-70B", "fp16", 141.1, 0.01),
        ("Llama-3.1-70B", "fp8", 72.7, 0.01),  # FP8 with 16-bit embedding and head
        ("gpt-oss-120b", "int4", 65.3, 0.05),  # 60.8 GiB (OpenAI model card)
        ("DeepSeek-V3", "fp8", 671.0, 0.03),
    ],
)
def test_weight_bytes_are_those_of_published_checkpoints(
    model: str, name: str, published_gb: float, tolerance: float
) -> None:
    bytes_of_weights = weights.weight_bytes(open_model(model), precision(name, "server"))
    assert bytes_of_weights / 1e9 == pytest.approx(published_gb, rel=tolerance)


def test_a_file_of_llama_cpp_has_its_published_size() -> None:
    size = edge.file_bytes(open_model("Llama-3.1-8B"), precision("Q4_K_M", "edge"))
    assert size / 2**30 == pytest.approx(4.58, rel=0.01)  # llama.cpp tools/quantize/README.md


def test_fewer_bits_never_take_more_bytes_and_published_bits_are_not_widened() -> None:
    for model in (open_model("Llama-3.1-8B"), open_model("Mixtral-8x7B"), open_model("DeepSeek-V3")):
        sizes = [weights.expert_bits(model, chosen) for chosen in gpu_precisions()]
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) <= model.native_weight_bits


def test_arithmetic_is_native_where_there_is_any_and_else_sixteen_bit_or_refused() -> None:
    t4 = {"fp16": 65e12, "int8": 130e12}
    a100 = {"fp16": 312e12, "bf16": 312e12, "int8": 624e12}
    h100 = {"fp16": 989e12, "bf16": 989e12, "fp8": 1978e12}
    llama, gpt_oss = open_model("Llama-3.1-8B"), open_model("gpt-oss-120b")
    assert weights.peak_flops_per_s(h100, cases.FP8, llama) == 1978e12
    assert weights.peak_flops_per_s(a100, cases.FP8, llama) == 312e12
    assert weights.peak_flops_per_s(h100, cases.INT4, llama) == 989e12
    assert weights.peak_flops_per_s(h100, cases.FP4, llama) == 0
    assert weights.peak_flops_per_s(h100, cases.FP4, gpt_oss) == 989e12
    assert weights.peak_flops_per_s(t4, cases.INT4, llama) == 65e12
    assert weights.peak_flops_per_s(t4, cases.FP8, llama) == 0
    assert weights.peak_flops_per_s(t4, cases.FP4, gpt_oss) == 0
