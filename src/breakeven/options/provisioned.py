"""Provisioned throughput: a provider's capacity rented by the month, from the user's own configuration."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np

from breakeven import units
from breakeven.catalog.negotiated import ProvisionedThroughput
from breakeven.options.admission import Refusals, model_quality, quality_refusals
from breakeven.options.curve import CostCurve, CurveColumns, Ints
from breakeven.options.hosted_api import CONTROL
from breakeven.options.option import Option
from breakeven.options.refusing import RefusingTable
from breakeven.options.statement import CostLine, CostStatement
from breakeven.workload.workload import Workload

_SECONDS_PER_MINUTE = 60


class ProvisionedApis(RefusingTable):
    """All provisioned-throughput contracts as candidates, in whole units for the busiest minute."""

    kind: Literal["api"] = "api"

    def __init__(self, workload: Workload, contracts: Sequence[ProvisionedThroughput], *, named: bool = False) -> None:
        self._workload = workload
        self._contracts = tuple(contracts)
        self._named = named

    @property
    def group(self) -> Ints:
        """Each contract is a model of its own."""
        return np.arange(len(self._contracts))

    def _unit_requests_per_day(self, contract: ProvisionedThroughput) -> int:
        """Requests a day that one unit carries when its rate is met in the busiest minute, rounded down."""
        workload = self._workload
        tokens = {
            "all": workload.mean_input_tokens + workload.mean_output_tokens,
            "input": workload.mean_input_tokens,
            "output": workload.mean_output_tokens,
        }
        rates = (
            (contract.tokens_per_s_per_unit, 1, tokens["all"]),
            (contract.input_tokens_per_min_per_unit, _SECONDS_PER_MINUTE, tokens["input"]),
            (contract.output_tokens_per_min_per_unit, _SECONDS_PER_MINUTE, tokens["output"]),
        )
        requests_per_s = min(float(rate) / per_s / used for rate, per_s, used in rates if rate is not None and used)
        return int(requests_per_s * units.SECONDS_PER_DAY / workload.peak_to_mean_frac)

    @cached_property
    def _curves(self) -> tuple[CostCurve, ...]:
        return tuple(
            CostCurve(
                unit_usd_per_month=Fraction(contract.usd_per_month_per_unit),
                unit_requests_per_day=(max(1, self._unit_requests_per_day(contract)),),
                min_units=contract.min_units,
            )
            for contract in self._contracts
        )

    @cached_property
    def columns(self) -> CurveColumns:
        """The rows' cost curves."""
        return CurveColumns.of(self._curves)

    @cached_property
    def refusals(self) -> Refusals:
        """Why rows may not be recommended, the first reason that applies to each."""
        refusals, requirements = Refusals.of(len(self._contracts)), self._workload.requirements
        quality = quality_refusals((c.model for c in self._contracts), requirements, self._named)
        for row, contract in enumerate(self._contracts):
            if self._unit_requests_per_day(contract) < 1:
                refusals.refuse_row(row, "one unit cannot carry one request a day", priced=False)
            refusals.refuse_row(row, quality[row])
            if requirements.data_residency:
                refusals.refuse_row(row, "data residency is required and the provider would hold the data")
        return refusals

    def label(self, row: int) -> str:
        """The contract's label."""
        return self._contracts[row].label

    def curve(self, row: int) -> CostCurve:
        """The row's exact cost curve."""
        return self._curves[row]

    def option(self, row: int) -> Option:
        """The row as a full option, with its statement."""
        contract, curve = self._contracts[row], self.curve(row)
        bought = curve.units(self._workload.requests_per_day)
        line = CostLine(
            label="provisioned units",
            quantity=Decimal(bought),
            unit="unit-month",
            usd_per_unit=contract.usd_per_month_per_unit,
            basis="quoted",
            source=contract.source,
        )
        return Option(
            kind="api",
            label=contract.label,
            statement=CostStatement(lines=(line,)),
            curve=curve,
            ttft_s=None,
            tpot_s=None,
            latency_note="unknown until measured or imported",
            quality=model_quality(contract.model),
            control=CONTROL,
            note=f"one unit carries {curve.unit_requests_per_day[0]:,} requests a day at this peak; {bought} units",
        )
