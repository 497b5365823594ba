"""Which instances to reserve and what to rent by the hour, for demand that varies: three exact searches.

One instance type: a *layer* of demand is reserved where the hours that need it cost more than the reservation. One kind
of demand on several types: only the total that the reservations carry matters to an hour, so all totals worth having
are compared. Several kinds of demand that share instances: a program with whole numbers, solved by HiGHS.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, inf, isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.plan.integer_program import IntegerProgram, Solution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_INSTANCES: Final = 2_000
"""Up to as many instances of a type all combinations are compared; beyond that the program is solved instead."""

_SLACK = 1e-9
"""Share of the peak by which floats may miss a demand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseProblem:
    """Demand by hour and the instance types that can carry it.

    ``demand`` has shape (hours, kinds); ``carries`` (types, kinds) is what one instance carries of each kind, 0 where
    it cannot. The columns of shape (types,) are US dollars an hour (infinite where a way of buying is not sold), the
    most spot instances that may be held in an hour, and the fewest that a reservation may be for.
    """

    demand: Floats
    carries: Floats
    reserved_usd_per_h: Floats
    on_demand_usd_per_h: Floats
    spot_usd_per_h: Floats
    most_spot: Ints
    fewest_reserved: Ints

    @property
    def hours(self) -> int:
        """Number of hours."""
        return len(self.demand)

    @property
    def types(self) -> int:
        """Number of instance types."""
        return len(self.carries)

    def scaled(self, volume_frac: float) -> PurchaseProblem:
        """The same problem at a share of its volume."""
        return self._with(demand=self.demand * volume_frac, rows=slice(None))

    def only(self, kind_of_instance: int) -> PurchaseProblem:
        """The same demand with one instance type."""
        return self._with(demand=self.demand, rows=slice(kind_of_instance, kind_of_instance + 1))

    def _with(self, *, demand: Floats, rows: slice) -> PurchaseProblem:
        return PurchaseProblem(
            demand=demand,
            carries=self.carries[rows],
            reserved_usd_per_h=self.reserved_usd_per_h[rows],
            on_demand_usd_per_h=self.on_demand_usd_per_h[rows],
            spot_usd_per_h=self.spot_usd_per_h[rows],
            most_spot=self.most_spot[rows],
            fewest_reserved=self.fewest_reserved[rows],
        )

    def needed(self, instance_type: int) -> Ints:
        """Instances of one type that each hour needs if it has no other, shape (hours,)."""
        carried = self.carries[instance_type]
        shares = self.demand[:, carried > 0] / carried[carried > 0]
        whole: Ints = np.ceil(shares * (1 - _SLACK)).astype(np.int64).sum(axis=1)
        return whole

    def serves_alone(self, instance_type: int) -> bool:
        """Whether one type can serve every kind that is asked for."""
        return not (self.demand[:, self.carries[instance_type] <= 0] > 0).any()

    def usd(self, split: Split) -> float:
        """US dollars over all hours, in floats: for choosing, not for printing."""
        on_demand, spot = split.on_demand.sum(axis=0), split.spot.sum(axis=0)
        always = split.reserved * self.hours
        return (
            _priced(always, self.reserved_usd_per_h)
            + _priced(on_demand, self.on_demand_usd_per_h)
            + _priced(spot, self.spot_usd_per_h)
        )

    def most_needed(self, instance_type: int) -> int:
        """Instances of one type beyond which more of them serve nothing more, in any hour."""
        carried = self.carries[instance_type]
        peaks = self.demand.max(axis=0, initial=0.0)[carried > 0]
        return int(np.ceil(peaks / carried[carried > 0]).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Instances held: ``reserved`` of shape (types,) in every hour, the others of shape (hours, types) by the hour.

    ``proved_usd`` is what no split can undercut over all hours; None where the search itself is exhaustive.
    """

    reserved: Ints
    on_demand: Ints
    spot: Ints
    proved_usd: float | None = None

    def among(self, instance_type: int, types: int) -> Split:
        """A split of one type as one of several types, of which the others are not bought."""
        column = np.eye(types, dtype=np.int64)[instance_type]
        return Split(reserved=self.reserved * column, on_demand=self.on_demand * column, spot=self.spot * column)


def best_split(problem: PurchaseProblem, reserved: Ints | None = None, time_limit_s: float = 60.0) -> Split:
    """The cheapest split, or the cheapest one with these reservations.

    Raises:
        NothingFits: nothing carries the demand.
        Unavailable: several kinds of demand on several types, and HiGHS is not installed.
    """
    if problem.types == 1:
        return split_by_layers(problem, reserved)
    if problem.demand.shape[1] == 1 and _most_instances(problem) <= MOST_INSTANCES:
        return split_by_levels(problem, reserved)
    return split_by_program(problem, reserved, time_limit_s)


def split_by_layers(problem: PurchaseProblem, reserved: Ints | None = None) -> Split:
    """One instance type: reserve the layers whose hours would cost more than the reservation.

    Layer r is the r-th instance of the hours that need r or more. What it would cost by the hour falls with r, so the
    first layer that is not worth it is found by bisection.
    """
    needed, most_spot = problem.needed(0), int(problem.most_spot[0])

    def worth_reserving(layer: int) -> bool:
        left = needed - layer + 1
        spot_hours, on_demand_hours = _hours_saved(left, most_spot)
        saved = on_demand_hours * problem.on_demand_usd_per_h[0]
        saved += spot_hours * problem.spot_usd_per_h[0] if spot_hours else 0.0
        return bool(saved > problem.reserved_usd_per_h[0] * problem.hours)

    if reserved is None:
        low, high = 0, int(needed.max(initial=0))
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if worth_reserving(middle) else (low, middle - 1)
        fewest = int(problem.fewest_reserved[0])
        choices = {low} if low == 0 or low >= fewest else {0, fewest}
        return min((_layered(needed, most_spot, count) for count in choices), key=problem.usd)
    return _layered(needed, most_spot, int(reserved[0]))


def _hours_saved(left: Ints, most_spot: int) -> tuple[int, int]:
    """Spot hours and on-demand hours that one more reserved instance replaces where ``left`` are still needed."""
    return int(((left > 0) & (left <= most_spot)).sum()), int((left > most_spot).sum())


def _layered(needed: Ints, most_spot: int, reserved: int) -> Split:
    left = np.maximum(needed - reserved, 0)
    spot = np.minimum(left, most_spot)
    return Split(reserved=np.array([reserved]), on_demand=(left - spot)[:, None], spot=spot[:, None])


def split_by_levels(problem: PurchaseProblem, reserved: Ints | None = None) -> Split:
    """One kind of demand: try every total that reservations can carry and that no cheaper ones carry too."""
    peak = float(problem.demand.max(initial=0.0))
    flexible = _flexible(problem, peak)
    if reserved is None:
        levels = _reservations(problem, peak)
        hourly = [
            problem.hours * usd + flexible.usd_per_h[_rows(flexible, problem.demand[:, 0] - carried, peak)].sum()
            for carried, usd in zip(levels.carried, levels.usd_per_h, strict=True)
        ]
        reserved = levels.counts[int(np.argmin(hourly))]
    carried = float((reserved * problem.carries[:, 0]).sum())
    held = flexible.counts[_rows(flexible, problem.demand[:, 0] - carried, peak)]
    return Split(reserved=reserved, on_demand=held[:, : problem.types], spot=held[:, problem.types :])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frontier:
    """Combinations of instances of which none carries as much as another for no more, in order of what they carry."""

    carried: Floats
    usd_per_h: Floats
    counts: Ints


def _flexible(problem: PurchaseProblem, peak: float) -> _Frontier:
    """What can be held for one hour: columns of on-demand counts, then of spot counts."""
    carried = problem.carries[:, 0]
    on_demand = [
        _counts(_most(peak, each), usd) for each, usd in zip(carried, problem.on_demand_usd_per_h, strict=True)
    ]
    spot = [
        _counts(min(int(most), _most(peak, each)), usd)
        for each, usd, most in zip(carried, problem.spot_usd_per_h, problem.most_spot, strict=True)
    ]
    prices = np.concatenate([problem.on_demand_usd_per_h, problem.spot_usd_per_h])
    return _frontier(np.concatenate([carried, carried]), prices, [*on_demand, *spot], peak)


def _reservations(problem: PurchaseProblem, peak: float) -> _Frontier:
    counts = [
        _counts(_most(peak, carried), usd, fewest)
        for carried, usd, fewest in zip(
            problem.carries[:, 0], problem.reserved_usd_per_h, problem.fewest_reserved.tolist(), strict=True
        )
    ]
    return _frontier(problem.carries[:, 0], problem.reserved_usd_per_h, counts, peak)


def _frontier(carries: Floats, usd_per_h: Floats, counts: list[Ints], peak: float) -> _Frontier:
    """Add one good after another, each time dropping combinations that a cheaper one covers."""
    found = _Frontier(carried=np.zeros(1), usd_per_h=np.zeros(1), counts=np.zeros((1, 0), dtype=np.int64))
    for each, usd, allowed in zip(carries, usd_per_h, counts, strict=True):
        price = usd if isfinite(usd) else 0.0
        held, more = (axis.ravel() for axis in np.meshgrid(np.arange(len(found.carried)), allowed, indexing="ij"))
        carried = np.minimum(found.carried[held] + more * each, peak)
        usd_sum = found.usd_per_h[held] + more * price
        kept = _undominated(carried, usd_sum)
        found = _Frontier(
            carried=carried[kept],
            usd_per_h=usd_sum[kept],
            counts=np.column_stack([found.counts[held[kept]], more[kept]]),
        )
    return found


def _undominated(carried: Floats, usd_per_h: Floats) -> Ints:
    """The rows that no other covers for as little, in order of what they carry."""
    order = np.lexsort((usd_per_h, -carried))
    cheaper = usd_per_h[order] < np.minimum.accumulate(np.append(inf, usd_per_h[order]))[:-1]
    return order[cheaper][::-1]


def _rows(flexible: _Frontier, demand: Floats, peak: float) -> Ints:
    """The cheapest combination that carries each demand."""
    rows: Ints = np.searchsorted(flexible.carried, demand - _SLACK * peak)
    return rows


def _counts(most: int, usd_per_h: float, fewest: int = 0) -> Ints:
    """Numbers of instances that may be bought of one kind."""
    if not isfinite(usd_per_h):
        return np.zeros(1, dtype=np.int64)
    return np.concatenate([[0], np.arange(max(1, fewest), max(most, fewest) + 1)])


def _most(peak: float, carried: float) -> int:
    """Instances beyond which more of one kind carry nothing more."""
    return ceil(peak / carried) if carried > 0 else 0


def _most_instances(problem: PurchaseProblem) -> int:
    peak = float(problem.demand.max(initial=0.0))
    return max(_most(peak, float(carried)) for carried in problem.carries[:, 0])


def split_by_program(problem: PurchaseProblem, reserved: Ints | None = None, time_limit_s: float = 60.0) -> Split:
    """Several kinds of demand that share instances from hour to hour: a program with whole numbers.

    In each hour an instance serves one kind. Hours with the same demand are one, with their number as weight. Once the
    reservations are settled, hours have nothing to do with each other, and each is solved on its own.
    """
    proved_usd = None
    if reserved is None:
        found = _reservations_and_hours(problem, time_limit_s)
        reserved = np.rint(found.values[: problem.types]).astype(np.int64)
        # A solution that is proved to be the best one is as good as an exhaustive search.
        proved_usd = found.proved_cost if found.proved_cost < found.cost * (1 - _SLACK) else None
    demand, place = np.unique(problem.demand, axis=0, return_inverse=True)
    held = np.array([_one_hour(problem, reserved, row) for row in demand])[place]
    return Split(reserved=reserved, on_demand=held[:, :, 0], spot=held[:, :, 1], proved_usd=proved_usd)


def _reservations_and_hours(problem: PurchaseProblem, time_limit_s: float) -> Solution:
    """The program over all hours; its first variables are the reservations."""
    program = IntegerProgram()
    always = [_reserve(program, problem, k) for k in range(problem.types)]
    for k, number in enumerate(always):
        _set_least(program, problem, k, number)
    demand, weight = np.unique(problem.demand, axis=0, return_counts=True)
    for row, count in zip(demand, weight, strict=True):
        _hour(program, problem, always, row, int(count))
    return program.solve(time_limit_s=time_limit_s)


def _one_hour(problem: PurchaseProblem, reserved: Ints, demand: Floats) -> list[list[int]]:
    """On-demand and spot instances of each type in one hour, beside the reserved ones."""
    program = IntegerProgram()
    always = [program.variable(upper=float(count)) for count in reserved]
    held = _hour(program, problem, always, demand, 1)
    values = program.solve().values
    return [[round(values[on_demand]), round(values[spot])] for on_demand, spot in held]


def _reserve(program: IntegerProgram, problem: PurchaseProblem, instance_type: int) -> int:
    usd = float(problem.reserved_usd_per_h[instance_type])
    if not isfinite(usd):
        return program.variable(upper=0.0)
    return program.variable(cost=usd * problem.hours, upper=float(_most_reserved(problem, instance_type)))


def _most_reserved(problem: PurchaseProblem, instance_type: int) -> int:
    most = problem.most_needed(instance_type)
    return max(most, int(problem.fewest_reserved[instance_type])) if most else 0


def _set_least(program: IntegerProgram, problem: PurchaseProblem, instance_type: int, number: int) -> None:
    """Reserve none or at least the fewest."""
    fewest, most = int(problem.fewest_reserved[instance_type]), _most_reserved(problem, instance_type)
    if fewest > 1:
        taken = program.variable(upper=1.0)
        program.bound([(number, 1.0), (taken, -float(fewest))], low=0.0)
        program.bound([(number, 1.0), (taken, -float(most))], high=0.0)


def _hour(
    program: IntegerProgram, problem: PurchaseProblem, always: list[int], demand: Floats, weight: int
) -> list[tuple[int, int]]:
    """The variables of one hour: on-demand and spot instances of each type, and what each serves."""
    types, kinds = range(problem.types), range(len(demand))
    held = []
    for k in types:
        spot_usd = float(problem.spot_usd_per_h[k])
        most_spot = float(problem.most_spot[k]) if isfinite(spot_usd) else 0.0
        on_demand = program.variable(cost=float(problem.on_demand_usd_per_h[k]) * weight)
        held.append((on_demand, program.variable(cost=spot_usd * weight if most_spot else 0.0, upper=most_spot)))
    serving = {
        (k, c): program.variable(upper=inf if problem.carries[k, c] > 0 else 0.0) for k, c in product(types, kinds)
    }
    for k in types:
        used = [(serving[k, c], 1.0) for c in kinds]
        program.bound([*used, (always[k], -1.0), *((number, -1.0) for number in held[k])], high=0.0)
    for c in kinds:
        program.bound([(serving[k, c], float(problem.carries[k, c])) for k in types], low=float(demand[c]))
    return held


def _priced(instance_hours: Ints, usd_per_h: Floats) -> float:
    """Hours times prices; what is not bought costs nothing, though it may not be for sale."""
    return float((instance_hours * np.where(instance_hours > 0, usd_per_h, 0.0)).sum())
