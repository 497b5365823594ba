"""Own instances for the trough, the peak spilled to an API: how many instances are worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.offers import PurchasePrice
from breakeven.errors import InputError
from breakeven.options.instance_hours import hours_line, hours_usd
from breakeven.options.spilled_requests import ApiPrice
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.commitments import Alternative

Floats = NDArray[np.float64]

_SECONDS_PER_MONTH = units.HOURS_PER_MONTH * units.SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnInstance:
    """An instance that is always on: what it carries within the requirement, and what it costs.

    ``fixed_usd_per_month`` is paid as soon as there is one (staff), however many there are.
    """

    name: str
    requests_per_s: float
    price: PurchasePrice
    fixed: tuple[CostLine, ...] = ()

    @property
    def fixed_usd_per_month(self) -> Fraction:
        """The sum of the fixed lines."""
        return Fraction(CostStatement(lines=self.fixed).usd_per_month)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillPlan:
    """The cheapest number of own instances. Shares are of the requests and of the intervals of the demand."""

    instances: int
    statement: CostStatement
    spilled_requests_frac: float
    spilling_intervals_frac: float
    alternatives: tuple[Alternative, ...]


class Hybrid:
    """Own instances and an API over a demand: what any number of instances costs a month, exact."""

    def __init__(self, demand_requests_per_s: Sequence[float] | Floats, own: OwnInstance, api: ApiPrice) -> None:
        """Take the demand of equal intervals, which stand for all that follow.

        Raises:
            InputError: the demand is empty, negative or not finite, or the instance carries nothing.
        """
        rates = np.asarray(demand_requests_per_s, dtype=np.float64)
        if not rates.size or not np.isfinite(rates).all() or (rates < 0).any():
            raise InputError("the demand must be rates of at least 0, one for each interval", hint="check its file")
        if not own.requests_per_s > 0:
            raise InputError(f"{own.name} carries no request within the requirement", hint="allow more: --ttft 5")
        self._demand = [Fraction(rate) for rate in np.sort(rates)[::-1].tolist()]
        self._own, self._api = own, api
        self._carried = Fraction(own.requests_per_s)

    @property
    def most_instances(self) -> int:
        """Instances that carry the peak."""
        return -(-self._demand[0] // self._carried)

    def spilled_requests_per_month(self, instances: int) -> Fraction:
        """Requests beyond what the instances carry, interval by interval."""
        carried, spilled = self._carried * instances, Fraction(0)
        for rate in self._demand:
            if rate <= carried:
                break
            spilled += rate - carried
        return spilled * _SECONDS_PER_MONTH / len(self._demand)

    def usd_per_month(self, instances: int) -> Fraction:
        """Own instances and spilled requests together."""
        own = hours_usd(self._own.price, instances * units.HOURS_PER_MONTH)
        fixed = self._own.fixed_usd_per_month if instances else Fraction(0)
        return own + fixed + self._api.usd(self.spilled_requests_per_month(instances))

    def cheapest(self) -> int:
        """The number of instances of least cost.

        Each further instance takes over less than the one before (the cost is convex from the first instance on), so
        the last one that pays for itself is found by bisection, and compared with having none.
        """
        low, high = 1, max(self.most_instances, 1)
        while low < high:
            middle = (low + high) // 2
            if self.usd_per_month(middle + 1) < self.usd_per_month(middle):
                low = middle + 1
            else:
                high = middle
        return low if self.usd_per_month(low) < self.usd_per_month(0) else 0

    def plan(self) -> SpillPlan:
        """The cheapest number of instances, beside owning all and owning none."""
        instances = self.cheapest()
        spilled = self.spilled_requests_per_month(instances)
        every = self.spilled_requests_per_month(0)
        spilling = sum(rate > self._carried * instances for rate in self._demand)
        return SpillPlan(
            instances=instances,
            statement=CostStatement(lines=(*self._own_lines(instances), *self._api.lines(spilled))),
            spilled_requests_frac=float(spilled / every) if every else 0.0,
            spilling_intervals_frac=spilling / len(self._demand),
            alternatives=(
                self._alternative("all on own instances", self.most_instances),
                self._alternative("all on the API", 0),
            ),
        )

    def _own_lines(self, instances: int) -> tuple[CostLine, ...]:
        if not instances:
            return ()
        return (hours_line(self._own.name, self._own.price, instances * units.HOURS_PER_MONTH), *self._own.fixed)

    def _alternative(self, name: str, instances: int) -> Alternative:
        return Alternative(name=name, usd_per_month=units.rounded_usd(self.usd_per_month(instances)))
