"""Every setting of a workload: its place in the file, its range, its default, and where its value came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from breakeven.catalog.evidence import Assumption
from breakeven.errors import WorkloadError
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.stated_values import exact, quality_tier, real, truth, whole
from breakeven.workload.workload import Requirements, SiteCosts, Slo

Value = Decimal | int | float | str | bool
"""What a setting's value may be."""

MAX_REQUESTS_PER_DAY: Final = 1_000_000_000
"""The largest volume that plans are made for."""

MAX_TOKENS: Final = 100_000_000
"""No request has more tokens than this; a larger count is a fault in the file."""

DEFAULT_BURST_FRAC: Final = 1.52
"""Busiest minute over mean of an hour: measured on Azure's conversation trace of 2023 (58 minutes, 19,366 requests)."""

_REQUIREMENTS: Final = Requirements()
_SLO: Final = Slo()
_COSTS: Final = SiteCosts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of a workload file. ``read`` turns what was stated into a value, or raises ValueError with the rule."""

    table: str
    key: str
    unit: str
    read: Callable[[object], Value]
    default: Value
    source: str = "default"


def _setting(path: str, unit: str, read: Callable[[object], Value], default: Value, source: str = "default") -> Setting:
    table, key = path.split(".")
    return Setting(table=table, key=key, unit=unit, read=read, default=default, source=source)


SETTINGS: Final = (
    _setting(
        "workload.burst_frac",
        "busiest minute / its hour's mean",
        real("1", "3600"),
        DEFAULT_BURST_FRAC,
        "measured on Azure's LLM inference trace of 2023, conversation (CC-BY-4.0)",
    ),
    _setting("workload.growth_per_month_frac", "of the requests", real("-1", "10", open_low=True), 0.0),
    _setting("workload.duplicate_requests_frac", "of the requests", real("0", "1"), 0.0),
    _setting("workload.shared_prefix_tokens", "tokens/request", whole(0, MAX_TOKENS), 0),
    _setting("requirements.min_quality", "tier", quality_tier, _REQUIREMENTS.min_quality),
    _setting("requirements.ttft_s", "s", real("0", "86400", open_low=True), _SLO.ttft_s),
    _setting("requirements.tpot_s", "s/token", real("0", "3600", open_low=True), _SLO.tpot_s),
    _setting(
        "requirements.percentile", "% of requests", real("0", "100", open_low=True, open_high=True), _SLO.percentile
    ),
    _setting("requirements.data_residency", "", truth, _REQUIREMENTS.data_residency),
    _setting("requirements.allow_spot", "", truth, _REQUIREMENTS.allow_spot),
    _setting("requirements.max_commitment_months", "months", whole(0, 120), _REQUIREMENTS.max_commitment_months),
    _setting("costs.engineer_usd_per_month", "USD/month", exact("0", "10000000"), _COSTS.engineer_usd_per_month),
    _setting("costs.engineer_share_frac", "of one engineer", exact("0", "1000"), _COSTS.engineer_share_frac),
    _setting("costs.edge_engineer_share_frac", "of one engineer", exact("0", "1000"), _COSTS.edge_engineer_share_frac),
    _setting("costs.electricity_usd_per_kwh", "USD/kWh", exact("0", "1000"), _COSTS.electricity_usd_per_kwh),
    _setting("costs.device_life_months", "months", whole(1, 600), _COSTS.device_life_months),
    _setting("costs.peak_load_frac", "of a replica", real("0", "1", open_low=True), _COSTS.peak_load_frac),
)
"""The settings that a TOML file, a bare trace and a caller share; requests, tokens and shape are read apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The settings' values by key, and an assumption for each."""

    values: Mapping[str, Value]
    assumptions: tuple[Assumption, ...]

    def __getitem__(self, key: str) -> Any:
        """The value of a setting, of the type that its reader gives."""
        return self.values[key]

    def requirements(self) -> Requirements:
        """The requirements that the settings state."""
        return Requirements(
            min_quality=self["min_quality"],
            slo=Slo(ttft_s=self["ttft_s"], tpot_s=self["tpot_s"], percentile=self["percentile"]),
            data_residency=self["data_residency"],
            allow_spot=self["allow_spot"],
            max_commitment_months=self["max_commitment_months"],
        )

    def costs(self) -> SiteCosts:
        """The user's own cost figures."""
        keys = (setting.key for setting in SETTINGS if setting.table == "costs")
        return SiteCosts(**{key: self[key] for key in keys})


def settle(stated: Mapping[str, Mapping[str, object]], overrides: WorkloadOverrides, *, where: str) -> Settled:
    """Settle every setting: the override, else what the file's tables state, else the default.

    Raises:
        WorkloadError: a value of the wrong type or out of range; the message says where it stands.
    """
    values: dict[str, Value] = {}
    assumptions = []
    for setting in SETTINGS:
        values[setting.key], assumption = _settled(setting, stated.get(setting.table, {}), overrides, where)
        assumptions.append(assumption)
    return Settled(values=values, assumptions=tuple(assumptions))


def checked(read: Callable[[object], Value], stated: object, *, where: str) -> Any:
    """``read(stated)``, with a broken rule told as a WorkloadError about ``where``.

    Raises:
        WorkloadError: the value breaks the reader's rule.
    """
    try:
        return read(stated)
    except ValueError as broken:
        raise WorkloadError(f"{where} must be {broken}", cause=f"got {stated!s:.80}") from None


def _settled(
    setting: Setting, table: Mapping[str, object], overrides: WorkloadOverrides, where: str
) -> tuple[Value, Assumption]:
    override = getattr(overrides, setting.key)
    if override is not None:
        value = checked(setting.read, override, where=f"override {setting.key}")
        return value, _assumption(setting, value, "override")
    if setting.key in table:
        value = checked(setting.read, table[setting.key], where=f"{where}: [{setting.table}] {setting.key}")
        return value, _assumption(setting, value, "workload file")
    assumed = Assumption(
        name=setting.key, value=setting.default, unit=setting.unit, basis="assumed", source=setting.source
    )
    return setting.default, assumed


def _assumption(setting: Setting, value: Value, source: str) -> Assumption:
    return Assumption(name=setting.key, value=value, unit=setting.unit, basis="quoted", source=source)
