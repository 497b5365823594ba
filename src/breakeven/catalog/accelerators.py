"""Accelerators: memory, bandwidth and peak arithmetic, from data sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.tables import Row, read_table
from breakeven.units import BYTES_PER_GB, BYTES_PER_GIB

PRECISIONS = ("fp16", "int8", "fp8", "fp4")
"""The arithmetic that a peak is stated for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator. Bandwidths are bytes per second, peaks are dense operations per second by precision.

    ``peak_flops_per_s`` has the precisions that the hardware multiplies natively, of
    ``fp16``, ``bf16``, ``fp8``, ``int8``, ``fp4``. ``interconnect_bytes_per_s`` is one way, per accelerator.
    """

    name: str
    memory_bytes: int
    memory_bandwidth_bytes_per_s: float
    peak_flops_per_s: Mapping[str, float]
    board_power_w: float
    interconnect_bytes_per_s: float
    source: str
    confidence: str


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """All accelerators by canonical name.

    Raises:
        CatalogError: a row of ``data/accelerators.csv`` is wrong.
    """
    return MappingProxyType({row.name: row for row in read_table("accelerators.csv", _accelerator)})


def accelerator(name: str) -> Accelerator:
    """The accelerator behind any of its names ("H100", "h100_sxm", "NVIDIA H100 80GB").

    Raises:
        UnknownName: no row carries the name; the hint lists the nearest.
    """
    index = _index()
    return accelerators()[index.find(_unbranded(name)) or index.canonical(name)]


def _unbranded(name: str) -> str:
    """The name without maker and memory technology, which nothing but the data sheet needs."""
    return re.sub(r"nvidia|geforce|tesla|amd|instinct|hbm\d?e?|(?<=sxm)\d", "", name.casefold())


@cache
def _index() -> NameIndex:
    aliases = dict(read_table("accelerator_aliases.csv", lambda row: (row.text("alias"), row.text("name"))))
    return NameIndex("accelerator", accelerators(), aliases)


def _accelerator(row: Row) -> Accelerator:
    return Accelerator(
        name=row.text("name"),
        memory_bytes=round(row.number("memory_gib") * BYTES_PER_GIB),
        memory_bandwidth_bytes_per_s=row.number("memory_bandwidth_gb_per_s") * BYTES_PER_GB,
        peak_flops_per_s=_peaks(row),
        board_power_w=row.number("board_power_w"),
        interconnect_bytes_per_s=row.number("interconnect_gb_per_s") * BYTES_PER_GB,
        source=row.text("source"),
        confidence=row.text("confidence"),
    )


def _peaks(row: Row) -> Mapping[str, float]:
    stated = {precision: row.optional_number(f"{precision}_dense_tflops") for precision in PRECISIONS}
    peaks = {precision: tflops * 1e12 for precision, tflops in stated.items() if tflops}
    if "fp16" not in peaks:
        raise row.wrong("fp16_dense_tflops must be a positive number")
    if row.choice("bf16", ("yes", "no")) == "yes":
        peaks["bf16"] = peaks["fp16"]
    return MappingProxyType(peaks)
