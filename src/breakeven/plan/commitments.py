"""What to reserve for one or three years, what to run on demand and what on spot, when demand varies by the hour."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Final

import numpy as np

from breakeven import units
from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.errors import InputError, NothingFits
from breakeven.options.gpu_fleet import COMMITMENT_MONTHS
from breakeven.options.instance_hours import float_usd_per_h, hours_line, hours_usd, month_usd
from breakeven.options.statement import CostStatement
from breakeven.plan.purchase_split import Floats, Ints, PurchaseProblem, Split, best_split, split_by_layers

HALF: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """An instance type for sale. ``carries`` is the demand that one instance carries, one number a kind of demand.

    ``prices`` has an on-demand price and any others; of several reservations only the cheapest is ever worth buying,
    since the demand is taken to go on. At most ``most_spot_instances`` are held as spot in an hour, and a reservation
    is for none or at least ``fewest_reserved_instances``.
    """

    name: str
    carries: tuple[float, ...]
    prices: tuple[PurchasePrice, ...]
    most_spot_instances: int = 0
    fewest_reserved_instances: int = 1

    def price(self, *options: PurchaseOption) -> PurchasePrice | None:
        """The cheapest price among these ways of buying."""
        offered = [price for price in self.prices if price.option in options]
        return min(offered, key=lambda price: price.usd_per_h, default=None)

    @property
    def reserved(self) -> PurchasePrice | None:
        """The cheapest reservation."""
        return self.price("reserved_1y", "reserved_3y")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """Instances of one type bought in one way: ``instances`` is the number held always, or the most held in an hour.

    ``instance_hours_per_month`` is exact; a month is 730 hours that look like the hours of the demand.
    """

    supply: str
    price: PurchasePrice
    instances: int
    instance_hours_per_month: Fraction

    @property
    def owed_usd(self) -> Decimal:
        """What a reservation costs over its whole term, used or not, US dollars; 0 for what is bought by the hour."""
        months = COMMITMENT_MONTHS[self.price.option]
        return units.rounded_usd(hours_usd(self.price, self.instance_hours_per_month * months))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """A simpler way to buy for the same demand."""

    name: str
    usd_per_month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """What one more reserved instance would save a month; negative where it would cost more than it saves."""

    supply: str
    reserved_instances: int
    usd_per_month_saved: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """The month after volume fell to ``volume_frac``, with these reservations and with the ones then best."""

    volume_frac: float
    usd_per_month: Decimal
    best_usd_per_month: Decimal

    @property
    def usd_per_month_lost(self) -> Decimal:
        """What having committed costs a month, against having known."""
        return self.usd_per_month - self.best_usd_per_month


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitmentPlan:
    """The cheapest purchases for the demand, beside simpler ones.

    ``proved_usd_per_month`` is what no other plan can undercut: the total itself where the search was exhaustive.
    """

    hours: int
    bought: tuple[Bought, ...]
    statement: CostStatement
    proved_usd_per_month: Decimal
    alternatives: tuple[Alternative, ...]
    marginals: tuple[Marginal, ...]
    if_halved: Regret

    @property
    def usd_per_month(self) -> Decimal:
        """The statement's total."""
        return self.statement.usd_per_month

    def instances(self, option: PurchaseOption) -> int:
        """Instances bought in one way, of all types (the most in an hour, for what is bought by the hour)."""
        return sum(each.instances for each in self.bought if each.price.option == option)


def commit(demand: Floats, supplies: Sequence[Supply], *, time_limit_s: float = 60.0) -> CommitmentPlan:
    """The cheapest mix of reserved, on-demand and spot instances that carries every hour of the demand.

    Args:
        demand: shape (hours,) or (hours, kinds), at least 0, in the unit of ``carries``: requests per second in the
            busiest minute of each hour, or instances. The hours stand for all that follow.
        supplies: instance types; each needs an on-demand price.
        time_limit_s: seconds that HiGHS may take where several kinds of demand share several types.

    Raises:
        InputError: the demand is empty, negative or not finite, or a type has no on-demand price.
        NothingFits: no instance type serves a kind of demand.
        Unavailable: HiGHS is needed and not installed.
    """
    problem = _problem(np.asarray(demand, dtype=np.float64), supplies)
    bill = _Bill(supplies=tuple(supplies), hours=problem.hours)
    simple = dict(_simple_splits(problem))
    found = _searched(problem, simple.values(), time_limit_s)
    # Floats and a time limit may leave the search a hair above a simple split; money is compared exactly.
    best = min((found, *simple.values()), key=bill.usd_per_month)
    bought = tuple(bill.bought(best))
    lines = (hours_line(each.supply, each.price, each.instance_hours_per_month) for each in bought)
    total = units.rounded_usd(bill.usd_per_month(best))
    return CommitmentPlan(
        hours=problem.hours,
        bought=bought,
        statement=CostStatement(lines=tuple(lines)),
        proved_usd_per_month=min(total, bill.proved_usd_per_month(found)),
        alternatives=tuple(
            Alternative(name=name, usd_per_month=units.rounded_usd(bill.usd_per_month(split)))
            for name, split in simple.items()
        ),
        marginals=tuple(_marginals(problem, bill, best, time_limit_s)),
        if_halved=_regret(problem, bill, best.reserved, time_limit_s),
    )


