"""From the shape of a transformer to its parameters and its cache: the arithmetic behind every open model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """The attention layers of a model.

    ``layers`` are those that keep a cache, ``sliding_layers`` how many of them keep only a window; these may have other
    heads (``sliding_kv_heads``, ``sliding_head_dim``). With latent attention (``latent_rank`` above 0) the cache of a
    layer is the latent and one rotary key shared by all heads. ``query_rank`` is 0 where queries are projected
    directly.
    """

    layers: int
    sliding_layers: int
    heads: int
    kv_heads: int
    head_dim: int
    sliding_kv_heads: int
    sliding_head_dim: int
    query_rank: int
    latent_rank: int
    rope_head_dim: int
    nope_head_dim: int
    value_head_dim: int

    @property
    def is_latent(self) -> bool:
        """Whether keys and values are cached as one latent (MLA)."""
        return self.latent_rank > 0

    @property
    def full_kv_values(self) -> int:
        """Cached values that one token adds over the layers that keep all tokens."""
        return (self.layers - self.sliding_layers) * self._kv_values_per_layer(self.kv_heads, self.head_dim)

    @property
    def sliding_kv_values(self) -> int:
        """Cached values that one token adds over the layers that keep a window."""
        return self.sliding_layers * self._kv_values_per_layer(self.sliding_kv_heads, self.sliding_head_dim)

    def params(self, hidden_size: int) -> int:
        """Parameters of all attention layers."""
        if self.is_latent:
            return self.layers * self._latent_params(hidden_size)
        full = (self.heads + self.kv_heads) * self.head_dim * (self.layers - self.sliding_layers)
        sliding = (self.heads + self.sliding_kv_heads) * self.sliding_head_dim * self.sliding_layers
        return 2 * hidden_size * (full + sliding)

    def _kv_values_per_layer(self, kv_heads: int, head_dim: int) -> int:
        return self.latent_rank + self.rope_head_dim if self.is_latent else 2 * kv_heads * head_dim

    def _latent_params(self, hidden_size: int) -> int:
        query_dim = self.heads * (self.nope_head_dim + self.rope_head_dim)
        query = self.query_rank * (hidden_size + query_dim) if self.query_rank else hidden_size * query_dim
        down = hidden_size * (self.latent_rank + self.rope_head_dim)
        up = self.latent_rank * self.heads * (self.nope_head_dim + self.value_head_dim)
        return query + down + up + self.heads * self.value_head_dim * hidden_size


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedForward:
    """The feed-forward layers of a model: dense ones, and ones that route each token to a few experts.

    ``matrices`` is 3 for gated layers (SwiGLU) and 2 for plain ones. ``shared_size`` is the width of the experts that
    every token uses, ``expert_hidden_size`` the width that routed experts see where it is not the model's.
    """

    matrices: int
    dense_layers: int
    dense_size: int
    moe_layers: int
    experts: int
    experts_per_token: int
    expert_size: int
    expert_hidden_size: int
    shared_size: int

    @property
    def expert_params(self) -> int:
        """Parameters of one routed expert over all layers."""
        return self.moe_layers * self.matrices * self.expert_hidden_size * self.expert_size

    def params(self, hidden_size: int) -> int:
        """Parameters of all feed-forward layers, all experts and their routers included."""
        dense = self.dense_layers * self.matrices * hidden_size * self.dense_size
        shared = self.moe_layers * self.matrices * hidden_size * self.shared_size
        routers = self.moe_layers * hidden_size * self.experts
        return dense + shared + routers + self.experts * self.expert_params


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """A whole model; ``other_params`` are parts that the formulas do not know, such as state-space layers."""

    layers: int
    hidden_size: int
    vocab_size: int
    tied_embeddings: bool
    attention: Attention
    feed_forward: FeedForward
    other_params: int

    @property
    def total_params(self) -> int:
        """All parameters; biases are left out (below 0.02%)."""
        norms = (2 * self.layers + 1) * self.hidden_size
        embeddings = self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)
        parts = self.attention.params(self.hidden_size) + self.feed_forward.params(self.hidden_size)
        return embeddings + parts + self.other_params + norms

    @property
    def active_params(self) -> int:
        """Parameters that a token touches: all but the experts it is not routed to."""
        idle_experts = self.feed_forward.experts - self.feed_forward.experts_per_token
        return self.total_params - idle_experts * self.feed_forward.expert_params

    @property
    def lookup_params(self) -> int:
        """Parameters that are only looked up, a row a token; 0 where the output layer multiplies with the same ones."""
        return 0 if self.tied_embeddings else self.vocab_size * self.hidden_size
