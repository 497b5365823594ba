"""Open-weight models: the architecture figures that decide memory, bandwidth and arithmetic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from breakeven.catalog.model_shapes import Attention, FeedForward, ModelShape
from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.tables import Row, read_table

_PUBLISHED_TOLERANCE = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenModel:
    """Architecture of an open-weight model.

    ``expert_params`` are the parameters of one routed expert over all layers, ``experts`` the routed experts a layer,
    ``experts_per_token`` how many of them a token uses, in ``moe_layers`` of the layers (all 0 for a dense model);
    ``total_params`` includes everything. ``full_attention_layers`` attend to the whole context,
    ``sliding_attention_layers`` to a window; what is left of ``layers`` has a state of fixed size.
    ``embedding_params`` are only looked up, not multiplied with (0 where the output layer shares them).
    ``kv_values_per_token`` is the number of cached values a token adds over all full-attention layers (for MLA 576 a
    layer), ``sliding_kv_values_per_token`` the same over layers that keep only the last ``sliding_window_tokens``.
    ``recurrent_state_bytes`` is what a running sequence holds in linear-attention and state-space layers, whatever its
    length. ``native_weight_bits`` is below 16 where the published weights are already quantized (of a
    mixture of experts, its experts: 4.25 for MXFP4, 8 for FP8).
    ``published_total_params`` is the owner's rounded figure.
    """

    name: str
    total_params: float
    active_params: float
    embedding_params: float
    expert_params: float
    experts: int
    experts_per_token: int
    moe_layers: int
    layers: int
    full_attention_layers: int
    sliding_attention_layers: int
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
    recurrent_state_bytes: int = 0
    published_total_params: float | None = None

    @property
    def is_moe(self) -> bool:
        """Whether the model routes tokens to experts."""
        return self.experts > 0


@cache
def open_models() -> Mapping[str, OpenModel]:
    """All open-weight models by canonical name.

    Raises:
        CatalogError: a row of ``data/open_models.csv`` is wrong, such as a shape that does not have the published
            number of parameters.
    """
    return MappingProxyType({model.name: model for model in read_table("open_models.csv", open_model_of_row)})


def open_model(name: str) -> OpenModel:
    """The model behind any of its names ("Llama-3-8B", "deepseek-ai/DeepSeek-R1", "nvidia/DeepSeek-V3.1-NVFP4").

    The owner before the slash and endings that leave the architecture as it is (Instruct, FP8, GGUF, a date) may be
    there or not.

    Raises:
        UnknownName: no row carries the name; the hint lists the nearest.
    """
    return open_models()[_canonical(name)]


# What an owner appends to a name without changing the architecture, from the end, one at a time.
_ENDING = re.compile(
    r"[-_. ](instruct|chat|it|hf|base|thinking|reasoning|preview|latest|original|static|pertensor|kv"
    r"|gguf|mlx|awq|gptq|bf16|fp16|fp8(-dynamic|-kv)?|nvfp4|mxfp4|fp4|int[48]|w4a16|w8a8|[48]-?bit"
    r"|v\d([._]\d)?|\d{4}|\d{8}|1m)$"
)
# TensorRT-LLM writes "LLaMA-v3.1-8B" for Llama-3.1-8B.
_VERSION = re.compile(r"(?<=llama)[-_ ]?v(?=\d)")


def _canonical(name: str) -> str:
    index = _index()
    shorter = _VERSION.sub("-", name.strip().casefold().rpartition("/")[2])
    while True:
        for candidate in (shorter, shorter.removeprefix("meta-"), shorter.removeprefix("nvidia-")):
            if found := index.find(candidate):
                return found
        stripped = _ENDING.sub("", shorter)
        if stripped == shorter:
            return index.canonical(name)
        shorter = stripped


@cache
def _index() -> NameIndex:
    aliases = dict(read_table("open_model_aliases.csv", lambda row: (row.text("alias"), row.text("name"))))
    return NameIndex("open model", open_models(), aliases)


def open_model_of_row(row: Row) -> OpenModel:
    """A model from one row of its shape; its parameters are computed, and checked against the published figure.

    Raises:
        CatalogError: a cell is wrong, or the shape does not have the published number of parameters within 3%.
    """
    shape = _shape(row)
    model = OpenModel(
        name=row.text("name"),
        total_params=shape.total_params,
        active_params=shape.active_params,
        embedding_params=shape.lookup_params,
        expert_params=shape.feed_forward.expert_params,
        experts=shape.feed_forward.experts,
        experts_per_token=shape.feed_forward.experts_per_token,
        moe_layers=shape.feed_forward.moe_layers if shape.feed_forward.experts else 0,
        layers=shape.layers,
        full_attention_layers=shape.attention.layers - shape.attention.sliding_layers,
        sliding_attention_layers=shape.attention.sliding_layers,
        hidden_size=shape.hidden_size,
        attention_heads=shape.attention.heads,
        kv_heads=shape.attention.kv_heads,
        head_dim=shape.attention.head_dim,
        kv_values_per_token=shape.attention.full_kv_values,
        sliding_kv_values_per_token=shape.attention.sliding_kv_values,
        sliding_window_tokens=row.count_or("sliding_window_tokens", 0),
        multi_head_latent_attention=shape.attention.is_latent,
        native_weight_bits=row.number("native_weight_bits"),
        context_window_tokens=row.count("context_window_tokens"),
        source=row.text("source"),
        note=row.optional_text("note"),
        recurrent_state_bytes=row.count_or("recurrent_state_bytes", 0),
        published_total_params=row.number("published_total_params_b") * 1e9,
    )
    _check(row, model)
    return model


def _shape(row: Row) -> ModelShape:
    layers = row.count("layers")
    return ModelShape(
        layers=layers,
        hidden_size=row.count("hidden_size"),
        vocab_size=row.count("vocab_size"),
        tied_embeddings=row.choice("tied_embeddings", ("yes", "no")) == "yes",
        attention=_attention(row, layers),
        feed_forward=_feed_forward(row, layers),
        other_params=row.count_or("other_params", 0),
    )


def _attention(row: Row, layers: int) -> Attention:
    return Attention(
        layers=row.count_or("attention_layers", layers),
        sliding_layers=row.count_or("sliding_layers", 0),
        heads=row.count("attention_heads"),
        kv_heads=row.count("kv_heads"),
        head_dim=row.count("head_dim"),
        sliding_kv_heads=row.count_or("sliding_kv_heads", row.count("kv_heads")),
        sliding_head_dim=row.count_or("sliding_head_dim", row.count("head_dim")),
        query_rank=row.count_or("query_rank", 0),
        latent_rank=row.count_or("latent_rank", 0),
        rope_head_dim=row.count_or("rope_head_dim", 0),
        nope_head_dim=row.count_or("nope_head_dim", 0),
        value_head_dim=row.count_or("value_head_dim", 0),
    )


def _feed_forward(row: Row, layers: int) -> FeedForward:
    moe_layers = row.count_or("moe_layers", 0)
    return FeedForward(
        matrices=row.count("mlp_matrices"),
        dense_layers=row.count_or("dense_mlp_layers", layers - moe_layers),
        dense_size=row.count("intermediate_size"),
        moe_layers=moe_layers,
        experts=row.count_or("experts", 0),
        experts_per_token=row.count_or("experts_per_token", 0),
        expert_size=row.count_or("expert_intermediate_size", 0),
        expert_hidden_size=row.count_or("expert_hidden_size", row.count("hidden_size")),
        shared_size=row.count_or("shared_intermediate_size", 0),
    )


def _check(row: Row, model: OpenModel) -> None:
    if model.experts_per_token > model.experts:
        raise row.wrong("experts_per_token exceeds experts")
    if model.kv_heads > model.attention_heads:
        raise row.wrong("kv_heads exceed attention_heads")
    if bool(model.sliding_kv_values_per_token) != bool(model.sliding_window_tokens):
        raise row.wrong("sliding_layers and sliding_window_tokens belong together")
    published = model.published_total_params or model.total_params
    if abs(model.total_params / published - 1) > _PUBLISHED_TOLERANCE:
        raise row.wrong(f"the shape has {model.total_params / 1e9:.2f}B parameters, published {published / 1e9:.2f}B")
