"""Edge devices: bought once, spread over their life, powered, and enough of them for the busiest minute."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from breakeven import units
from breakeven.catalog.edge_devices import EdgeDevice, edge_devices
from breakeven.catalog.open_models import OpenModel, open_models
from breakeven.catalog.precisions import Precision, edge_precisions
from breakeven.options import traffic
from breakeven.options.admission import Refusals, is_scored, quality_refusals, served_quality
from breakeven.options.curve import CostCurve, CurveColumns, Floats, Ints
from breakeven.options.gpu_grid import request_shape
from breakeven.options.option import Option
from breakeven.options.refusing import RefusingTable
from breakeven.options.staff import staff_line, staff_usd_per_month
from breakeven.options.statement import CostLine, CostStatement, quantity
from breakeven.serving.corrections import Corrections, measured_text
from breakeven.serving.edge import EDGE_REFUSALS, edge_capacity
from breakeven.serving.queueing import POOLED_SERVERS, sustainable_load
from breakeven.workload.workload import Workload

CONTROL = "you, own hardware"

_WATTS_PER_KILOWATT = 1_000
_RANGE_MIDDLE = Decimal(2)


class EdgeDevices(RefusingTable):
    """All device x model x precision combinations as candidates; one request at a time on each device."""

    kind: Literal["edge"] = "edge"

    def __init__(
        self,
        workload: Workload,
        *,
        models: tuple[OpenModel, ...] | None = None,
        devices: tuple[EdgeDevice, ...] | None = None,
        named: bool = False,
        corrections: Corrections | None = None,
    ) -> None:
        self._workload = workload
        self._models = tuple(open_models().values()) if models is None else models
        self._devices = tuple(edge_devices().values()) if devices is None else devices
        self._precisions = edge_precisions()
        self._named = named
        shape = (len(self._devices), len(self._models), len(self._precisions))
        self._device, self._model, self._precision = (axis.ravel() for axis in np.indices(shape))
        self._capacity = edge_capacity(
            devices=self._devices,
            models=self._models,
            precisions=self._precisions,
            device=self._device,
            model=self._model,
            precision=self._precision,
            request=request_shape(workload),
            slo=workload.requirements.slo,
            corrections=corrections,
        )

    @property
    def group(self) -> Ints:
        """The model of each row."""
        models: Ints = self._model
        return models

    @cached_property
    def _requests_per_s(self) -> Floats:
        rates: Floats = np.nan_to_num(self._capacity.requests_per_s)
        return rates

    @cached_property
    def _pooled_requests_per_day(self) -> Ints:
        """What 1, 2, ... devices sharing one queue carry a day, shape (rows, POOLED_SERVERS).

        A device serves one request at a time, so requests wait; the wait that the TTFT requirement leaves decides how
        busy the devices may be in the busiest minute.
        """
        slo = self._workload.requirements.slo
        spare_s = slo.ttft_s - np.nan_to_num(self._capacity.ttft_s, nan=slo.ttft_s)
        load = sustainable_load(spare_s * self._requests_per_s, slo.percentile)
        carried = traffic.daily_capacity(self._requests_per_s[:, None] * load, self._workload)
        # Beyond the pool each further device carries an even share of it, so that the stairs never bend down.
        evenly = carried[:, -1:] // POOLED_SERVERS * np.arange(1, POOLED_SERVERS + 1)
        stairs: Ints = np.minimum(carried, evenly)
        return stairs

    @property
    def _unit_requests_per_day(self) -> Ints:
        shares: Ints = self._pooled_requests_per_day[:, -1] // POOLED_SERVERS
        return shares

    @property
    def _staff_usd_per_month(self) -> Fraction:
        return staff_usd_per_month(self._workload.costs, self._workload.costs.edge_engineer_share_frac)

    def _capital_usd(self, device: EdgeDevice) -> Decimal | None:
        """Middle of the device's price range and its host, US dollars; None where no price is known."""
        if device.price_low_usd is None or device.price_high_usd is None:
            return None
        return (device.price_low_usd + device.price_high_usd) / _RANGE_MIDDLE + device.host_usd

    def _capital_usd_per_month(self, device: EdgeDevice) -> Fraction:
        return Fraction(self._capital_usd(device) or 0) / self._workload.costs.device_life_months

    def _idle_kwh_per_month(self, device: EdgeDevice) -> Fraction:
        return Fraction(device.idle_power_w or 0) * units.HOURS_PER_MONTH / _WATTS_PER_KILOWATT

    def _busy_kwh_per_daily_request(self, row: int) -> Fraction:
        """Energy above idle a month for one request a day: the device works one request's service time each day."""
        device = self._devices[self._device[row]]
        extra_w = Fraction(device.load_power_w or 0) - Fraction(device.idle_power_w or 0)
        rate = float(self._requests_per_s[row])
        busy_h = units.DAYS_PER_MONTH / Fraction(rate) / units.SECONDS_PER_HOUR if rate else Fraction(0)
        return extra_w * busy_h / _WATTS_PER_KILOWATT

    @cached_property
    def columns(self) -> CurveColumns:
        """The rows' cost curves."""
        usd_per_kwh = float(self._workload.costs.electricity_usd_per_kwh)
        unit = [float(self._unit_usd_per_month(device)) for device in self._devices]
        extra_w = np.array([(d.load_power_w or 0.0) - (d.idle_power_w or 0.0) for d in self._devices])
        busy_s = np.divide(1.0, self._requests_per_s, out=np.zeros(len(self._model)), where=self._requests_per_s > 0)
        busy_kwh = extra_w[self._device] * busy_s * float(units.DAYS_PER_MONTH) / units.SECONDS_PER_HOUR / 1_000
        return CurveColumns(
            fixed_usd_per_month=np.full(len(self._model), float(self._staff_usd_per_month)),
            usd_per_month_per_daily_request=busy_kwh * usd_per_kwh,
            unit_usd_per_month=np.array(unit)[self._device],
            unit_requests_per_day=np.maximum(self._unit_requests_per_day, 1)[:, None],
            min_units=np.zeros(len(self._model), dtype=np.int64),
            pooled_requests_per_day=self._pooled_requests_per_day,
        )

    def _unit_usd_per_month(self, device: EdgeDevice) -> Fraction:
        electricity = Fraction(self._workload.costs.electricity_usd_per_kwh)
        return self._capital_usd_per_month(device) + self._idle_kwh_per_month(device) * electricity

    @cached_property
    def refusals(self) -> Refusals:
        """Why rows may not be recommended, the first reason that applies to each."""
        refusals = Refusals.of(len(self._model))
        refusals.refuse_codes(self._capacity.refusal_code, EDGE_REFUSALS)
        unpriced = np.array([self._capital_usd(device) is None for device in self._devices])
        refusals.refuse(unpriced[self._device], "the device has no known price", priced=False)
        unpowered = np.array([device.load_power_w is None for device in self._devices])
        refusals.refuse(unpowered[self._device], "the device has no known power draw", priced=False)
        refusals.refuse(
            self._pooled_requests_per_day[:, 0] < 1,
            "one device cannot carry one request a day within the latency requirement",
            priced=False,
        )
        if not self._named:
            unscored = np.array([not is_scored(precision) for precision in self._precisions])
            refusals.refuse(
                unscored[self._precision], "below 4 bits a weight the model's public score no longer holds (measure it)"
            )
        quality = quality_refusals((m.name for m in self._models), self._workload.requirements, self._named)
        for model, reason in enumerate(quality):
            refusals.refuse(self._model == model, reason)
        return refusals

    def _at(self, row: int) -> tuple[EdgeDevice, OpenModel, Precision]:
        return (
            self._devices[self._device[row]],
            self._models[self._model[row]],
            self._precisions[self._precision[row]],
        )

    def label(self, row: int) -> str:
        """Model, precision and device."""
        device, model, precision = self._at(row)
        return f"{model.name} {precision.name_for(model.native_weight_bits)} on {device.name}"

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        device, _, _ = self._at(row)
        electricity = Fraction(self._workload.costs.electricity_usd_per_kwh)
        return CostCurve(
            fixed_usd_per_month=self._staff_usd_per_month,
            usd_per_month_per_daily_request=self._busy_kwh_per_daily_request(row) * electricity,
            unit_usd_per_month=self._unit_usd_per_month(device),
            unit_requests_per_day=(max(1, int(self._unit_requests_per_day[row])),),
            pooled_requests_per_day=tuple(self._pooled_requests_per_day[row].tolist()),
        )

    def option(self, row: int) -> Option:
        """The row as a full option, with its statement."""
        _, model, precision = self._at(row)
        return Option(
            kind="edge",
            label=self.label(row),
            statement=CostStatement(lines=self._lines(row)),
            curve=self.curve(row),
            ttft_s=float(self._capacity.ttft_s[row]),
            tpot_s=float(self._capacity.tpot_s[row]),
            latency_note=f"{measured_text(self._capacity, row)}, one request at a time, "
            "without its wait for a free device",
            quality=served_quality(model.name, precision),
            control=CONTROL,
            note=self._sizing(row),
            capacity_band=(float(self._capacity.low_factor[row]), float(self._capacity.high_factor[row])),
        )

    def _lines(self, row: int) -> tuple[CostLine, ...]:
        device, _, _ = self._at(row)
        costs, volume = self._workload.costs, self._workload.requests_per_day
        devices = self.curve(row).units(volume)
        priced = f"{device.source}, {device.checked_on}; middle of ${device.price_low_usd} to ${device.price_high_usd}"
        host = f", host ${device.host_usd}" if device.host_usd else ""
        power = (
            ("electricity, idle", self._idle_kwh_per_month(device) * devices),
            ("electricity, serving", self._busy_kwh_per_daily_request(row) * volume),
        )
        return (
            CostLine(
                label="devices",
                quantity=quantity(Fraction(devices, costs.device_life_months)),
                unit=f"device, 1/{costs.device_life_months} of its price a month",
                usd_per_unit=self._capital_usd(device) or Decimal(0),
                basis=device.basis,
                source=priced + host,
            ),
            *(
                CostLine(
                    label=label,
                    quantity=quantity(kwh),
                    unit="kWh",
                    usd_per_unit=costs.electricity_usd_per_kwh,
                    basis="assumed",
                    source=f"{device.idle_power_w:g} W idle, {device.load_power_w:g} W serving",
                )
                for label, kwh in power
            ),
            staff_line(costs, costs.edge_engineer_share_frac),
        )

    def _sizing(self, row: int) -> str:
        """How the number of devices follows from the workload, in words."""
        workload = self._workload
        slo = workload.requirements.slo
        low, high = self._capacity.low_factor[row], self._capacity.high_factor[row]
        return (
            f"busiest minute {workload.peak_requests_per_s:.3g} requests/s; a device serves one request at a time, "
            f"{self._requests_per_s[row]:.3g} requests/s (80% of measured devices within x{low:.2g} to x{high:.2g}), "
            f"planned at {workload.costs.peak_load_frac:.0%} of what still meets p{slo.percentile:g}; "
            f"{self.curve(row).units(workload.requests_per_day)} devices"
        )
