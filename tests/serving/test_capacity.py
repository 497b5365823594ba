"""What a replica serves: within the SLO and memory, equal alone and in a column, refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalog.accelerators import Accelerator, accelerator, accelerators
from breakeven.catalog.open_models import open_model, open_models
from breakeven.catalog.precisions import gpu_precisions, precision
from breakeven.serving.capacity import (
    REFUSALS,
    CapacityColumns,
    ReplicaCapacity,
    RequestShape,
    mean_running,
    replica_capacity,
)
from breakeven.workload.workload import Slo

CHAT = RequestShape(
    mean_input_tokens=1_000, mean_output_tokens=200, percentile_input_tokens=3_000, longest_request_tokens=6_000
)
LOOSE = Slo(ttft_s=1e6, tpot_s=1e6, percentile=95)
MODELS, GPUS, PRECISIONS = list(open_models().values()), list(accelerators().values()), gpu_precisions()


def one(
    model: str, gpu: str, chosen: str = "fp16", split: int = 1, request: RequestShape = CHAT, slo: Slo = LOOSE
) -> ReplicaCapacity:
    first = np.zeros(1, dtype=np.int64)
    columns = replica_capacity(
        [open_model(model)],
        [accelerator(gpu)],
        [precision(chosen, "server")],
        model=first,
        accelerator=first,
        precision=first,
        tensor_parallel=np.array([split]),
        request=request,
        slo=slo,
    )
    return columns.row(0)


def grid(request: RequestShape = CHAT, slo: Slo = LOOSE) -> CapacityColumns:
    return replica_capacity(MODELS, GPUS, PRECISIONS, **index(), request=request, slo=slo)


def index() -> dict[str, np.ndarray]:
    shape = (len(MODELS), len(GPUS), len(PRECISIONS), 4)
    model, gpu, chosen, width = (axis.ravel() for axis in np.indices(shape))
    return {"model": model, "accelerator": gpu, "precision": chosen, "tensor_parallel": 2**width}


def test_a_column_says_what_each_row_says_alone() -> None:
    columns, where = grid(slo=Slo()), index()
    for row in np.random.default_rng(1).choice(len(where["model"]), 40, replace=False):
        alone = one(
            MODELS[where["model"][row]].name,
            GPUS[where["accelerator"][row]].name,
            PRECISIONS[where["precision"][row]].name,
            int(where["tensor_parallel"][row]),
            slo=Slo(),
        )
        together = columns.row(int(row))
        assert together.refusal == alone.refusal
        assert together.requests_per_s == pytest.approx(alone.requests_per_s)
        assert together.ttft_s == pytest.approx(alone.ttft_s, nan_ok=True)


def test_an_answer_keeps_the_requirement_and_a_refusal_has_no_rate() -> None:
    slo = Slo(ttft_s=1.0, tpot_s=0.05, percentile=95)
    columns = grid(slo=slo)
    answered = columns.refusal_code == 0
    assert 0.1 < answered.mean() < 0.9
    assert (columns.requests_per_s[answered] > 0).all()
    assert (columns.ttft_s[answered] <= slo.ttft_s).all()
    assert (columns.tpot_s[answered] <= slo.tpot_s).all()
    assert (columns.max_concurrent_requests[answered] >= 1).all()
    assert (columns.requests_per_s[~answered] == 0).all()
    assert np.isnan(columns.ttft_s[~answered]).all()
    assert (columns.low_factor < 1).all()
    assert (columns.high_factor > 1).all()


@pytest.mark.parametrize(
    ("capacity", "reason"),
    [
        (lambda: one("Llama-3.1-8B", "H100-SXM", "fp4"), "precision not supported by this GPU"),
        (lambda: one("Qwen2.5-7B", "H100-SXM", split=8), "tensor parallel does not divide the attention heads"),
        (lambda: one("Gemma-2-9b", "H100-SXM", request=replace(CHAT, longest_request_tokens=8_193)), "longest request"),
        (lambda: one("Llama-3.1-70B", "H100-SXM"), "weights do not fit in memory"),
        (
            lambda: one("Llama-3.1-8B", "L4", request=replace(CHAT, longest_request_tokens=100_000)),
            "no room for the KV",
        ),
        (lambda: one("Llama-3.1-8B", "H100-SXM", slo=Slo(ttft_s=0.01)), "TTFT requirement"),
        (lambda: one("Llama-3.1-8B", "H100-SXM", slo=Slo(tpot_s=0.001)), "TPOT requirement"),
    ],
)
def test_every_refusal_is_reached_and_names_its_reason(capacity: Callable[[], ReplicaCapacity], reason: str) -> None:
    assert capacity().refusal.startswith(reason)


def test_refusals_are_seven_and_the_first_is_an_answer() -> None:
    assert REFUSALS[0] == ""
    assert len(REFUSALS) == 8
    assert one("Llama-3.1-8B", "H100-SXM").refusal == ""


def test_fp8_runs_on_an_a100_with_sixteen_bit_arithmetic() -> None:
    native, widened = one("Llama-3.1-8B", "A100-80GB-SXM", "fp16"), one("Llama-3.1-8B", "A100-80GB-SXM", "fp8")
    assert widened.refusal == ""
    assert widened.prefill_tokens_per_s == pytest.approx(native.prefill_tokens_per_s, rel=0.05)
    assert widened.weight_bytes < 0.6 * native.weight_bytes


@pytest.mark.parametrize(("most", "percentile", "expected"), [(1.0, 50, 1.0), (100.0, 50, 100.0), (100.0, 95, 84.84)])
def test_the_mean_leaves_room_for_the_percentile(most: float, percentile: float, expected: float) -> None:
    mean = mean_running(np.array([most]), percentile)[0]
    assert mean == pytest.approx(expected, abs=0.01)
    z = {50: 0.0, 95: 1.6449}[int(percentile)]
    assert mean + z * np.sqrt(mean) == pytest.approx(most, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    model=st.sampled_from(["Llama-3.1-8B", "Mistral-7B-v0.3", "Qwen3-30B-A3B"]),
    gpu=st.sampled_from(["H100-SXM", "A100-80GB-SXM", "B200", "H200-SXM"]),
    tokens=st.tuples(st.integers(10, 4_000), st.integers(10, 1_000)),
    more=st.integers(1, 2_000),
)
def test_longer_requests_never_raise_the_rate(model: str, gpu: str, tokens: tuple[int, int], more: int) -> None:
    def rate(inputs: int, outputs: int) -> float:
        request = RequestShape(
            mean_input_tokens=inputs,
            mean_output_tokens=outputs,
            percentile_input_tokens=inputs,
            longest_request_tokens=inputs + outputs,
        )
        return one(model, gpu, request=request).requests_per_s

    inputs, outputs = tokens
    assert rate(inputs, outputs + more) <= rate(inputs, outputs) * (1 + 1e-9)
    assert rate(inputs + more, outputs) <= rate(inputs, outputs) * (1 + 1e-9)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1.0, 4.0), gpu=st.sampled_from(GPUS), tighter=st.floats(0.2, 1.0))
def test_better_hardware_and_looser_requirements_never_serve_less(
    factor: float, gpu: Accelerator, tighter: float
) -> None:
    slo = Slo(ttft_s=2.0, tpot_s=0.1, percentile=95)
    strict = Slo(ttft_s=2.0 * tighter, tpot_s=0.1 * tighter, percentile=95)
    better = replace(gpu, memory_bandwidth_bytes_per_s=gpu.memory_bandwidth_bytes_per_s * factor)
    first = np.zeros(2, dtype=np.int64)
    where = {
        "model": first,
        "accelerator": np.array([0, 1]),
        "precision": first,
        "tensor_parallel": np.ones(2, dtype=np.int64),
    }
    columns, tightened = (
        replica_capacity(
            [open_model("Llama-3.1-8B")], [gpu, better], [precision("fp8", "server")], **where, request=CHAT, slo=each
        )
        for each in (slo, strict)
    )
    assert columns.requests_per_s[1] >= columns.requests_per_s[0] * (1 - 1e-9)
    assert (tightened.requests_per_s <= columns.requests_per_s * (1 + 1e-9)).all()


def test_reused_prefixes_save_prefill_but_no_memory() -> None:
    fresh = one("Llama-3.1-8B", "H100-SXM")
    reused = one("Llama-3.1-8B", "H100-SXM", request=replace(CHAT, prefix_reuse_frac=0.8))
    assert reused.requests_per_s > fresh.requests_per_s
    assert reused.ttft_s < fresh.ttft_s
    assert reused.kv_bytes_per_request == fresh.kv_bytes_per_request
