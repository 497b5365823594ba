"""A fleet of equal replicas: how many, how requests are spread over them, and what must hold for each request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from breakeven.serving.autoscaling import Autoscaling
from breakeven.workload.workload import Slo

Dispatch = Literal["round_robin", "least_outstanding"]
"""How a request finds its replica: in turn, or where the fewest requests wait or run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """``replicas`` that are always there, or an ``autoscaling`` policy in their place.

    ``slo`` says what counts as within the requirement: TTFT and mean TPOT of a request.
    """

    replicas: int = 1
    dispatch: Dispatch = "least_outstanding"
    autoscaling: Autoscaling | None = None
    slo: Slo = field(default_factory=lambda: Slo(percentile=99.0))

    @property
    def most_replicas(self) -> int:
        """The most replicas there may be."""
        return self.replicas if self.autoscaling is None else self.autoscaling.max_replicas
