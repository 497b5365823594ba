"""More requests at once: slower for each, more for all, and never beyond what fits."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import precision
from breakeven.errors import NothingFits
from breakeven.serving.corrections import Correction, Corrections, Deployment, Factor
from breakeven.serving.interactivity import InteractivityCurve, interactivity_curve

H100, FP8 = accelerator("H100-SXM"), precision("fp8", "server")


def curve(
    model: str = "Llama-3.1-8B",
    tensor_parallel: int = 1,
    tokens: tuple[float, float] = (1_000, 300),
    given: Corrections | None = None,
) -> InteractivityCurve:
    return interactivity_curve(
        open_model(model), H100, FP8, tensor_parallel=tensor_parallel, tokens=tokens, corrections=given
    )


@settings(max_examples=25)
@given(
    model=st.sampled_from(["Llama-3.1-8B", "Qwen3-30B-A3B", "Mistral-7B-v0.3"]),
    tensor_parallel=st.sampled_from([1, 2, 4]),
    tokens=st.tuples(st.integers(1, 8_000), st.integers(2, 4_000)),
)
def test_speed_falls_and_throughput_rises(model: str, tensor_parallel: int, tokens: tuple[int, int]) -> None:
    found = curve(model, tensor_parallel, tokens)
    assert found.concurrency[0] == 1
    assert (np.diff(found.concurrency) > 0).all()
    assert (np.diff(found.tokens_per_s_per_user) <= 1e-9).all()
    assert (np.diff(found.ttft_s) >= -1e-12).all()
    assert (np.diff(found.output_tokens_per_s) >= -1e-6).all()
    assert (found.output_tokens_per_s <= found.concurrency * found.tokens_per_s_per_user * 1.5).all()


def test_longer_requests_leave_room_for_fewer() -> None:
    assert curve(tokens=(30_000, 300)).concurrency[-1] < curve(tokens=(3_000, 300)).concurrency[-1] <= 1_024


def test_a_correction_scales_the_curve() -> None:
    half = Factor(value=2.0, points=3, error_before_frac=0.5, error_after_frac=0.1)
    where = Deployment(model="Llama-3.1-8B", accelerator="H100-SXM", precision="fp8", accelerators=1, tensor_parallel=1)
    found = Correction(
        deployment=where,
        tpot=half,
        ttft=None,
        low_factor=0.9,
        high_factor=1.1,
        calibrated_on=datetime.date(2026, 11, 24),
        source="a test",
    )
    plain, slow = curve(), curve(given=Corrections(servers=(found,)))
    assert slow.tokens_per_s_per_user == pytest.approx(plain.tokens_per_s_per_user / 2)
    assert (slow.basis, slow.low_factor, plain.basis) == ("measured", 0.9, "modelled")


@pytest.mark.parametrize(
    ("model", "tensor_parallel", "tokens", "why"),
    [
        ("Llama-3.1-405B", 1, (1_000, 300), "weights do not fit"),
        ("Llama-3.1-8B", 3, (1_000, 300), "attention heads"),
        ("Llama-3.1-8B", 1, (500_000, 300), "context window"),
    ],
)
def test_what_cannot_run_is_refused_with_the_reason(
    model: str, tensor_parallel: int, tokens: tuple[int, int], why: str
) -> None:
    with pytest.raises(NothingFits) as refused:
        curve(model, tensor_parallel, tokens)
    assert why in str(refused.value.cause)
