"""How to buy one model's fleet: what to reserve, what spot is worth, when to spill to an API, which GPUs to mix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from breakeven import units
from breakeven.catalog.evidence import Assumption
from breakeven.catalog.offers import PurchaseOption, PurchasePrice
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.price_card import PriceCard
from breakeven.catalog.spot import SpotZone
from breakeven.errors import InputError, NothingFits
from breakeven.options.gpu_grid import request_shape
from breakeven.options.hosted_api import HostedApis
from breakeven.options.spilled_requests import ApiPrice
from breakeven.options.staff import staff_line
from breakeven.plan.commitments import CommitmentPlan, Supply, commit
from breakeven.plan.hybrid_replay import Deployed, HybridReplay, replay_hybrid
from breakeven.plan.instance_types import (
    InstanceType,
    bucket_shape,
    cheapest_for,
    instance_types,
    prices_of,
    requests_per_s,
)
from breakeven.plan.mix import Floats, MixedType, MixPlan, mix, request_buckets
from breakeven.plan.spill import Hybrid, OwnInstance, SpillPlan
from breakeven.plan.spot import SpotOutcome, SpotPolicy, price_with_interruptions, simulate_spot
from breakeven.plan.spot_losses import observed_zones
from breakeven.serving.corrections import Corrections
from breakeven.workload.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """What the purchases are limited to.

    ``rates_per_s`` are mean requests per second of equal intervals, or None for the workload's own day; ``zones`` are
    names of spot zones, or none for those of the instance's region. So many ``types`` of instance may be bought.
    """

    rates_per_s: Floats | None = None
    provider: str | None = None
    instance: str | None = None
    zones: tuple[str, ...] = ()
    most_spot_instances: int | None = None
    types: int = 1


NO_LIMITS: Final = FleetLimits()
"""Any provider and instance, for the workload's own day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetQuestion:
    """Which model to serve for which workload; ``cards`` are the prices of the API that takes what is spilled.

    ``corrections`` are what measurements say of some deployments. ``replays`` asks for a day of the own instances that
    have an API for the peak, request by request.
    """

    workload: Workload
    model: OpenModel
    cards: tuple[PriceCard, ...] = ()
    limits: FleetLimits = NO_LIMITS
    corrections: Corrections | None = None
    replays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotAdvice:
    """A fleet of ``outcome.policy.instances`` held on spot, and what an instance then costs an hour."""

    outcome: SpotOutcome
    quoted: PurchasePrice
    price: PurchasePrice
    on_demand: PurchasePrice


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAdvice:
    """Own instances for the trough and ``label`` for the peak; ``replay`` where one was asked for, and some are own."""

    label: str
    spill: SpillPlan
    replay: HybridReplay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetAdvice:
    """The answers for one instance type. Parts are None where there is nothing to compare, as ``notes`` say why.

    ``carried_requests_per_s`` is the mean rate that an instance is planned for, bursts and headroom left out.
    """

    workload: Workload
    model: str
    instance: str
    carried_requests_per_s: float
    rates_per_s: tuple[float, ...]
    commitments: CommitmentPlan
    spot: SpotAdvice | None
    api: ApiAdvice | None
    mix: MixPlan | None
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]


def advise_fleet(question: FleetQuestion) -> FleetAdvice:
    """The cheapest instance type (or types) for the peak, and each way to pay less for it.

    Raises:
        UnknownName: a provider, instance or zone that is not in the catalogue.
        NothingFits: no instance on offer serves the model within the requirement.
        Unavailable: a mix of GPU types needs HiGHS, which is not installed.
    """
    workload = question.workload
    rates = hourly_rates(workload) if question.limits.rates_per_s is None else question.limits.rates_per_s
    peak = float(rates.max())
    sold = [_sold(question, kind, carried, ceil(peak / carried)) for kind, carried in _instances(question, peak)]
    supply, spot, kind = sold[0]
    api, mixed = _api(question, supply, kind, rates), _mix(question, kind, peak)
    return FleetAdvice(
        workload=workload,
        model=question.model.name,
        instance=kind.name,
        carried_requests_per_s=supply.carries[0],
        rates_per_s=tuple(rates.tolist()),
        commitments=commit(rates, [each for each, _, _ in sold]),
        spot=spot,
        api=api,
        mix=mixed,
        assumptions=(*workload.assumptions, *_assumptions(question, spot)),
        notes=tuple(_notes(spot, api, mixed, workload.requirements.allow_spot)),
    )


