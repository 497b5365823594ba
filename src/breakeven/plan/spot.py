"""What spot capacity really costs: zones that come and go, replacements that take time, on demand in between.

Each zone alternates between spells in which instances can be had and spells in which they cannot, log-normal with the
observed median and mean. A zone that goes takes all of its instances with it, as was seen in the traces. Zones of one
region also go together: they share outages, set so that the correlation of their availability is the stated one while
each zone keeps its own availability and mean spells. Zones of different regions are independent.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final

import numpy as np

from breakeven.catalog.offers import PurchasePrice
from breakeven.catalog.spot import SAME_REGION_CORRELATION, Spell, SpotZone
from breakeven.errors import InputError
from breakeven.options.instance_hours import price_in_turns

DEFAULT_DELAY_H: Final = 10 / 60
"""Hours from asking for an instance to its first answer: provision, pull, load and compile (cold start)."""

HOURS_SIMULATED: Final = 8_760
"""A year, so that rare long outages are among what is seen."""

_NORMAL = NormalDist()
_MOST_OF_AN_OUTAGE = 0.95
"""Largest share of a zone's own interruptions that its region's shared outages may account for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotPolicy:
    """How a fleet is held on spot: ``instances`` wanted, spread over the zones that have some.

    A lost instance is asked for again in another zone, or on demand where none has any (if ``falls_back``); either
    takes ``delay_h`` hours to be ready and is paid from the start. On-demand instances are let go when spot is ready
    again. ``correlation`` is that of the availability of zones in one region.
    """

    instances: int
    delay_h: float = DEFAULT_DELAY_H
    falls_back: bool = True
    correlation: float = SAME_REGION_CORRELATION
    hours: float = HOURS_SIMULATED
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotOutcome:
    """What a simulated fleet held. Shares are of the simulated hours; ``ready_frac`` of the instances wanted.

    ``losses`` are the hours at which spot instances were lost, and how many at once; ``interruptions_per_year`` counts
    them, a year of 8,760 hours.
    """

    policy: SpotPolicy
    zones: tuple[str, ...]
    available_frac: tuple[float, ...]
    spot_instance_hours: float
    on_demand_instance_hours: float
    ready_frac: float
    below_target_frac: float
    interruptions_per_year: float
    losses: tuple[tuple[float, int], ...]


def simulate_spot(zones: Sequence[SpotZone], policy: SpotPolicy) -> SpotOutcome:
    """A fleet on spot in these zones over the policy's hours; the same seed gives the same outcome.

    Raises:
        InputError: no zone, no instance, or a correlation outside 0..1.
    """
    if not zones or policy.instances < 1 or policy.hours <= 0 or policy.delay_h < 0:
        raise InputError("a spot fleet needs a zone, an instance and some hours", hint="--spot-zones us-west-2a")
    if not 0 <= policy.correlation <= 1:
        raise InputError(f"a correlation lies between 0 and 1, not at {policy.correlation}", hint="give 0.43")
    up = zone_timelines(zones, policy.hours, policy.correlation, np.random.default_rng(policy.seed))
    fleet = _Fleet(policy=policy, ready=[0] * len(zones), up=[False] * len(zones))
    flips = [(start, z, True) for z, spells in enumerate(up) for start, _ in spells]
    flips += [(end, z, False) for z, spells in enumerate(up) for _, end in spells if end < policy.hours]
    fleet.run(sorted(flips))
    return SpotOutcome(
        policy=policy,
        zones=tuple(zone.zone for zone in zones),
        available_frac=tuple(sum(end - start for start, end in spells) / policy.hours for spells in up),
        spot_instance_hours=fleet.spot_instance_hours,
        on_demand_instance_hours=fleet.on_demand_instance_hours,
        ready_frac=fleet.ready_instance_hours / (policy.instances * policy.hours),
        below_target_frac=fleet.below_target_h / policy.hours,
        interruptions_per_year=sum(count for _, count in fleet.losses) * HOURS_SIMULATED / policy.hours,
        losses=tuple(fleet.losses),
    )


def price_with_interruptions(outcome: SpotOutcome, spot: PurchasePrice, on_demand: PurchasePrice) -> PurchasePrice:
    """What an instance wanted costs an hour on spot, replacements and on-demand hours included."""
    return price_in_turns(
        ((spot, outcome.spot_instance_hours), (on_demand, outcome.on_demand_instance_hours)),
        Fraction(outcome.policy.instances) * Fraction(outcome.policy.hours),
        f"{spot.source}; interruptions as observed in {', '.join(outcome.zones)}, on demand in between",
    )


