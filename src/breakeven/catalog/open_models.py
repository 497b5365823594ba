"""Open-weight models: the architecture figures that decide memory, bandwidth and arithmetic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.tables import Row, read_table


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """Architecture of an open-weight model.

    ``expert_params`` are the parameters of one routed expert over all layers, ``experts`` the routed experts a layer,
    ``experts_per_token`` how many of them a token uses (all 0 for a dense model); ``total_params`` includes everything.
    ``kv_values_per_token`` is the number of cached values a token adds over all full-attention layers (for MLA 576 a
    layer), ``sliding_kv_values_per_token`` the same over layers that keep only the last ``sliding_window_tokens``.
    ``native_weight_bits`` is below 16 where the published weights are already quantized (4.25 for MXFP4, 8 for FP8).
    """

    name: str
    total_params: float
    active_params: float
    embedding_params: float
    expert_params: float
    experts: int
    experts_per_token: int
    layers: int
    hidden_size: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    kv_values_per_token: int
    sliding_kv_values_per_token: int
    sliding_window_tokens: int
    multi_head_latent_attention: bool
    native_weight_bits: float
    context_window_tokens: int
    source: str
    note: str = ""

    @property
    def is_moe(self) -> bool:
        """Whether the model routes tokens to experts."""
        return self.experts > 0


@cache
def open_models() -> Mapping[str, OpenModel]:
    """All open-weight models by canonical name.

    Raises:
        CatalogError: a row of ``data/open_models.csv`` is wrong.
    """
    return MappingProxyType({row.name: row for row in read_table("open_models.csv", _open_model)})


def open_model(name: str) -> OpenModel:
    """The model behind any of its names ("Llama-3-8B", "deepseek-ai/DeepSeek-R1", "nvidia/...-NVFP4").

    Raises:
        UnknownName: no row carries the name; the hint lists the nearest.
    """
    return open_models()[_canonical(name)]


# What an owner appends to a name without changing the architecture.
_SUFFIX = re.compile(
    r"[-_](instruct(-\d{4})?|chat|it|hf|base|fp8|nvfp4|fp4|bf16|awq|gptq|int4|int8|w4a16|w8a8|0528|v0\.\d)$", re.I
)


def _canonical(name: str) -> str:
    index = _index()
    shorter = name.rpartition("/")[2]
    for candidate in (name, shorter):
        if found := index.find(candidate):
            return found
    while (stripped := _SUFFIX.sub("", shorter)) != shorter:
        shorter = stripped
        if found := index.find(shorter):
            return found
    return index.canonical(name)


@cache
def _index() -> NameIndex:
    aliases = dict(read_table("open_model_aliases.csv", lambda row: (row.text("alias"), row.text("name"))))
    return NameIndex("open model", open_models(), aliases)


def _open_model(row: Row) -> OpenModel:
    model = OpenModel(
        name=row.text("name"),
        total_params=row.number("total_params"),
        active_params=row.number("active_params"),
        embedding_params=row.number("embedding_params"),
        expert_params=row.count("expert_params"),
        experts=row.count("experts"),
        experts_per_token=row.count("experts_per_token"),
        layers=row.count("layers"),
        hidden_size=row.count("hidden_size"),
        attention_heads=row.count("attention_heads"),
        kv_heads=row.count("kv_heads"),
        head_dim=row.count("head_dim"),
        kv_values_per_token=row.count("kv_values_per_token"),
        sliding_kv_values_per_token=row.count("sliding_kv_values_per_token"),
        sliding_window_tokens=row.count("sliding_window_tokens"),
        multi_head_latent_attention=row.choice("multi_head_latent_attention", ("yes", "no")) == "yes",
        native_weight_bits=row.number("native_weight_bits"),
        context_window_tokens=row.count("context_window_tokens"),
        source=row.text("source"),
        note=row.optional_text("note"),
    )
    _check(row, model)
    return model


def _check(row: Row, model: OpenModel) -> None:
    if model.active_params > model.total_params:
        raise row.wrong("active_params exceed total_params")
    if model.embedding_params > model.total_params:
        raise row.wrong("embedding_params exceed total_params")
    if model.experts_per_token > model.experts:
        raise row.wrong("experts_per_token exceeds experts")
    if model.expert_params * model.experts > model.total_params:
        raise row.wrong("the experts exceed total_params")
    if bool(model.sliding_kv_values_per_token) != bool(model.sliding_window_tokens):
        raise row.wrong("sliding_kv_values_per_token and sliding_window_tokens belong together")