def _problem(demand: Floats, supplies: Sequence[Supply]) -> PurchaseProblem:
    kinds = demand[:, None] if demand.ndim == 1 else demand
    if not kinds.size or not np.isfinite(kinds).all() or (kinds < 0).any():
        raise InputError(
            "the demand must be numbers of at least 0, one for each hour", hint="correct the demand's file"
        )
    if not supplies or any(supply.price("on_demand") is None for supply in supplies):
        raise InputError(
            "every instance type needs an on-demand price",
            cause="what is not reserved has to be rented by the hour",
            hint="breakeven catalog show gpu",
        )
    carries = np.array([supply.carries for supply in supplies], dtype=np.float64)
    if ((carries.max(axis=0) <= 0) & (kinds.max(axis=0) > 0)).any():
        raise NothingFits("no instance type serves a part of the demand", hint="name further instance types")
    on_demand, spot = (np.array([float_usd_per_h(supply.price(way)) for supply in supplies]) for way in _BY_THE_HOUR)
    return PurchaseProblem(
        demand=kinds,
        carries=carries,
        reserved_usd_per_h=np.array([float_usd_per_h(supply.reserved) for supply in supplies]),
        on_demand_usd_per_h=on_demand,
        spot_usd_per_h=spot,
        # Spot that is dearer than on demand is of no use, and the searches take spot first.
        most_spot=np.where(spot < on_demand, [supply.most_spot_instances for supply in supplies], 0),
        fewest_reserved=np.array([supply.fewest_reserved_instances for supply in supplies]),
    )


_BY_THE_HOUR: Final[tuple[PurchaseOption, PurchaseOption]] = ("on_demand", "spot")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bill:
    """Splits in exact money."""

    supplies: tuple[Supply, ...]
    hours: int

    def bought(self, split: Split) -> Iterator[Bought]:
        """What a split buys, type by type."""
        for k, supply in enumerate(self.supplies):
            always = int(split.reserved[k])
            by_hour = zip(_BY_THE_HOUR, (split.on_demand[:, k], split.spot[:, k]), strict=True)
            held = [
                (supply.reserved, always, always * self.hours),
                *((supply.price(way), int(count.max()), int(count.sum())) for way, count in by_hour),
            ]
            for price, instances, instance_hours in held:
                if price is not None and instances:
                    yield Bought(
                        supply=supply.name,
                        price=price,
                        instances=instances,
                        instance_hours_per_month=Fraction(instance_hours * units.HOURS_PER_MONTH, self.hours),
                    )

    def usd_per_month(self, split: Split) -> Fraction:
        """The split's cost, exact."""
        parts = (hours_usd(each.price, each.instance_hours_per_month) for each in self.bought(split))
        return sum(parts, Fraction(0))

    def proved_usd_per_month(self, split: Split) -> Decimal:
        """The bound that a search proved; the split's own cost where it tried everything."""
        if split.proved_usd is None:
            return units.rounded_usd(self.usd_per_month(split))
        return month_usd(split.proved_usd, self.hours)


def _simple_splits(problem: PurchaseProblem) -> Iterator[tuple[str, Split]]:
    """One type for everything, the cheapest at that: all on demand, reserved for the peak, or layer by layer."""
    able = [k for k in range(problem.types) if problem.serves_alone(k)]
    plans: tuple[tuple[str, Callable[[PurchaseProblem], Split | None]], ...] = (
        ("all on demand", _all_on_demand),
        ("all reserved", _all_reserved),
        ("layer by layer, one type", split_by_layers),
    )
    for name, plan in plans:
        found = ((k, plan(problem.only(k))) for k in able)
        splits = [split.among(k, problem.types) for k, split in found if split is not None]
        if splits:
            yield name, min(splits, key=problem.usd)


def _searched(problem: PurchaseProblem, simple: Collection[Split], time_limit_s: float) -> Split:
    """The best split found in time: at worst a simple one, of which nothing is proved."""
    try:
        return best_split(problem, time_limit_s=time_limit_s)
    except NothingFits:
        if not simple:
            raise
        return replace(min(simple, key=problem.usd), proved_usd=0.0)


def _all_on_demand(problem: PurchaseProblem) -> Split:
    needed = problem.needed(0)
    return Split(reserved=np.zeros(1, dtype=np.int64), on_demand=needed[:, None], spot=np.zeros_like(needed)[:, None])


def _all_reserved(problem: PurchaseProblem) -> Split | None:
    if not isfinite(problem.reserved_usd_per_h[0]):
        return None
    peak = int(problem.needed(0).max())
    return split_by_layers(problem, np.array([max(peak, int(problem.fewest_reserved[0])) if peak else 0]))


def _marginals(problem: PurchaseProblem, bill: _Bill, best: Split, time_limit_s: float) -> Iterator[Marginal]:
    """One more reservation of each type, everything else chosen anew."""
    total = bill.usd_per_month(best)
    for k, supply in enumerate(bill.supplies):
        if supply.reserved is None:
            continue
        more = best.reserved.copy()
        more[k] = max(more[k] + 1, supply.fewest_reserved_instances)
        with_more = bill.usd_per_month(best_split(problem, more, time_limit_s))
        yield Marginal(
            supply=supply.name,
            reserved_instances=int(more[k]),
            usd_per_month_saved=units.rounded_usd(total - with_more),
        )


def _regret(problem: PurchaseProblem, bill: _Bill, reserved: Ints, time_limit_s: float) -> Regret:
    """Half the volume, with the reservations that were made for all of it."""
    fallen = problem.scaled(HALF)
    kept = best_split(fallen, reserved, time_limit_s)
    anew = _searched(fallen, dict(_simple_splits(fallen)).values(), time_limit_s)
    usd_kept, usd_anew = bill.usd_per_month(kept), bill.usd_per_month(anew)
    return Regret(
        volume_frac=HALF,
        usd_per_month=units.rounded_usd(usd_kept),
        best_usd_per_month=units.rounded_usd(min(usd_kept, usd_anew)),
    )
