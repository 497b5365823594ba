"""Rooflines worked out by hand, and the directions that physics allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalog.accelerators import Accelerator, accelerators
from breakeven.catalog.open_models import OpenModel, open_models
from breakeven.serving import roofline
from serving import cases
from serving.cases import HALF, column

MODELS = list(open_models().values())
GPUS = list(accelerators().values())

models = st.sampled_from(MODELS)
gpus = st.sampled_from(GPUS)
batches = st.integers(1, 1_000)
contexts = st.integers(1, 30_000)


def test_one_sequence_reads_all_weights_and_its_cache() -> None:
    step = roofline.decode_step_s(cases.deployed(), column(1), column(1_000), HALF)[0]
    read = 2e9 / 0.5e12  # 1e9 parameters x 2 bytes at half of 1 TB/s
    multiply = 2e9 / 50e12  # 2 operations a parameter at half of 100 TFLOP/s
    cache = 1_000 * 1_000 * 2 / 0.5e12
    assert step == pytest.approx(np.hypot(read, multiply) + cache, rel=1e-12)


def test_a_large_batch_is_bound_by_arithmetic() -> None:
    step = roofline.decode_step_s(cases.deployed(), column(1_000), column(1), HALF)[0]
    assert step == pytest.approx(1_000 * 2e9 / 50e12, rel=0.03)


def test_a_prefill_multiplies_weights_and_attends_to_the_prompt() -> None:
    spent = roofline.prefill_s(cases.deployed(), column(2_000), HALF)[0]
    weights = 2_000 * 2e9
    attention = 4 * (2_000 * 2_000 / 2) * (8 * 125) * 10  # queries x keys x width x layers, causal half
    assert spent == pytest.approx((weights + attention) / 50e12, rel=1e-12)


def test_tensor_parallel_divides_reading_and_adds_two_all_reduces_a_layer() -> None:
    alone = roofline.decode_step_s(cases.deployed(), column(1), column(1), HALF)[0]
    pair = roofline.decode_step_s(cases.deployed(tensor_parallel=2), column(1), column(1), HALF)[0]
    exchange = 10 * 2 * 1_000 * 2 * (2 * 1 / 2) / (200e9 * 0.5)  # layers x 2 x hidden x bytes x ring / link
    assert pair == pytest.approx(alone / 2 + exchange, rel=1e-9)


def test_attention_replicas_exchange_tokens_at_the_experts_only() -> None:
    apart = cases.deployed(cases.SPARSE, data_parallel=4)
    # Each GPU gathers and scatters the tokens of all four: a ring all-reduce, 2 x 3 / 4, of four times its own.
    assert roofline.exchanges(apart)[0] == pytest.approx(10 * 2 * 3 / 4 * 4)
    together = cases.deployed(cases.SPARSE, tensor_parallel=4)
    assert roofline.exchanges(together)[0] == pytest.approx(2 * 10 * 2 * 3 / 4)
    assert roofline.exchanges(cases.deployed())[0] == 0


def test_several_gpus_wait_for_one_another_at_each_layer() -> None:
    fitted = replace(HALF, layer_us=10.0, sync_us=5.0)
    spent = [roofline.launch_s(cases.deployed(tensor_parallel=n), fitted)[0] for n in (1, 2, 8)]
    assert spent == pytest.approx([10 * 10e-6, 10 * 15e-6, 10 * 25e-6])


def test_sliding_layers_attend_to_their_window_only() -> None:
    model = replace(cases.DENSE, full_attention_layers=4, sliding_attention_layers=6, sliding_window_tokens=100)
    deployment = cases.deployed(model)
    pairs = 4 * 1_000**2 / 2 + 6 * sum(min(position, 100) for position in range(1_000))
    assert roofline.attention_flops(deployment, column(1_000))[0] == pytest.approx(4 * pairs * 8 * 125, rel=0.01)
    short = roofline.attention_flops(deployment, column(50))[0]
    assert short == pytest.approx(roofline.attention_flops(cases.deployed(), column(50))[0])


def test_pci_express_reaches_its_own_share_of_the_link() -> None:
    shares = roofline.link_frac(np.array([32e9, 64e9, 450e9]), HALF)
    assert shares.tolist() == [roofline.PCIE4_LINK_FRAC, roofline.PCIE5_LINK_FRAC, 0.5]


def test_overheads_count_layers_sequences_and_routed_tokens() -> None:
    fitted = replace(HALF, layer_us=100.0, host_us_per_seq=7.0)
    plain, loaded = (
        roofline.decode_step_s(cases.deployed(), column(16), column(1), constants)[0] for constants in (HALF, fitted)
    )
    assert loaded - plain == pytest.approx(10 * 100e-6 + 16 * 7e-6)
    routed = replace(HALF, routed_us=1.0)
    before, after = (
        roofline.prefill_s(cases.deployed(cases.SPARSE), column(50), constants)[0] for constants in (HALF, routed)
    )
    assert after - before == pytest.approx(50 * 10 * 2 * 1e-6)  # tokens x layers x experts a token


@pytest.mark.parametrize(("tokens", "expected"), [(1, 2.0), (2, 3.5), (10_000, 8.0)])
def test_tokens_touch_the_expected_number_of_experts(tokens: int, expected: float) -> None:
    # Each token takes 2 of 8 independently: 8 x (1 - 0.75 ** tokens).
    assert roofline.touched_experts(cases.deployed(cases.SPARSE), column(tokens))[0] == pytest.approx(expected)


def test_a_dense_model_touches_no_experts() -> None:
    assert roofline.touched_experts(cases.deployed(), column(100))[0] == 0


def test_one_token_of_a_sparse_model_reads_only_its_experts() -> None:
    step = roofline.decode_step_s(cases.deployed(cases.SPARSE), column(1), column(1), HALF)[0]
    assert step == pytest.approx((1e9 + 2e8) * 2 / 0.5e12, rel=1e-3)


def test_pipeline_stages_pass_a_token_on_and_wait_for_one_another() -> None:
    alone = roofline.decode_step_s(cases.deployed(), column(1), column(1), HALF)[0]
    staged = roofline.decode_step_s(cases.deployed(pipeline_stages=2), column(1), column(1), HALF)[0]
    assert staged == pytest.approx(alone * (1 + roofline.PIPELINE_BUBBLE_FRAC), rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(model=models, gpu=gpus, batch=batches, context=contexts, factor=st.floats(1.0, 8.0))
def test_more_bandwidth_or_arithmetic_is_never_slower(
    model: OpenModel, gpu: Accelerator, batch: int, context: int, factor: float
) -> None:
    faster = replace(gpu, memory_bandwidth_bytes_per_s=gpu.memory_bandwidth_bytes_per_s * factor)
    stronger = replace(gpu, peak_flops_per_s={name: peak * factor for name, peak in gpu.peak_flops_per_s.items()})
    before, *after = (
        roofline.decode_step_s(cases.deployed(model, each), column(batch), column(context), HALF)[0]
        for each in (gpu, faster, stronger)
    )
    assert max(after) <= before * (1 + 1e-12)
    slow, fast = (roofline.prefill_s(cases.deployed(model, each), column(context), HALF)[0] for each in (gpu, stronger))
    assert fast <= slow * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(model=models, gpu=gpus, batch=batches, context=contexts)
def test_a_larger_batch_takes_longer_and_gives_more_tokens_per_second(
    model: OpenModel, gpu: Accelerator, batch: int, context: int
) -> None:
    deployment = cases.deployed(model, gpu)
    one, two = (
        roofline.decode_step_s(deployment, column(size), column(context), HALF)[0] for size in (batch, batch + 1)
    )
    assert two >= one
    assert (batch + 1) / two >= batch / one * (1 - 1e-9)
