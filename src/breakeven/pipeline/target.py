"""Where a model is served: deployments, what they charge, and which of them a request may go to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from breakeven.catalog.usage import Usage
from breakeven.pipeline.prices import TargetPrices
from breakeven.policy.cacheability import CacheRule
from breakeven.policy.decision import Reason
from breakeven.policy.semantic_rule import SemanticRule
from breakeven.upstreams.upstream import Upstream
from breakeven.upstreams.wire import Question

_WINDOW_TOKENS: Final = 1_048_576
"""Taken for a context window that no source states: the largest that is offered widely."""


@dataclass(slots=True, weakref_slot=True, eq=False)
class AddedTokens:
    """The most that a deployment adds to an input beyond what was sent: as stated, or as it was seen to add."""

    tokens: int = 512
    stated_tokens: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRules:
    """What may be done to a body on its way to a deployment.

    ``marks_cache``: marks for the provider's prompt cache, kept for ``cache_ttl``, where they are expected to pay;
    ``minifies_json``: insignificant whitespace taken out of the results of tools.
    """

    marks_cache: bool = True
    cache_ttl: Literal["5m", "1h"] = "5m"
    minifies_json: bool = True


AS_USUAL: Final = BodyRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A deployment: an upstream, the model's name there, and its prices.

    ``provider`` is who is paid. ``max_output_tokens`` limits answers of which the client stated no limit, so that the
    worst case is known. ``exact_usage`` says what a question will use, where that is known before; otherwise it is
    bounded.
    """

    name: str
    upstream: Upstream
    model: str
    provider: str
    prices: TargetPrices
    max_output_tokens: int = 16_384
    bytes_per_input_token: float = 1.0
    tokens_per_attachment: int = 20_000
    exact_usage: Callable[[Question, int], Usage] | None = None
    weight: float = 1.0
    added: AddedTokens = field(default_factory=AddedTokens)
    body_rules: BodyRules = AS_USUAL

    def bound_input_tokens(self, question: Question, context_window_tokens: int | None) -> int:
        """The most input tokens that the upstream can count in a question.

        A token is at least one byte of what was sent, so the body's bytes are a bound that no tokenizer breaks; what a
        chat template and a provider's own prompt for tools add has an allowance, which grows where an upstream was
        seen to count more. ``bytes_per_input_token`` above 1 is the operator's statement that the texts are tamer. No
        input is longer than the model's context window, which alone bounds one that the provider adds to from what it
        keeps itself.
        """
        window = context_window_tokens or _WINDOW_TOKENS
        if question.unseen_input:
            return window
        return min(self._sent_tokens(question) + self.added.tokens, window)

    def note_input_tokens(self, question: Question, counted_tokens: int) -> None:
        """Learn from what the upstream counted: more than is allowed for now is allowed for from here on."""
        added = counted_tokens - self._sent_tokens(question)
        if added > self.added.tokens and not question.unseen_input and self.exact_usage is None:
            self.added.tokens = added

    def _sent_tokens(self, question: Question) -> int:
        return int(question.body_bytes / self.bytes_per_input_token) + question.attachments * self.tokens_per_attachment

    def bound_output_tokens(self, question: Question) -> int:
        """The most output tokens that a question can ask for; embeddings have none."""
        if question.operation == "embeddings":
            return 0
        return (question.max_output_tokens or self.max_output_tokens) * question.choices


class Candidate(Struct, frozen=True):
    """A deployment that a request may go to, and why to this one."""

    target: Target
    reasons: tuple[Reason, ...]


class RouteCache(Struct, frozen=True):
    """What a route says of remembered answers, and what serves it: of another, its answers are not these."""

    rule: CacheRule
    identity: bytes
    semantic: SemanticRule = SemanticRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A model as clients call it: its deployments, those to fall back on, and a cheaper model where a budget degrades.

    ``targets`` serve the model itself and share its load; ``fallbacks`` are tried in order when none of them answers.
    ``cache`` is None where no answer is remembered.
    """

    model: str
    targets: tuple[Target, ...]
    fallbacks: tuple[Target, ...] = ()
    degrade_to: str | None = None
    cache: RouteCache | None = None