def ready_frac_of_one_zone(zone: SpotZone, delay_h: float) -> float:
    """The closed form for one zone without fallback: the mean of a spell beyond the delay, over a whole cycle."""
    cycle_h = zone.up.mean_h + zone.down.mean_h
    if delay_h == 0:
        return zone.up.mean_h / cycle_h
    mu, sigma = log(zone.up.median_h), zone.up.sigma
    if sigma == 0:
        return max(zone.up.mean_h - delay_h, 0.0) / cycle_h
    beyond = (mu - log(delay_h)) / sigma
    return (zone.up.mean_h * _NORMAL.cdf(beyond + sigma) - delay_h * _NORMAL.cdf(beyond)) / cycle_h


Spells = list[tuple[float, float]]
"""Stretches of time in which a zone has instances: start and end in hours, in order."""


def zone_timelines(
    zones: Sequence[SpotZone], hours: float, correlation: float, random: np.random.Generator
) -> list[Spells]:
    """When each zone has instances, within [0, hours)."""
    shared = {
        region: _shared_outages([zone for zone in zones if zone.region == region], correlation)
        for region in dict.fromkeys(zone.region for zone in zones)
    }
    common = {
        region: _alternate(outages.up, outages.down, hours, random)
        for region, outages in shared.items()
        if outages is not None
    }
    timelines = []
    for zone in zones:
        outages = shared[zone.region]
        own = (zone.up, zone.down) if outages is None else _without(zone, outages)
        spells = _alternate(*own, hours, random)
        timelines.append(spells if outages is None else _both(spells, common[zone.region]))
    return timelines


@dataclass(frozen=True, slots=True, kw_only=True)
class _SharedOutages:
    """A process that takes all zones of a region at once."""

    up: Spell
    down: Spell

    @property
    def available_frac(self) -> float:
        return self.up.mean_h / (self.up.mean_h + self.down.mean_h)


def _shared_outages(zones: Sequence[SpotZone], correlation: float) -> _SharedOutages | None:
    """Outages that give zones the correlation, or as much of it as their own availabilities allow.

    Zones of availability a and b that are otherwise independent have covariance ``a * b * (1 / s - 1)`` where s is the
    availability of what they share, so their correlation is ``(1 / s - 1)`` over the root of their odds of being down.
    The mean over all pairs is set.
    """
    if len(zones) < 2 or correlation == 0:
        return None
    odds = [zone.down.mean_h / zone.up.mean_h for zone in zones]
    per_shared_odds = fmean(1 / sqrt(one * other) for one, other in combinations(odds, 2))
    down_h = fmean(zone.down.mean_h for zone in zones)
    up_h = down_h * per_shared_odds / correlation
    # Shared outages can neither exceed a zone's own, nor come more often than they.
    up_h = max([up_h, *(zone.up.mean_h / _MOST_OF_AN_OUTAGE for zone in zones)])
    up_h = max([up_h, *(down_h / (_MOST_OF_AN_OUTAGE * each) for each in odds)])
    return _SharedOutages(
        up=_spell(up_h, fmean(zone.up.sigma for zone in zones)),
        down=_spell(down_h, fmean(zone.down.sigma for zone in zones)),
    )


def _without(zone: SpotZone, shared: _SharedOutages) -> tuple[Spell, Spell]:
    """A zone's own spells, so that together with the shared outages its availability and mean up spell are as observed.

    Interruptions of independent causes add up: ``1 / up = 1 / own + 1 / shared``.
    """
    own_up_h = 1 / (1 / zone.up.mean_h - 1 / shared.up.mean_h)
    observed = zone.up.mean_h / (zone.up.mean_h + zone.down.mean_h)
    own_frac = observed / shared.available_frac
    return _spell(own_up_h, zone.up.sigma), _spell(own_up_h * (1 - own_frac) / own_frac, zone.down.sigma)


def _spell(mean_h: float, sigma: float) -> Spell:
    return Spell(median_h=mean_h * exp(-sigma * sigma / 2), mean_h=mean_h)


