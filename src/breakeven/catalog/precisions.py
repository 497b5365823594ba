"""The precision ladder: how many bits a weight and a cached value really take, scales included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.tables import Row, read_table

Compute = Literal["fp16", "int8", "fp8", "fp4"]
"""What the arithmetic runs in, where the hardware can; weight-only formats multiply in 16 bits."""

Ladder = Literal["server", "edge"]
"""``server``: formats of vLLM, SGLang and TensorRT-LLM. ``edge``: GGUF files of llama.cpp."""

# "Q4_K_M(ollama)", "4-bit (llama.cpp)": the runner behind a name does not change the bits.
_RUNNER = re.compile(r"\s*\((ollama|llama\.?cpp|gguf|mlx)\)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A number format for weights: mean bits per weight with scales, bits per cached key or value, arithmetic."""

    name: str
    ladder: Ladder
    weight_bits: float
    kv_bits: float
    compute: Compute
    source: str
    note: str = ""

    def name_for(self, native_weight_bits: float) -> str:
        """The name beside a model; published weights that already have fewer bits stay as they are ("native-fp16")."""
        return f"native-{self.name}" if native_weight_bits < self.weight_bits else self.name


@cache
def precisions() -> Mapping[str, Precision]:
    """All precisions by name.

    Raises:
        CatalogError: a row of ``data/precisions.csv`` is wrong.
    """
    return MappingProxyType({found.name: found for found, _ in _table()})


@cache
def gpu_precisions() -> tuple[Precision, ...]:
    """The formats that GPU servers offer, from the most bits to the fewest."""
    return _of_ladder("server")


@cache
def edge_precisions() -> tuple[Precision, ...]:
    """The formats that llama.cpp offers, from the most bits to the fewest."""
    return _of_ladder("edge")


def precision(name: str, ladder: Ladder | None = None) -> Precision:
    """The precision behind any of its names ("bf16", "nvfp4", "w8a8", "Q4_K_M(ollama)", "4-bit (llama.cpp)").

    Args:
        name: a name or alias. ``F16`` and ``MXFP4`` are files of llama.cpp, ``fp16`` and ``fp4`` formats of servers.
        ladder: look only among the formats of one kind.

    Raises:
        UnknownName: no row carries the name; the hint lists the nearest.
    """
    return precisions()[_index(ladder).canonical(_RUNNER.sub("", name))]


def _of_ladder(ladder: Ladder) -> tuple[Precision, ...]:
    found = (found for found, _ in _table() if found.ladder == ladder)
    return tuple(sorted(found, key=lambda one: -one.weight_bits))


@cache
def _table() -> tuple[tuple[Precision, tuple[str, ...]], ...]:
    return read_table("precisions.csv", _precision)


@cache
def _index(ladder: Ladder | None) -> NameIndex:
    wanted = [(found, aliases) for found, aliases in _table() if ladder in (None, found.ladder)]
    aliases = {alias: found.name for found, aliases in wanted for alias in aliases}
    return NameIndex("precision", (found.name for found, _ in wanted), aliases)


def _precision(row: Row) -> tuple[Precision, tuple[str, ...]]:
    found = Precision(
        name=row.text("name"),
        ladder=row.choice("ladder", ("server", "edge")),
        weight_bits=row.number("weight_bits"),
        kv_bits=row.number("kv_bits"),
        compute=row.choice("compute", ("fp16", "int8", "fp8", "fp4")),
        source=row.text("source"),
        note=row.optional_text("note"),
    )
    if not 1 <= found.weight_bits <= 32:
        raise row.wrong("weight_bits must be between 1 and 32")
    return found, tuple(filter(None, row.optional_text("aliases").split("|")))
