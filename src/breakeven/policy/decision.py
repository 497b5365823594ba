"""What was decided on a request: a value that the ledger keeps, so that it can be asked why."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

Operation = Literal["chat", "responses", "completions", "embeddings", "messages"]
"""The endpoint that a request came in by."""

Reason = Literal["requested", "degraded", "fallback", "affinity", "balanced"]
"""Why the served model and deployment are what they are."""

GivenReason = Literal["response_cache", "single_flight", "semantic_cache"]
"""Why nothing was sent: the answer was remembered, another request's call brought it, or another wording had it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The model and deployment of one attempt, and the reasons in the order in which they were found.

    ``text`` is what the header ``x-breakeven-decision`` carries: ``gpt-4o-mini@openai; requested``.
    """

    served_model: str
    deployment: str
    reasons: tuple[Reason | GivenReason, ...] = ("requested",)
    text: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        text = f"{self.served_model}@{self.deployment}; {' '.join(self.reasons)}"
        object.__setattr__(self, "text", text)


@lru_cache(maxsize=4096)
def decision(served_model: str, deployment: str, reasons: tuple[Reason | GivenReason, ...]) -> Decision:
    """The decision with these parts: made once, since nearly all requests are decided like others before."""
    return Decision(served_model=served_model, deployment=deployment, reasons=reasons)