def hourly_rates(workload: Workload) -> Floats:
    """Mean requests per second in each hour of the workload's day, shape (24,)."""
    return np.array(workload.hourly_shape) * workload.requests_per_day / units.SECONDS_PER_HOUR


def _instances(question: FleetQuestion, peak_requests_per_s: float) -> tuple[tuple[InstanceType, float], ...]:
    """The cheapest instance types for the peak, each with the mean rate that one of it is planned for."""
    workload, limits = question.workload, question.limits
    types = instance_types(limits.provider, limits.instance)
    slo = workload.requirements.slo
    sustained = requests_per_s(types, question.model, request_shape(workload), slo, question.corrections)
    return cheapest_for(types, sustained * _planned_frac(workload), peak_requests_per_s, limits.types)


def _sold(
    question: FleetQuestion, kind: InstanceType, carried: float, peak_instances: int
) -> tuple[Supply, SpotAdvice | None, InstanceType]:
    """An instance type as it may be bought: spot at its price with interruptions, where spot is admitted."""
    requirements, most_spot = question.workload.requirements, question.limits.most_spot_instances
    prices = prices_of(kind.offer, requirements.max_commitment_months)
    spot = _spot(question, kind, {price.option: price for price in prices}, peak_instances)
    bought = [price for price in prices if price.option != "spot"]
    if spot is not None and requirements.allow_spot:
        bought.append(spot.price)
    supply = Supply(
        name=f"{question.model.name} on {kind.name}",
        carries=(carried,),
        prices=tuple(bought),
        most_spot_instances=peak_instances if most_spot is None else most_spot,
    )
    return supply, spot, kind


def _planned_frac(workload: Workload) -> float:
    """Share of the sustained rate that a mean rate may be: headroom kept, and the hour's busiest minute carried."""
    return workload.costs.peak_load_frac / workload.burst_frac


def _zones(question: FleetQuestion, region: str) -> tuple[SpotZone, ...]:
    """The observations of the named zones, or of the region, or of all where the region was not observed."""
    if question.limits.zones:
        return observed_zones(question.limits.zones)
    known = observed_zones()
    return tuple(zone for zone in known if zone.region == region) or known


def _spot(
    question: FleetQuestion, kind: InstanceType, prices: Mapping[PurchaseOption, PurchasePrice], instances: int
) -> SpotAdvice | None:
    quoted, on_demand = prices.get("spot"), prices.get("on_demand")
    if quoted is None or on_demand is None:
        return None
    outcome = simulate_spot(_zones(question, kind.offer.region), SpotPolicy(instances=max(instances, 1)))
    price = price_with_interruptions(outcome, quoted, on_demand)
    return SpotAdvice(outcome=outcome, quoted=quoted, price=price, on_demand=on_demand)


def _api(question: FleetQuestion, supply: Supply, kind: InstanceType, rates: Floats) -> ApiAdvice | None:
    """Spill-over to the cheapest admissible price of the named API."""
    hosted = HostedApis(question.workload, question.cards, named=True)
    rows = [row for row in range(len(hosted.columns)) if hosted.refusal[row] == 0]
    always_on = supply.price("on_demand", "reserved_1y", "reserved_3y")
    if not rows or always_on is None:
        return None
    cheapest = min(rows, key=lambda row: hosted.columns.usd_per_month_per_daily_request[row])
    option = hosted.option(cheapest)
    costs = question.workload.costs
    staff = staff_line(costs, costs.engineer_share_frac)
    own = OwnInstance(name=supply.name, requests_per_s=supply.carries[0], price=always_on, fixed=(staff,))
    price = ApiPrice(option=option, requests_per_day=question.workload.requests_per_day)
    plan = Hybrid(rates, own, price).plan()
    replay = _replay(question, kind, own, plan, hosted.cards(cheapest)) if question.replays else None
    return ApiAdvice(label=option.label, spill=plan, replay=replay)


