"""What a caller states over a workload file, or beside a bare trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from breakeven.workload.workload import QualityTier


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceColumns:
    """Names of a generic trace's columns; None means: find it by its usual names.

    The last four may be missing from a trace: a digest of the whole request, whose it was, which model it went to, and
    how long its answer took.
    """

    timestamp: str | None = None
    input_tokens: str | None = None
    output_tokens: str | None = None
    request_hash: str | None = None
    tenant: str | None = None
    model: str | None = None
    duration: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOverrides:
    """Values that win over the file's; None means: not stated. Units and ranges as in ``settings.SETTINGS``.

    ``hourly_shape`` is ``"flat"``, ``"office"``, ``"consumer"`` or 24 numbers. ``columns`` is for generic traces only.
    """

    requests_per_day: int | None = None
    hourly_shape: str | Sequence[float] | None = None
    burst_frac: float | None = None
    growth_per_month_frac: float | None = None
    duplicate_requests_frac: float | None = None
    shared_prefix_tokens: int | None = None
    min_quality: QualityTier | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    percentile: float | None = None
    data_residency: bool | None = None
    allow_spot: bool | None = None
    max_commitment_months: int | None = None
    engineer_usd_per_month: Decimal | float | None = None
    engineer_share_frac: Decimal | float | None = None
    edge_engineer_share_frac: Decimal | float | None = None
    electricity_usd_per_kwh: Decimal | float | None = None
    device_life_months: int | None = None
    peak_load_frac: float | None = None
    columns: TraceColumns | None = None
