"""Accelerators answer to every name that price lists, data sheets and measurements give them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog import accelerators as room
from breakeven.catalog.accelerators import accelerator, accelerators
from breakeven.catalog.tables import rows
from breakeven.errors import CatalogError, UnknownName

HEADER = (
    "name,memory_gib,memory_bandwidth_gb_per_s,fp16_dense_tflops,bf16,int8_dense_tflops,fp8_dense_tflops,fp4_dense_tflops,"
    "board_power_w,interconnect_gb_per_s,source,checked_on,confidence,note\n"
)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("H100", "H100-SXM"),
        ("h100_sxm", "H100-SXM"),
        ("H100 SXM5", "H100-SXM"),
        ("NVIDIA H100 80GB", "H100-SXM"),
        ("NVIDIA H100 80GB HBM3", "H100-SXM"),
        ("H100-PCIe", "H100-PCIe"),
        ("h200_sxm", "H200-SXM"),
        ("A100-SXM", "A100-80GB-SXM"),
        ("A100-SXM-80", "A100-80GB-SXM"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB-SXM"),
        ("A100-PCIE-80", "A100-80GB-PCIe"),
        ("A100-40GB", "A100-40GB-SXM"),
        ("b200_sxm", "B200"),
        ("GB200", "GB200"),
        ("RTXPro6000", "RTX-PRO-6000"),
        ("rtx_pro_6000_server", "RTX-PRO-6000"),
        ("RTX4090", "RTX-4090"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("Tesla T4", "T4"),
        ("AMD Instinct MI300X", "MI300X"),
        ("L4/A5000/3090", "L4"),
    ],
)
def test_an_accelerator_answers_to_its_names(name: str, canonical: str) -> None:
    assert accelerator(name).name == canonical


@given(st.sampled_from(sorted(accelerators())), st.sampled_from(["", "-", "_", " "]), st.booleans())
def test_case_and_separators_do_not_matter(name: str, separator: str, upper: bool) -> None:
    written = name.replace("-", separator)
    assert accelerator(written.upper() if upper else written.lower()).name == name


def test_an_unknown_accelerator_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownName, match="unknown accelerator 'H1000'") as refused:
        accelerator("H1000")
    assert "H100-SXM" in (refused.value.hint or "")


def test_memory_is_counted_in_gibibytes() -> None:
    assert accelerator("H100").memory_bytes == 80 * 2**30
    assert accelerator("L40S").memory_bytes == 45 * 2**30


def test_int8_is_nearly_gone_on_blackwell_ultra() -> None:
    for name in ("B300", "GB300"):
        peaks = accelerator(name).peak_flops_per_s
        assert peaks["int8"] < 0.1 * peaks["fp16"]


def test_a_precision_is_listed_only_where_the_hardware_has_it() -> None:
    assert "fp8" not in accelerator("A100").peak_flops_per_s
    assert "fp4" not in accelerator("H100").peak_flops_per_s
    assert accelerator("B200").peak_flops_per_s["fp4"] == 9e15


def test_the_figures_are_those_of_the_reference_table(shared_data: Path) -> None:
    with (shared_data / "catalog" / "gpu_specs.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            ours = accelerator(row["gpu"])
            assert ours.memory_bytes == round(float(row["mem_gib"]) * 2**30)
            assert ours.memory_bandwidth_bytes_per_s == float(row["mem_bw_gbs"]) * 1e9
            assert ours.peak_flops_per_s["fp16"] == float(row["fp16_dense_tflops"]) * 1e12
            for precision, column in (
                ("fp8", "fp8_dense_tflops"),
                ("fp4", "fp4_dense_tflops"),
                ("int8", "int8_dense_tops"),
            ):
                stated = float(row[column]) * 1e12 if row[column] else None
                assert ours.peak_flops_per_s.get(precision) == stated


def test_every_measured_and_every_priced_accelerator_is_known(shared_data: Path) -> None:
    names: set[str] = set()
    for file in ("perf/closed_loop_dev.csv", "perf/offline_max_throughput_dev.csv", "catalog/gpu_prices.csv"):
        with (shared_data / file).open(encoding="utf-8") as table:
            names |= {row["gpu"] for row in csv.DictReader(table)}
    assert len(names) > 20
    assert {accelerator(name).name for name in names} <= set(accelerators())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X,0,1,1,yes,,,,1,1,s,2026-11-24,seen,", "memory_gib must be a positive number"),
        ("X,1,1,,yes,,,,1,1,s,2026-11-24,seen,", "fp16_dense_tflops must be a positive number"),
        ("X,1,1,1,yes,,,,1,,s,2026-11-24,seen,", "interconnect_gb_per_s must be a positive number"),
        ("X,1,1,1,yes,,,,1,1,,2026-11-24,seen,", "source is blank"),
    ],
)
def test_a_wrong_row_is_refused(line: str, reason: str) -> None:
    (row,) = rows("accelerators.csv", HEADER + line + "\n")
    with pytest.raises(CatalogError, match=rf"accelerators\.csv, line 2: {reason}"):
        room._accelerator(row)
