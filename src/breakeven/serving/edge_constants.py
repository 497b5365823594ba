"""Constants of devices that serve one request at a time: ``data/edge_constants.toml``, read once."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from breakeven.catalog.evidence import Basis
from breakeven.serving.constants import Spread

POOLED: Final = "pooled"
"""Stands for a class of which no device was measured."""

ASSUMED_PREFILL_OPS_PER_BYTE: Final[Mapping[str, float]] = MappingProxyType(
    {"unified": 60.0, "jetson": 30.0, "phone": 15.0, "cpu": 5.0}
)
"""Prefill operations per byte of bandwidth where no row measured it; order of magnitude, assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeClass:
    """Constants of one class of devices.

    A token takes ``bytes read / (bandwidth x mbu) + layers x layer_us``. ``mbu_16bit_frac`` holds for 16-bit files,
    ``mbu_quantized_frac`` for the others. A prompt takes ``2 x active parameters x tokens`` operations at
    ``prefill_ops_per_byte`` x bandwidth. The factors bound 80% of measured over modelled decode speed.
    """

    name: str
    mbu_16bit_frac: float
    mbu_quantized_frac: float
    layer_us: float
    prefill_ops_per_byte: float
    prefill_basis: Basis
    measured_rows: int
    low_factor: float
    high_factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFit:
    """All classes, with what the fit rests on and its error on devices that it had not seen."""

    fitted_on: datetime.date
    source: str
    measured_rows: int
    median_error_frac: float
    p90_error_frac: float
    coverage_frac: float
    spread: Spread
    classes: Mapping[str, EdgeClass]

    def of(self, device_class: str) -> EdgeClass:
        """The class, or the pooled one where none of its devices was measured."""
        return self.classes.get(device_class, self.classes[POOLED])


@cache
def edge_fit() -> EdgeFit:
    """The shipped constants."""
    text = (files(__package__) / "data" / "edge_constants.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    classes = {name: EdgeClass(name=name, **fields) for name, fields in table.pop("classes").items()}
    spread = Spread(**table.pop("spread"))
    return EdgeFit(**table, spread=spread, classes=MappingProxyType(classes))
