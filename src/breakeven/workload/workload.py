"""A workload: what is asked of a model, how often, and what the answer must satisfy."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Assumption
from breakeven.workload.trace import Trace

QualityTier = Literal["basic", "good", "premium"]
"""Quality tiers in ascending order; the boundaries are in ``catalog/data/quality_tiers.toml``."""

QUALITY_TIERS: tuple[QualityTier, ...] = ("basic", "good", "premium")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Latency that a share of the requests must stay below.

    ``ttft_s`` is the time to first token in seconds, ``tpot_s`` the time per output token after the first in
    seconds, both at ``percentile`` (0..100), as vLLM and DistServe define them.
    """

    ttft_s: float = 2.0
    tpot_s: float = 0.1
    percentile: float = 95.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What an option must satisfy to be compared at all.

    ``allow_spot`` admits capacity that its owner may withdraw; ``max_commitment_months`` is the longest reservation
    that may be recommended.
    """

    min_quality: QualityTier = "good"
    slo: Slo = field(default_factory=Slo)
    data_residency: bool = False
    allow_spot: bool = False
    max_commitment_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCosts:
    """The user's own cost figures.

    ``engineer_share_frac`` is the share of one engineer for a self-hosted fleet and
    ``edge_engineer_share_frac`` for edge devices. ``device_life_months`` spreads the capital of an edge device.
    ``peak_load_frac`` is the share of a replica's sustainable rate under random (Poisson) arrivals that is planned for
    in the busiest minute: real arrivals cluster, and in simulation the Azure 2023 conversation trace met p99 TTFT 2 s
    and TPOT 0.1 s at 0.70-0.81 of saturation where Poisson arrivals met it at 0.90-1.0. Fleets that are sized by a
    replay of real arrivals have that in them, and take the share only where it is stated.
    """

    engineer_usd_per_month: Decimal = Decimal(15_000)
    engineer_share_frac: Decimal = Decimal(1)
    edge_engineer_share_frac: Decimal = Decimal("0.1")
    electricity_usd_per_kwh: Decimal = Decimal("0.15")
    device_life_months: int = 36
    peak_load_frac: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A workload scaled to one average day.

    ``input_tokens`` and ``output_tokens`` are a joint sample of requests: int64 arrays of shape (n,), row i being
    one request; a trace's rows as they are, or a deterministic sample of the stated quantiles.
    ``hourly_shape`` has 24 numbers that sum to 1: the share of a day's requests in each hour, local time.
    ``burst_frac`` is the arrival rate of the busiest minute of an hour over that hour's mean rate (>= 1).
    ``prefix_reuse_frac`` is the share of input tokens that repeat an earlier request's prefix (measured from a
    trace's prefix hashes, or derived from ``shared_prefix_tokens``).
    ``trace`` has the requests with their real times, as they were recorded, where there is such a record.
    """

    name: str
    requests_per_day: int
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    hourly_shape: tuple[float, ...]
    burst_frac: float = 1.0
    growth_per_month_frac: float = 0.0
    duplicate_requests_frac: float = 0.0
    shared_prefix_tokens: int = 0
    prefix_reuse_frac: float = 0.0
    requirements: Requirements = field(default_factory=Requirements)
    costs: SiteCosts = field(default_factory=SiteCosts)
    assumptions: tuple[Assumption, ...] = ()
    trace: Trace | None = None

    @property
    def mean_input_tokens(self) -> float:
        """Mean input tokens of a request."""
        return float(self.input_tokens.mean())

    @property
    def mean_output_tokens(self) -> float:
        """Mean output tokens of a request."""
        return float(self.output_tokens.mean())

    @property
    def longest_request_tokens(self) -> int:
        """Input plus output tokens of the longest request: the context that a model must have."""
        return int((self.input_tokens + self.output_tokens).max())

    @property
    def peak_to_mean_frac(self) -> float:
        """Arrival rate in the busiest minute of the busiest hour over the day's mean rate."""
        return max(self.hourly_shape) * len(self.hourly_shape) * self.burst_frac

    @property
    def peak_requests_per_s(self) -> float:
        """Arrival rate in the busiest minute of the busiest hour, requests per second."""
        return self.requests_per_day / 86_400 * self.peak_to_mean_frac
