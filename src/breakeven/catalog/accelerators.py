"""Accelerators: memory, bandwidth and peak arithmetic, from data sheets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator. Bandwidths are bytes per second, peaks are dense operations per second by precision.

    ``peak_flops_per_s`` has the precisions that the hardware multiplies natively, of
    ``fp16``, ``fp8``, ``int8``, ``fp4``. ``interconnect_bytes_per_s`` is one way, per accelerator.
    """

    name: str
    memory_bytes: int
    memory_bandwidth_bytes_per_s: float
    peak_flops_per_s: Mapping[str, float]
    board_power_w: float
    interconnect_bytes_per_s: float
    source: str
    confidence: str
