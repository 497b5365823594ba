"""A fleet of equal replicas: how many, how requests are spread over them, and what must hold for each request."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.interruptions import Interruptions
from breakeven.workload.workload import Slo

Dispatch = Literal["round_robin", "least_outstanding"]
"""How a request finds its replica: in turn, or where the fewest requests wait or run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiLatency:
    """What the API is known to take: seconds to the first token, and for each further one."""

    ttft_s: float
    tpot_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spill:
    """Requests sent to an API: those that find more than ``above_requests`` waiting or running on the next replica.

    So do those that find no replica ready, or are longer than a replica's cache. ``latency`` is None where nobody
    measured the API's; then these requests are in no percentile.
    """

    above_requests_per_replica: int
    latency: ApiLatency | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """``replicas`` that are always there, or an ``autoscaling`` policy in their place.

    ``slo`` says what counts as within the requirement: TTFT and mean TPOT of a request. With ``spill`` there may be no
    replica at all. ``interruptions`` take replicas away.
    """

    replicas: int = 1
    dispatch: Dispatch = "least_outstanding"
    autoscaling: Autoscaling | None = None
    slo: Slo = field(default_factory=lambda: Slo(percentile=99.0))
    spill: Spill | None = None
    interruptions: Interruptions = field(default_factory=Interruptions)

    @property
    def least_replicas(self) -> int:
        """The fewest replicas there may be, losses aside."""
        return self.replicas if self.autoscaling is None else self.autoscaling.min_replicas

    @property
    def cold_start(self) -> ColdStart:
        """What a replica takes to come: the policy's, or that of a replacement where there is none."""
        return self.interruptions.cold_start if self.autoscaling is None else self.autoscaling.cold_start

    def fixed_at(self, replicas: int) -> Fleet:
        """The fleet without its policy; a lost replica still takes the same cold start to replace."""
        still = replace(self.interruptions, cold_start=self.cold_start)
        return replace(self, replicas=replicas, autoscaling=None, interruptions=still)

    @property
    def most_replicas(self) -> int:
        """The most replicas there may be."""
        return self.replicas if self.autoscaling is None else self.autoscaling.max_replicas
