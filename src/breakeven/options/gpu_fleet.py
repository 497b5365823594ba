"""Own GPUs: whole instances for the peak, idle shown, staff and egress included."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from breakeven import units
from breakeven.catalog.offers import PurchasePrice
from breakeven.catalog.open_models import OpenModel
from breakeven.options import traffic
from breakeven.options.admission import Refusals, model_quality, quality_refusals
from breakeven.options.curve import Bools, CostCurve, CurveColumns, Floats, Ints
from breakeven.options.gpu_grid import GpuGrid, Purchase, gpu_grid
from breakeven.options.option import Option
from breakeven.options.refusing import RefusingTable
from breakeven.options.staff import staff_line, staff_usd_per_month
from breakeven.options.statement import CostLine, CostStatement, quantity
from breakeven.serving.capacity import REFUSALS
from breakeven.serving.corrections import Corrections, measured_text
from breakeven.workload.workload import Workload

CONTROL = "you, rented hardware"

COMMITMENT_MONTHS = {"on_demand": 0, "spot": 0, "reserved_1y": 12, "reserved_3y": 36}

_HOUR_OF_EVERY_DAY = units.DAYS_PER_MONTH
"""Hours a month of an instance that is up for one hour of every day."""


class GpuFleets(RefusingTable):
    """All GPU options with one way of billing, as candidates.

    ``billing`` "hour": instances are up all month, sized for the busiest minute. "second": serverless workers are up in
    each hour with traffic, sized for that hour's busiest minute, and cost nothing otherwise.
    """

    kind: Literal["gpu"] = "gpu"

    def __init__(self, workload: Workload, grid: GpuGrid, *, billing: str, named: bool = False) -> None:
        self._workload = workload
        self._grid = grid
        self._by_hour_up = billing == "second"
        self._named = named

    @classmethod
    def of(
        cls,
        workload: Workload,
        *,
        billing: str,
        models: tuple[OpenModel, ...] | None = None,
        named: bool = False,
        corrections: Corrections | None = None,
    ) -> GpuFleets:
        """The candidates over the catalogue's offers, for these models or all of them."""
        grid = gpu_grid(workload, billing=billing, models=models, corrections=corrections)
        return cls(workload, grid, billing=billing, named=named)

    @property
    def group(self) -> Ints:
        """The model of each row."""
        return self._grid.replica_model[self._grid.replica]

    @cached_property
    def _unit_usd_per_h(self) -> tuple[Fraction, ...]:
        return tuple(Fraction(purchase.terms.usd_per_h) for purchase in self._grid.purchases)

    @cached_property
    def _weight_gb(self) -> Ints:
        """Gigabytes of weights that each replica's instance stores, rounded up, shape (replicas,)."""
        gigabytes: Ints = np.ceil(np.nan_to_num(self._grid.capacity.weight_bytes) / units.BYTES_PER_GB).astype(np.int64)
        return gigabytes

    @cached_property
    def _instance_requests_per_s(self) -> Floats:
        replica_rates: Floats = np.nan_to_num(self._grid.capacity.requests_per_s)
        rates: Floats = replica_rates[self._grid.replica] * self._grid.replicas_per_instance
        return rates

    @cached_property
    def _unit_requests_per_day(self) -> Ints:
        size = traffic.hourly_capacities if self._by_hour_up else _one_capacity
        return size(self._instance_requests_per_s, self._workload)

    @property
    def _hours_per_unit(self) -> Fraction:
        return _HOUR_OF_EVERY_DAY if self._by_hour_up else Fraction(units.HOURS_PER_MONTH)

    def _storage_usd_per_month(self, purchase: Purchase, weight_gb: int) -> Fraction:
        """Storage of the weights beside one instance; a serverless worker's image is part of its price."""
        return Fraction(0) if self._by_hour_up else Fraction(purchase.offer.storage_usd_per_gb_month) * weight_gb

    @cached_property
    def columns(self) -> CurveColumns:
        """The rows' cost curves."""
        grid, rows = self._grid, len(self._grid)
        hourly = np.array([float(usd) for usd in self._unit_usd_per_h])[grid.purchase]
        storage_usd_per_gb = np.array([float(p.offer.storage_usd_per_gb_month) for p in grid.purchases])[grid.purchase]
        egress_usd_per_gb = np.array([float(p.offer.egress_usd_per_gb) for p in grid.purchases])[grid.purchase]
        stored = 0.0 if self._by_hour_up else storage_usd_per_gb * self._weight_gb[grid.replica]
        return CurveColumns(
            fixed_usd_per_month=np.full(rows, float(self._staff_usd_per_month)),
            usd_per_month_per_daily_request=egress_usd_per_gb
            * float(traffic.egress_gb_per_daily_request(self._workload)),
            unit_usd_per_month=hourly * float(self._hours_per_unit) + stored,
            unit_requests_per_day=np.maximum(self._unit_requests_per_day, 1),
            min_units=np.zeros(rows, dtype=np.int64),
            pooled_requests_per_day=np.zeros((rows, 0), dtype=np.int64),
        )

    @property
    def _staff_usd_per_month(self) -> Fraction:
        return staff_usd_per_month(self._workload.costs, self._workload.costs.engineer_share_frac)

    @cached_property
    def refusals(self) -> Refusals:
        """Why rows may not be recommended, the first reason that applies to each."""
        grid, requirements = self._grid, self._workload.requirements
        refusals = Refusals.of(len(grid))
        refusals.refuse_codes(grid.capacity.refusal_code[grid.replica], REFUSALS)
        quality = quality_refusals((model.name for model in grid.models), requirements, self._named)
        for model, reason in enumerate(quality):
            if reason:
                refusals.refuse(self.group == model, reason)
        options = [purchase.terms.option for purchase in grid.purchases]

        def bought_as(option: str) -> Bools:
            return np.array([bought == option for bought in options], dtype=np.bool_)[grid.purchase]

        if not requirements.allow_spot:
            refusals.refuse(
                bought_as("spot"), "spot capacity can be withdrawn at any time (admit it with --allow-spot)"
            )
        for option, months in COMMITMENT_MONTHS.items():
            if months > requirements.max_commitment_months:
                refusals.refuse(
                    bought_as(option),
                    f"a {months}-month commitment exceeds the longest allowed, {requirements.max_commitment_months}",
                )
        too_small: Bools = np.min(self._unit_requests_per_day, axis=1) < 1
        refusals.refuse(
            too_small, "one instance cannot carry one request a day within the latency requirement", priced=False
        )
        return refusals

    def label(self, row: int) -> str:
        """Model, precision, tensor parallel width, where, and how it is bought."""
        replica, purchase = self._at(row)
        grid, offer = self._grid, purchase.offer
        model = grid.models[grid.replica_model[replica]]
        precision = grid.precisions[grid.replica_precision[replica]].name_for(model.native_weight_bits)
        width = grid.replica_tensor_parallel[replica]
        where = f"{offer.provider}/{offer.instance}@{offer.region}"
        return f"{model.name} {precision} tp{width} on {where} {purchase.terms.option}"

    def _at(self, row: int) -> tuple[int, Purchase]:
        return int(self._grid.replica[row]), self._grid.purchases[int(self._grid.purchase[row])]

    def terms(self, row: int) -> PurchasePrice:
        """How the row's instances are bought."""
        return self._at(row)[1].terms

    def bought_otherwise(self, row: int) -> list[int]:
        """The rows of the same replica on the same offer, bought in each way it is sold; this one included."""
        replica, purchase = self._at(row)
        same = np.array([other.offer is purchase.offer for other in self._grid.purchases])
        rows: list[int] = np.flatnonzero((self._grid.replica == replica) & same[self._grid.purchase]).tolist()
        return rows

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        replica, purchase = self._at(row)
        return CostCurve(
            fixed_usd_per_month=self._staff_usd_per_month,
            usd_per_month_per_daily_request=Fraction(purchase.offer.egress_usd_per_gb)
            * traffic.egress_gb_per_daily_request(self._workload),
            unit_usd_per_month=Fraction(purchase.terms.usd_per_h) * self._hours_per_unit
            + self._storage_usd_per_month(purchase, int(self._weight_gb[replica])),
            unit_requests_per_day=tuple(self._unit_requests_per_day[row].tolist()),
        )

    def option(self, row: int) -> Option:
        """The row as a full option, with its statement."""
        replica, _ = self._at(row)
        capacity, model = self._grid.capacity, self._grid.models[self._grid.replica_model[replica]]
        slo = self._workload.requirements.slo
        return Option(
            kind="gpu",
            label=self.label(row),
            statement=CostStatement(lines=self._lines(row)),
            curve=self.curve(row),
            ttft_s=float(capacity.ttft_s[replica]),
            tpot_s=float(capacity.tpot_s[replica]),
            latency_note=f"{measured_text(capacity, replica)}, p{slo.percentile:g} at the planned load",
            quality=model_quality(model.name),
            control=CONTROL,
            note=self._sizing(row),
            capacity_band=(float(capacity.low_factor[replica]), float(capacity.high_factor[replica])),
        )

    def _lines(self, row: int) -> tuple[CostLine, ...]:
        replica, purchase = self._at(row)
        costs, offer = self._workload.costs, purchase.offer
        lines = [
            *self._instance_lines(row),
            staff_line(costs, costs.engineer_share_frac),
            CostLine(
                label="egress",
                quantity=quantity(
                    traffic.egress_gb_per_daily_request(self._workload) * self._workload.requests_per_day
                ),
                unit="GB",
                usd_per_unit=offer.egress_usd_per_gb,
                basis=offer.egress_basis,
                source=f"{offer.egress_source}; {traffic.BYTES_PER_STREAMED_TOKEN} bytes per streamed token",
            ),
        ]
        weight_gb = int(self._weight_gb[replica])
        if not self._by_hour_up:
            lines.append(
                CostLine(
                    label="storage of the weights",
                    quantity=Decimal(weight_gb * self.curve(row).units(self._workload.requests_per_day)),
                    unit="GB-month",
                    usd_per_unit=offer.storage_usd_per_gb_month,
                    basis=offer.storage_basis,
                    source=f"{offer.storage_source}; {weight_gb} GB beside each instance",
                )
            )
        return tuple(lines)

    def _instance_lines(self, row: int) -> tuple[CostLine, ...]:
        """Hours of the instances bought, split into those that work and those that wait."""
        _, purchase = self._at(row)
        hours = quantity(self.curve(row).units(self._workload.requests_per_day) * self._hours_per_unit)
        busy_h_per_month = Fraction(self._workload.requests_per_day) * units.DAYS_PER_MONTH
        busy_h_per_month /= Fraction(float(self._instance_requests_per_s[row]) * units.SECONDS_PER_HOUR)
        busy = min(hours, quantity(busy_h_per_month))
        parts = (("instance-hours, busy", busy), ("instance-hours, idle", hours - busy))
        return tuple(
            CostLine(
                label=label,
                quantity=part,
                unit="instance-hour",
                usd_per_unit=purchase.terms.usd_per_h,
                basis=purchase.terms.basis,
                source=f"{purchase.terms.option}: {purchase.terms.source}",
            )
            for label, part in parts
        )

    def _sizing(self, row: int) -> str:
        """How the number of instances follows from the workload, in words."""
        workload, curve = self._workload, self.curve(row)
        replica, _ = self._at(row)
        capacity = self._grid.capacity.row(replica)
        held = int(self._grid.replicas_per_instance[row])
        bought = curve.units(workload.requests_per_day)
        what = "worker-hours a day" if self._by_hour_up else "instances"
        low, high = capacity.low_factor, capacity.high_factor
        return (
            f"busiest minute {workload.peak_requests_per_s:.3g} requests/s; a replica sustains "
            f"{capacity.requests_per_s:.3g} requests/s, {capacity.max_concurrent_requests} at once, within the latency "
            f"requirement (80% of measured runs within x{low:.2g} to x{high:.2g}), planned at "
            f"{workload.costs.peak_load_frac:.0%}; {held} to an instance; {bought} {what}"
        )


def _one_capacity(requests_per_s: Floats, workload: Workload) -> Ints:
    return traffic.daily_capacity(requests_per_s, workload)[:, None]
