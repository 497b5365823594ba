"""One device, one request: decode by hand, refusals, and the directions that physics allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from breakeven.catalog.edge_devices import EdgeDevice, edge_device, edge_devices
from breakeven.catalog.open_models import open_model, open_models
from breakeven.catalog.precisions import edge_precisions, precision
from breakeven.serving import edge
from breakeven.serving.capacity import RequestShape
from breakeven.serving.edge_constants import POOLED, edge_fit
from breakeven.workload.workload import Slo

SHORT = RequestShape(
    mean_input_tokens=100, mean_output_tokens=100, percentile_input_tokens=200, longest_request_tokens=1_000
)
LOOSE = Slo(ttft_s=1e6, tpot_s=1e6)


def one(
    device: EdgeDevice | str, model: str, quant: str = "Q4_K_M", request: RequestShape = SHORT, slo: Slo = LOOSE
) -> edge.EdgeCapacity:
    first = np.zeros(1, dtype=np.int64)
    found = edge_device(device) if isinstance(device, str) else device
    columns = edge.edge_capacity(
        [found],
        [open_model(model)],
        [precision(quant, "edge")],
        device=first,
        model=first,
        precision=first,
        request=request,
        slo=slo,
    )
    return columns.row(0)


def test_a_token_takes_its_bytes_and_its_launches() -> None:
    device, model, chosen = edge_device("Mac mini M4 16GB"), open_model("Llama-3.1-8B"), precision("Q8_0", "edge")
    constants = edge_fit().of("apple")
    read = (model.total_params - model.embedding_params) * chosen.weight_bits / 8
    cache = 150 * 65_536 * 2  # mean context x values x 2 bytes
    reading = (read + cache) / (device.memory_bandwidth_bytes_per_s * constants.mbu_quantized_frac)
    expected = reading + 32 * constants.layer_us * 1e-6
    capacity = one(device.name, model.name, "Q8_0")
    assert capacity.tpot_s == pytest.approx(expected)
    assert capacity.decode_tokens_per_s == pytest.approx(1 / expected)
    prefill = 100 / capacity.prefill_tokens_per_s
    assert capacity.requests_per_s == pytest.approx(1 / (prefill + 100 * expected))


def test_a_mixture_of_experts_reads_only_its_active_part_but_needs_room_for_all() -> None:
    model, chosen = open_model("gpt-oss-20b"), precision("MXFP4", "edge")
    assert edge.read_bytes(model, chosen) < 0.25 * edge.file_bytes(model, chosen)
    assert edge.file_bytes(model, chosen) / 1e9 == pytest.approx(12.1, rel=0.08)  # ggml-org's GGUF file


@pytest.mark.parametrize(
    ("capacity", "reason"),
    [
        (lambda: one("Mac mini M4 16GB", "Llama-3.1-70B"), "weights do not fit"),
        (
            lambda: one("Mac mini M4 16GB", "Gemma-2-9b", request=replace(SHORT, longest_request_tokens=9_000)),
            "longest",
        ),
        (
            lambda: one("Mac mini M4 16GB", "Llama-3.1-8B", request=replace(SHORT, longest_request_tokens=100_000)),
            "no room for the KV cache",
        ),
        (lambda: one("Mac mini M4 16GB", "Llama-3.1-8B", slo=Slo(ttft_s=0.01, tpot_s=1)), "TTFT requirement"),
        (lambda: one("Mac mini M4 16GB", "Llama-3.1-8B", slo=Slo(ttft_s=100, tpot_s=0.001)), "TPOT requirement"),
    ],
)
def test_every_refusal_is_reached(capacity: Callable[[], edge.EdgeCapacity], reason: str) -> None:
    found = capacity()
    assert found.refusal.startswith(reason)
    assert found.requests_per_s == 0


def test_all_devices_models_and_formats_at_once_agree_with_one_alone() -> None:
    devices, models, chosen = list(edge_devices().values()), list(open_models().values()), edge_precisions()
    device, model, quant = (axis.ravel() for axis in np.indices((len(devices), len(models), len(chosen))))
    columns = edge.edge_capacity(
        devices, models, chosen, device=device, model=model, precision=quant, request=SHORT, slo=Slo()
    )
    for row in np.random.default_rng(2).choice(len(device), 40, replace=False):
        alone = one(devices[device[row]], models[model[row]].name, chosen[quant[row]].name, slo=Slo())
        assert columns.row(int(row)).refusal == alone.refusal
        assert columns.row(int(row)).requests_per_s == pytest.approx(alone.requests_per_s)


def test_more_bandwidth_is_never_slower_and_more_context_never_faster() -> None:
    device = edge_device("Mac mini M4 16GB")
    faster = replace(device, memory_bandwidth_bytes_per_s=2 * device.memory_bandwidth_bytes_per_s)
    assert one(faster, "Llama-3.1-8B").decode_tokens_per_s > one(device, "Llama-3.1-8B").decode_tokens_per_s
    longer = replace(SHORT, mean_input_tokens=4_000, longest_request_tokens=8_000)
    assert (
        one(device, "Llama-3.1-8B", request=longer).decode_tokens_per_s
        < one(device, "Llama-3.1-8B").decode_tokens_per_s
    )


def test_a_class_without_measurements_takes_the_pooled_constants() -> None:
    fit = edge_fit()
    assert fit.of("phone") is fit.classes[POOLED]
    assert all(0.2 < each.mbu_quantized_frac <= 0.95 for each in fit.classes.values())