def _alternate(up: Spell, down: Spell, hours: float, random: np.random.Generator) -> Spells:
    """Spells of an alternating renewal process, the first of a kind that its share of the time decides."""
    spells: Spells = []
    clock, is_up = 0.0, random.random() < up.mean_h / (up.mean_h + down.mean_h)
    while clock < hours:
        spell = up if is_up else down
        lasts = random.lognormal(log(spell.median_h), spell.sigma)
        if is_up:
            spells.append((clock, min(clock + lasts, hours)))
        clock, is_up = clock + lasts, not is_up
    return spells


def _both(one: Spells, other: Spells) -> Spells:
    """The stretches that lie in both, by walking along the two."""
    found: Spells = []
    i = j = 0
    while i < len(one) and j < len(other):
        start, end = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < end:
            found.append((start, end))
        if one[i][1] <= other[j][1]:
            i += 1
        else:
            j += 1
    return found


@dataclass(slots=True, kw_only=True)
class _Fleet:
    """A fleet between two events: what is ready, what is starting, and what has been used so far."""

    policy: SpotPolicy
    ready: list[int]
    up: list[bool]
    starting: list[tuple[float, int]] = field(default_factory=list)
    on_demand_ready: int = 0
    on_demand_starting: list[float] = field(default_factory=list)
    clock_h: float = 0.0
    spot_instance_hours: float = 0.0
    on_demand_instance_hours: float = 0.0
    ready_instance_hours: float = 0.0
    below_target_h: float = 0.0
    losses: list[tuple[float, int]] = field(default_factory=list)

    def run(self, flips: Sequence[tuple[float, int, bool]]) -> None:
        """Go through all flips, and what becomes ready between them."""
        self._rebalance()
        for at_h, zone, is_up in flips:
            self._advance(at_h)
            self.up[zone] = is_up
            if not is_up:
                self._lose(zone)
            self._rebalance()
        self._advance(self.policy.hours)

    def _advance(self, to_h: float) -> None:
        while True:
            due = min([to_h, *(at_h for at_h, _ in self.starting[:1]), *self.on_demand_starting[:1]])
            self._use(due - self.clock_h)
            self.clock_h = due
            if due >= to_h:
                return
            while self.starting and self.starting[0][0] <= due:
                self.ready[heapq.heappop(self.starting)[1]] += 1
            while self.on_demand_starting and self.on_demand_starting[0] <= due:
                heapq.heappop(self.on_demand_starting)
                self.on_demand_ready += 1
            self._rebalance()

    def _use(self, hours: float) -> None:
        on_spot, wanted = sum(self.ready), self.policy.instances
        self.spot_instance_hours += hours * (on_spot + len(self.starting))
        self.on_demand_instance_hours += hours * (self.on_demand_ready + len(self.on_demand_starting))
        serving = min(on_spot + self.on_demand_ready, wanted)
        self.ready_instance_hours += hours * serving
        self.below_target_h += hours * (serving < wanted)

    def _lose(self, zone: int) -> None:
        kept = [each for each in self.starting if each[1] != zone]
        lost = self.ready[zone] + len(self.starting) - len(kept)
        if lost:
            self.losses.append((self.clock_h, lost))
        self.starting, self.ready[zone] = kept, 0
        heapq.heapify(self.starting)

    def _rebalance(self) -> None:
        """Ask for what is missing, on spot where a zone has some; let go of on-demand instances that spot replaces."""
        wanted, ready_at = self.policy.instances, self.clock_h + self.policy.delay_h
        open_zones = [zone for zone, is_up in enumerate(self.up) if is_up]
        held = [self.ready[zone] + sum(z == zone for _, z in self.starting) for zone in range(len(self.up))]
        while open_zones and sum(held) < wanted:
            zone = min(open_zones, key=held.__getitem__)
            held[zone] += 1
            if self.policy.delay_h:
                heapq.heappush(self.starting, (ready_at, zone))
            else:
                self.ready[zone] += 1
        self.on_demand_ready = min(self.on_demand_ready, wanted - sum(self.ready))
        missing = wanted - sum(held) - self.on_demand_ready if self.policy.falls_back else 0
        if not self.policy.delay_h:
            self.on_demand_ready += max(missing, 0)
            return
        del self.on_demand_starting[max(missing, 0) :]
        for _ in range(missing - len(self.on_demand_starting)):
            heapq.heappush(self.on_demand_starting, ready_at)
