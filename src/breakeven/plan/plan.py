"""The answer: every way of serving a workload that was considered, one of them chosen, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from breakeven.catalog.evidence import Assumption, Basis
from breakeven.options.option import Option, OptionKind
from breakeven.options.replay_sizing import Sized
from breakeven.plan.fleet_replay import FleetReplay
from breakeven.serving.corrections import Deployment
from breakeven.workload.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The option to take, and why in one sentence."""

    label: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMiss:
    """A refused option that would have been cheaper than the chosen one."""

    label: str
    usd_per_month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """How many options of a kind were refused for one reason, with a few of them by label."""

    kind: OptionKind
    reason: str
    count: int
    examples: tuple[str, ...]
    near_misses: tuple[NearMiss, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A stretch of volume, [from, to] in whole requests a day, with the option that is cheapest in it.

    Where two or more options alternate, ``options`` names them all, ``count`` is how often the cheapest one changes
    inside the zone and ``step_requests_per_day`` the typical volume between two changes; otherwise count is 0.
    """

    from_requests_per_day: int
    to_requests_per_day: int
    options: tuple[str, ...]
    count: int = 0
    step_requests_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionStep:
    """One question of the article's tree, what was asked of it, and the branch taken."""

    question: str
    value: str
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffThreshold:
    """The volume, rounded up, at which a hosted option's bill equals the self-hosting staff alone.

    Below it no fleet of one's own can be cheaper than that option, whatever its hardware costs.
    """

    label: str
    requests_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDecision:
    """The article's decision tree beside the numbers: its path, its answer, and where they part."""

    path: tuple[DecisionStep, ...]
    answer: str
    answer_kind: OptionKind
    agrees: bool
    why_not: str = ""
    staff_thresholds: tuple[StaffThreshold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A saving on the chosen option that this workload's own data supports, as a range."""

    name: str
    usd_per_month_saved_low: Decimal
    usd_per_month_saved_high: Decimal
    basis: Basis
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One way to buy the leading fleet of GPUs: US dollars per instance-hour (a range for spot) and per month in all.

    ``refusal`` says why it may not be recommended; it is empty where it may.
    """

    option: str
    usd_per_h: Decimal
    low_usd_per_h: Decimal
    high_usd_per_h: Decimal
    usd_per_month: Decimal
    basis: Basis
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthAhead:
    """The chosen option, and the cheapest one, at a later month's volume under the stated growth."""

    month: int
    requests_per_day: int
    chosen_usd_per_month: Decimal
    cheapest_label: str
    cheapest_usd_per_month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The value that every renderer of ``breakeven plan`` prints.

    ``options`` are in order of cost, cheapest first; ``considered`` counts all candidates, shown or not;
    ``reference`` is the label of the option to compare with, where the user named one. ``purchases`` are the ways to
    buy the cheapest admissible fleet of GPUs; ``replay`` is that fleet under the workload's arrivals, where asked for.
    ``fleet_sizes`` are the deployments on instances rented by the hour that were sized by replay.
    """

    workload: Workload
    priced_on: date
    assumptions: tuple[Assumption, ...]
    options: tuple[Option, ...]
    considered: int
    chosen: Choice
    reference: str | None
    rejected: tuple[Rejection, ...]
    breakeven: tuple[Zone, ...]
    decision: TreeDecision
    levers: tuple[Lever, ...]
    purchases: tuple[Purchase, ...]
    months: tuple[MonthAhead, ...]
    replay: FleetReplay | None = None
    fleet_sizes: Mapping[Deployment, Sized] = field(default_factory=dict)

    @property
    def chosen_option(self) -> Option:
        """The option that ``chosen`` names."""
        return self.option(self.chosen.label)

    def option(self, label: str) -> Option:
        """The shown option with this label."""
        return next(option for option in self.options if option.label == label)