def _replay(
    question: FleetQuestion, kind: InstanceType, own: OwnInstance, plan: SpillPlan, cards: Sequence[PriceCard]
) -> HybridReplay | None:
    """The plan over the workload's day; None where it has no own instance."""
    if question.limits.rates_per_s is not None:
        raise InputError("--replay takes the workload's own day", hint="leave --rates out, or use breakeven simulate")
    if len(cards) > 1:
        raise InputError(
            f"{cards[0].name} cannot be spilled to in a replay",
            cause="its price depends on the hour",
            hint="name another model with --spill-to",
        )
    if not plan.instances:
        return None
    deployed = Deployed(model=question.model, kind=kind, corrections=question.corrections)
    return replay_hybrid(question.workload, hourly_rates(question.workload), deployed, own, plan.instances, cards[0])


def _mix(question: FleetQuestion, kind: InstanceType, peak_requests_per_s: float) -> MixPlan | None:
    """The provider's instance types by request size; None where some size is served by none of them."""
    workload = question.workload
    types = instance_types(kind.offer.provider)
    buckets = request_buckets(workload.input_tokens, workload.output_tokens, peak_requests_per_s)
    slo, planned = workload.requirements.slo, _planned_frac(workload)
    rates = np.column_stack(
        [requests_per_s(types, question.model, bucket_shape(each), slo, question.corrections) for each in buckets]
    )
    offered = [
        MixedType(name=each.name, requests_per_s=tuple((row * planned).tolist()), price=each.on_demand)
        for each, row in zip(types, rates, strict=True)
        if row.any()
    ]
    try:
        return mix(buckets, offered)
    except NothingFits:
        return None


def _assumptions(question: FleetQuestion, spot: SpotAdvice | None) -> Sequence[Assumption]:
    found = [
        Assumption(
            name="demand",
            value="goes on as it is" if question.limits.rates_per_s is None else "looks like the rates given",
            unit="every later month",
            basis="assumed",
            source="a reservation outlasts what was measured; see what half the volume would cost",
        )
    ]
    if spot is not None:
        found += [
            Assumption(
                name="spot_zones",
                value=", ".join(spot.outcome.zones),
                unit="as observed on V100 instances in 2023; a zone that goes takes all of its instances",
                basis="assumed",
                source="computed from skypilot-org/spot-traces",
            ),
            Assumption(
                name="same_region_correlation",
                value=spot.outcome.policy.correlation,
                unit="of the availability of two zones of one region",
                basis="quoted",
                source="computed from skypilot-org/spot-traces, 45 days of 2023",
            ),
            Assumption(
                name="replacement_delay_h",
                value=round(spot.outcome.policy.delay_h, 3),
                unit="hours from a lost instance to the first answer of the next",
                basis="assumed",
                source="cold start: provision, pull, load and compile",
            ),
        ]
    return found


def _notes(spot: SpotAdvice | None, api: ApiAdvice | None, mixed: MixPlan | None, allowed: bool) -> Iterator[str]:
    if spot is None:
        yield "This instance is not sold as spot."
    elif not allowed:
        yield "Spot is left out of the purchases: admit it with --allow-spot."
    if api is None:
        yield "No hosted API serves this model within the requirements: name one with --spill-to."
    if mixed is None:
        yield "GPU types are not mixed: the longest requests of some size miss the requirement on all of them."
