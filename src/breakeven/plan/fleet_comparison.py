"""Six ways to run one fleet over the same days of traffic: what each costs, and what its users wait.

Arrivals are drawn anew from the rates (Poisson within each interval, seeded), request sizes from a sample, and every
way is replayed request by request. Money follows from the instance-hours that the replay held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.offers import PurchasePrice
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import InputError
from breakeven.options.instance_hours import hours_line, hours_usd
from breakeven.options.spilled_requests import ApiPrice, spilled_lines
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.spot_losses import spot_interruptions
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.engine import EngineCoefficients
from breakeven.serving.fleet import Fleet, Spill
from breakeven.serving.interruptions import SpotTerms
from breakeven.serving.simulation import simulate
from breakeven.serving.simulation_result import SimulationResult, Timeline
from breakeven.workload.workload import Slo

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests over some days: arrival seconds and tokens, columns of shape (n,), and the rates they came from."""

    rates_per_s: Floats
    interval_s: float
    arrivals_s: Floats
    input_tokens: Ints
    output_tokens: Ints

    @property
    def hours(self) -> Fraction:
        """Length of the whole, in hours."""
        return Fraction(self.interval_s) * len(self.rates_per_s) / units.SECONDS_PER_HOUR


def draw_traffic(
    rates_per_s: Sequence[float] | Floats, interval_s: float, input_tokens: Ints, output_tokens: Ints, seed: int = 1
) -> Traffic:
    """Poisson arrivals within each interval at its rate, sizes drawn from the sample; same seed, same traffic.

    Raises:
        InputError: rates that are negative or not finite, or no sample.
    """
    rates = np.asarray(rates_per_s, dtype=np.float64)
    if not rates.size or not np.isfinite(rates).all() or (rates < 0).any() or not len(input_tokens):
        raise InputError("the rates must be numbers of at least 0, one for each interval", hint="check their file")
    random = np.random.default_rng(seed)
    counts = random.poisson(rates * interval_s)
    starts = np.repeat(np.arange(len(rates)) * interval_s, counts)
    arrivals = np.sort(starts + random.random(len(starts)) * interval_s)
    row = random.integers(0, len(input_tokens), len(arrivals))
    return Traffic(
        rates_per_s=rates,
        interval_s=interval_s,
        arrivals_s=arrivals,
        input_tokens=input_tokens[row],
        output_tokens=output_tokens[row],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTerms:
    """One instance, which holds one replica, and what it and the API cost.

    ``requests_per_s`` is what an instance is planned to carry, and ``requests_at_once`` how many it then has in work:
    an autoscaled fleet wants an instance for each that many. It lets one go after ``cooldown_s``. ``spot`` is the price
    with interruptions and fallback in it; ``reserved`` and ``spot`` are None where they are not for sale. What is held
    on spot is lost as in ``spot_zones``. ``api`` is the price of a mean request, by which layers are split,
    ``api_card`` that of the very tokens that are spilled from instances with more than ``spill_above_requests``.
    """

    name: str
    engine: EngineCoefficients
    requests_per_s: float
    requests_at_once: float
    on_demand: PurchasePrice
    reserved: PurchasePrice | None
    spot: PurchasePrice | None
    api: ApiPrice
    api_card: PriceCard
    spill_above_requests: int
    slo: Slo
    spot_zones: tuple[str, ...] = ()
    cold_start: ColdStart = field(default_factory=ColdStart)
    cooldown_s: float = 600.0

    @property
    def by_the_hour(self) -> PurchasePrice:
        """The cheaper of spot and on demand."""
        return min((p for p in (self.spot, self.on_demand) if p is not None), key=lambda price: price.usd_per_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSplit:
    """How many layers of demand are reserved, rented while needed, and spilled to the API, from the bottom up."""

    reserved: int
    by_the_hour: int
    spilled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetResult:
    """One way to run the fleet. Latencies are at the 99th percentile of the requests served on own instances.

    ``interruptions`` are instances lost, ``interrupted_requests`` those that had to be computed again.

    ``timeline`` has the replicas over time; ``statement`` is a month of 730 hours like those replayed.
    """

    name: str
    statement: CostStatement
    ttft_p99_s: float
    tpot_p99_s: float
    within_slo_frac: float
    mean_instances: float
    cold_starts: int
    interruptions: int
    interrupted_requests: int
    spilled_requests_frac: float
    timeline: Timeline
    note: str = ""

    @property
    def usd_per_month(self) -> Decimal:
        """The statement's total."""
        return self.statement.usd_per_month


def split_layers(rates_per_s: Floats, terms: FleetTerms) -> LayerSplit:
    """Each layer of demand, an instance thick, goes where it is cheapest.

    A reservation costs every hour, a rented instance the hours that need it, the API the requests of the layer. Layers
    are used ever less from the bottom up, so reservations come first and the API last.
    """
    carried, hours = terms.requests_per_s, float(units.HOURS_PER_MONTH)
    counts = {"reserved": 0, "by_the_hour": 0, "spilled": 0}
    for layer in range(ceil(float(rates_per_s.max(initial=0.0)) / carried)):
        within = np.clip(rates_per_s - layer * carried, 0, carried)
        costs = {
            "by_the_hour": hours_usd(terms.by_the_hour, float((within > 0).mean()) * hours),
            "spilled": terms.api.usd(float(within.mean()) * hours * units.SECONDS_PER_HOUR),
        }
        if terms.reserved is not None:
            costs["reserved"] = hours_usd(terms.reserved, hours)
        counts[min(costs, key=costs.__getitem__)] += 1
    return LayerSplit(**counts)


def compare_fleets(traffic: Traffic, terms: FleetTerms, seed: int = 1) -> tuple[FleetResult, ...]:
    """A fleet for the peak, an autoscaled one, one to zero, and a reserved floor with spot, alone and with an API."""
    return tuple(_results(traffic, terms, seed))


def _results(traffic: Traffic, terms: FleetTerms, seed: int) -> Iterator[FleetResult]:
    most = max(1, ceil(float(traffic.rates_per_s.max()) / terms.requests_per_s))
    fixed = _replayed(traffic, terms, Fleet(replicas=most, slo=terms.slo))
    # A fleet that is always there is paid for all hours, whatever the last event of the replay was.
    always = traffic.hours * most
    if terms.reserved is not None:
        yield _result(
            "fixed for the peak, reserved",
            fixed,
            float(traffic.hours),
            (_line(terms, terms.reserved, always, traffic),),
        )
    yield _result(
        "fixed for the peak, on demand", fixed, float(traffic.hours), (_line(terms, terms.on_demand, always, traffic),)
    )
    for name, least in (("autoscaled, on demand", 1), ("scaled to zero, on demand", 0)):
        replay = _replayed(traffic, terms, _scaled(terms, least, most))
        yield _result(
            name, replay, float(traffic.hours), (_line(terms, terms.on_demand, Fraction(replay.replica_h), traffic),)
        )
    yield from _hybrids(traffic, terms, seed)


def _scaled(terms: FleetTerms, least: int, most: int) -> Fleet:
    policy = Autoscaling(
        policy="queue",
        min_replicas=least,
        max_replicas=most,
        target_queue_per_replica=terms.requests_at_once,
        cooldown_s=terms.cooldown_s,
        cold_start=terms.cold_start,
    )
    return Fleet(replicas=most, autoscaling=policy, slo=terms.slo)


def _hybrids(traffic: Traffic, terms: FleetTerms, seed: int) -> Iterator[FleetResult]:
    """The floor always there, rented layers as the queue asks for them: first all of them, then with an API above."""
    split = split_layers(traffic.rates_per_s, terms)
    own = replace(split, by_the_hour=split.by_the_hour + split.spilled, spilled=0)
    rented = terms.by_the_hour.option
    yield _hybrid(
        "reserved floor, spot",
        traffic,
        terms,
        _rented(own, terms, float(traffic.hours), seed),
        f"{own.reserved} reserved, up to {own.by_the_hour} {rented}",
    )
    yield _hybrid(
        "reserved floor, spot, API for the peak",
        traffic,
        terms,
        replace(
            _rented(split, terms, float(traffic.hours), seed),
            spill=Spill(above_requests_per_replica=terms.spill_above_requests),
        ),
        f"{split.reserved} reserved, up to {split.by_the_hour} {rented}, the rest spilled",
    )


def _hybrid(name: str, traffic: Traffic, terms: FleetTerms, fleet: Fleet, note: str) -> FleetResult:
    """What such a fleet costs: its floor all the time, what it rented, and the very tokens that it spilled."""
    replay = _replayed(traffic, terms, fleet)
    floor_h = traffic.hours * fleet.least_replicas
    rented_h = max(Fraction(replay.replica_h) - floor_h, Fraction(0))
    held = ((terms.reserved, floor_h), (terms.by_the_hour, rented_h))
    lines = [_line(terms, price, hours, traffic) for price, hours in held if price is not None and hours]
    monthly = Fraction(replay.spilled_requests) * units.HOURS_PER_MONTH / traffic.hours
    spilled = spilled_lines(terms.api_card, replay.spilled_input_tokens, replay.spilled_output_tokens, monthly)
    return _result(name, replay, float(traffic.hours), (*lines, *spilled), note=note)


def _rented(split: LayerSplit, terms: FleetTerms, hours: float, seed: int) -> Fleet:
    """The own instances of a split, those on spot with their losses; none at all where every layer is spilled."""
    own = split.reserved + split.by_the_hour
    if not own:
        return Fleet(replicas=0, slo=terms.slo)
    fleet = _scaled(terms, split.reserved, own)
    if terms.by_the_hour.option != "spot":
        return fleet
    spot = SpotTerms(zones=terms.spot_zones, kept_replicas=split.reserved, seed=seed)
    lost = spot_interruptions(spot, own, hours, terms.cold_start, terms.engine.weight_bytes)
    return replace(fleet, interruptions=lost)


def _replayed(traffic: Traffic, terms: FleetTerms, fleet: Fleet) -> SimulationResult:
    return simulate(traffic.arrivals_s, traffic.input_tokens, traffic.output_tokens, terms.engine, fleet)


def _result(
    name: str,
    replay: SimulationResult,
    hours: float,
    lines: tuple[CostLine, ...],
    note: str = "",
) -> FleetResult:
    return FleetResult(
        name=name,
        statement=CostStatement(lines=lines),
        ttft_p99_s=replay.ttft.p99_s,
        tpot_p99_s=replay.tpot.p99_s,
        within_slo_frac=replay.within_slo_frac,
        mean_instances=replay.replica_h / hours,
        cold_starts=replay.cold_starts,
        interruptions=replay.interruptions,
        interrupted_requests=replay.interrupted_requests,
        spilled_requests_frac=replay.spilled_frac if replay.requests else 0.0,
        timeline=replay.timeline,
        note=note,
    )


def _line(terms: FleetTerms, price: PurchasePrice, instance_hours: Fraction, traffic: Traffic) -> CostLine:
    return hours_line(terms.name, price, instance_hours * units.HOURS_PER_MONTH / traffic.hours)
