"""What was decided on a request: a value that the ledger keeps, so that it can be asked why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operation = Literal["chat", "responses", "completions", "embeddings", "messages"]
"""The endpoint that a request came in by."""

Reason = Literal["requested", "alias", "degraded", "fallback", "retry", "affinity", "balanced"]
"""Why the served model and deployment are what they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The model and deployment of one attempt, and the reasons in the order in which they were found."""

    served_model: str
    deployment: str
    reasons: tuple[Reason, ...] = ("requested",)

    @property
    def text(self) -> str:
        """As the header ``x-breakeven-decision`` carries it: ``gpt-4o-mini@openai; requested``."""
        return f"{self.served_model}@{self.deployment}; {' '.join(self.reasons)}"
