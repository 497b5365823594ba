"""Bits per weight are those of real files, scales included, under every name in use."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from breakeven.catalog.open_models import open_model
from breakeven.catalog.precisions import edge_precisions, gpu_precisions, precision, precisions
from breakeven.errors import UnknownName


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("bf16", "fp16"),
        ("BFloat16", "fp16"),
        ("fp8", "fp8"),
        ("w8a8", "int8"),
        ("nvfp4", "fp4"),
        ("NVFP4", "fp4"),
        ("AWQ", "int4"),
        ("w4a16", "int4"),
        ("F16", "F16"),
        ("Q4_K_M(ollama)", "Q4_K_M"),
        ("q4_k_m", "Q4_K_M"),
        ("4-bit (llama.cpp)", "Q4_K_M"),
        ("MXFP4(ollama)", "MXFP4"),
    ],
)
def test_a_precision_answers_to_its_names(name: str, canonical: str) -> None:
    assert precision(name).name == canonical


def test_sizes_are_those_of_real_files(shared_data: Path) -> None:
    """llama.cpp's own table of Llama-3.1-8B: bits per weight and the size of the file."""
    weights = open_model("Llama-3.1-8B").total_params
    seen = 0
    with (shared_data / "perf" / "quantization_anchors.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["anchor"].startswith("llama.cpp tools/quantize") and row["format"] in precisions():
                ours = precision(row["format"])
                assert ours.weight_bits == pytest.approx(float(row["bpw"]), abs=0.001)
                assert weights * ours.weight_bits / 8 / 2**30 == pytest.approx(float(row["size_gib"]), rel=0.005)
                seen += 1
    assert seen >= 6


def test_every_measured_precision_is_known(shared_data: Path) -> None:
    names: set[str] = set()
    for file, column in (("closed_loop_dev", "precision"), ("offline_max_throughput_dev", "precision")):
        with (shared_data / "perf" / f"{file}.csv").open(encoding="utf-8") as table:
            names |= {row[column] for row in csv.DictReader(table) if row[column] != "nan"}
    assert {precision(name, "server").name for name in names} <= {one.name for one in gpu_precisions()}
    with (shared_data / "perf" / "edge_tokens_per_s_dev.csv").open(encoding="utf-8") as table:
        assert {precision(row["quant"], "edge").ladder for row in csv.DictReader(table)} == {"edge"}


def test_the_ladders_descend() -> None:
    for ladder in (gpu_precisions(), edge_precisions()):
        bits = [one.weight_bits for one in ladder]
        assert bits == sorted(bits, reverse=True)
        assert bits[0] >= 16


def test_weight_only_formats_multiply_in_sixteen_bits() -> None:
    assert precision("int4").compute == "fp16"
    assert all(one.compute == "fp16" for one in edge_precisions())
    assert precision("fp4").compute == "fp4"


@pytest.mark.parametrize(("name", "ladder"), [("fp3", None), ("Q4_K_M", "server"), ("nvfp4", "edge"), ("", None)])
def test_an_unknown_precision_is_refused_with_the_nearest_names(name: str, ladder: str | None) -> None:
    with pytest.raises(UnknownName) as refused:
        precision(name, ladder)  # type: ignore[arg-type]
    assert "nearest names" in (refused.value.hint or "")
