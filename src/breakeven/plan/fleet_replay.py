"""The plan's leading fleet under the workload's own arrivals: what scaling it, or to zero, saves and costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from breakeven import units
from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.evidence import Assumption
from breakeven.catalog.offers import PurchasePrice
from breakeven.errors import InputError, NothingFits
from breakeven.options.gpu_fleet import COMMITMENT_MONTHS, GpuFleets
from breakeven.options.gpu_grid import GpuGrid
from breakeven.options.replica_price import ReplicaPrice
from breakeven.options.statement import quantity
from breakeven.plan.fleet_report import FleetReport, fleet_report
from breakeven.plan.market import Market
from breakeven.serving.autoscaling import Autoscaling
from breakeven.serving.capacity import MAX_RUNNING
from breakeven.serving.corrections import Corrections
from breakeven.serving.fleet import Fleet
from breakeven.serving.fleet_file import FleetFile
from breakeven.serving.roofline import CHUNK_TOKENS
from breakeven.serving.simulation_result import SimulationResult
from breakeven.workload.request_loading import MADE_UP
from breakeven.workload.trace import Trace
from breakeven.workload.workload import Workload

MOST_QUEUE_PER_REPLICA: Final = 32.0
"""Requests that wait or run on one replica before another is wanted; fewer where a replica can hold fewer at once."""

_SAME_VOLUME_FRAC: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedFleet:
    """One way to scale the fleet: replica hours and US dollars a month, and the latency of a replayed request."""

    label: str
    replica_h_per_month: Decimal
    usd_per_month: Decimal
    ttft_p99_s: float
    tpot_p99_s: float
    within_slo_frac: float
    cold_starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReplay:
    """The cheapest admissible always-on fleet, replayed as planned, autoscaled on its queue, and scaled to zero.

    Dollars are those of the instances alone: a replica's hour is its share of an instance's. A fleet that scales is
    bought on demand where the fixed one is reserved. ``usd_per_instance_h`` is what the fixed one pays.
    """

    label: str
    replicas: int
    replicas_per_instance: int
    usd_per_instance_h: Decimal
    requests: int
    fixed: ReplayedFleet
    autoscaled: ReplayedFleet
    scaled_to_zero: ReplayedFleet
    assumptions: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ways(self) -> tuple[ReplayedFleet, ReplayedFleet, ReplayedFleet]:
        """All three, the fixed fleet first."""
        return self.fixed, self.autoscaled, self.scaled_to_zero

    @property
    def usd_per_month_saved(self) -> Decimal:
        """What scaling to zero saves against the fixed fleet; negative where it costs more."""
        return self.fixed.usd_per_month - self.scaled_to_zero.usd_per_month


def replay_leading_fleet(
    workload: Workload, grid: GpuGrid, requests: Trace, *, named: bool = False, corrections: Corrections | None = None
) -> FleetReplay:
    """Replay requests, at the workload's volume, through the cheapest admissible fleet of ``grid``'s rented instances.

    Raises:
        NothingFits: no fleet of the grid meets the requirements, or the leading one cannot be given back.
        InputError: all requests arrive at once, or the trace is too long.
    """
    fleets = GpuFleets(workload, grid, billing="hour", named=named)
    row = _leading_row(fleets, workload)
    held = int(grid.replicas_per_instance[row])
    replicas = fleets.curve(row).units(workload.requests_per_day) * held
    file = _scaling(_file(fleets, grid, row, workload), replicas, grid, row)
    report = fleet_report(_at_volume(requests, workload), file, corrections=corrections)
    terms, elastic = fleets.terms(row), fleets.terms(_elastic_row(fleets, row))
    stated, to_zero, fixed = (each.result for each in report.alternatives)
    return FleetReplay(
        label=fleets.label(row),
        replicas=replicas,
        replicas_per_instance=held,
        usd_per_instance_h=terms.usd_per_h,
        requests=stated.requests,
        fixed=_replayed(f"fixed at {replicas:,}", fixed, ReplicaPrice.share_of(terms, held)),
        autoscaled=_replayed("autoscaled on its queue", stated, ReplicaPrice.share_of(elastic, held)),
        scaled_to_zero=_replayed("scaled to zero", to_zero, ReplicaPrice.share_of(elastic, held)),
        assumptions=_assumptions(report),
        notes=(*report.notes, *_notes(requests, workload, held), *_commitment_notes(terms, elastic)),
    )


def _elastic_row(fleets: GpuFleets, row: int) -> int:
    """The same fleet as it can be given back by the hour: a commitment is paid for whether it is used or not."""
    if not COMMITMENT_MONTHS[fleets.terms(row).option]:
        return row
    by_option = {fleets.terms(other).option: other for other in fleets.bought_otherwise(row)}
    if "on_demand" not in by_option:
        raise NothingFits(
            f"{fleets.label(row)} cannot be scaled",
            cause="it is sold under a commitment alone, which is paid for whether it is used or not",
            hint="--max-commitment-months 0",
        )
    return by_option["on_demand"]


def _commitment_notes(terms: PurchasePrice, elastic: PurchasePrice) -> tuple[str, ...]:
    if terms is elastic:
        return ()
    bought = f"fixed is bought {terms.option} at ${terms.usd_per_h} an instance-hour"
    scales = f"what scales is bought on demand at ${elastic.usd_per_h}"
    return (f"{bought}; {scales}, since a commitment is paid for whether it is used or not",)


def no_fleet(cause: str) -> NothingFits:
    """The error where a replay was asked for and there is no fleet."""
    hint = "leave --replay out, or compare fleets too: --candidates api,gpu"
    return NothingFits("there is no fleet to replay", cause=cause, hint=hint)


def _leading_row(fleets: GpuFleets, workload: Workload) -> int:
    market = Market([fleets], workload.requests_per_day)
    if not len(market.admissible):
        raise no_fleet("no always-on fleet of GPUs meets the requirements")
    return int(market.admissible[np.argmin(market.usd_per_month[market.admissible])])


def _file(fleets: GpuFleets, grid: GpuGrid, row: int, workload: Workload) -> FleetFile:
    """The row as ``breakeven simulate`` reads a deployment from a file."""
    replica, purchase = int(grid.replica[row]), grid.purchases[int(grid.purchase[row])]
    return FleetFile(
        name=fleets.label(row),
        model=grid.models[int(grid.replica_model[replica])],
        accelerator=accelerator(purchase.offer.accelerator),
        precision=grid.precisions[int(grid.replica_precision[replica])],
        tensor_parallel=int(grid.replica_tensor_parallel[replica]),
        chunk_tokens=CHUNK_TOKENS,
        max_running=int(MAX_RUNNING),
        prefix_caching=False,
        fleet=Fleet(slo=workload.requirements.slo),
        usd_per_replica_h=None,
        offer="",
        purchase=purchase.terms.option,
    )


def _scaling(file: FleetFile, replicas: int, grid: GpuGrid, row: int) -> FleetFile:
    """The deployment between one replica and the planned ones, by a queue that a replica can hold at once."""
    held_at_once = float(grid.capacity.max_concurrent_requests[grid.replica[row]])
    scaling = Autoscaling(
        policy="queue",
        max_replicas=replicas,
        min_replicas=1,
        target_queue_per_replica=max(1.0, min(MOST_QUEUE_PER_REPLICA, held_at_once)),
    )
    return replace(file, fleet=replace(file.fleet, autoscaling=scaling))


def _at_volume(requests: Trace, workload: Workload) -> Trace:
    """The requests at the planned volume; a made-up day up to the first request of the next day.

    So the night's hours count, which a fleet that scales to zero is about.
    """
    if requests.format_name == MADE_UP:
        return replace(
            requests,
            arrivals_s=np.append(requests.arrivals_s, float(units.SECONDS_PER_DAY)),
            input_tokens=np.append(requests.input_tokens, requests.input_tokens[0]),
            output_tokens=np.append(requests.output_tokens, requests.output_tokens[0]),
        )
    if requests.span_s <= 0:
        raise InputError(
            f"{requests.name} cannot be replayed",
            cause="all its requests arrive at once, which tells no hours",
            hint="leave --replay out, or give a longer trace",
        )
    if _is_at_volume(requests, workload):
        return requests
    stretch = requests.requests_per_day / workload.requests_per_day
    return replace(requests, arrivals_s=requests.arrivals_s * stretch)


def _is_at_volume(requests: Trace, workload: Workload) -> bool:
    planned = workload.requests_per_day
    return abs(requests.requests_per_day - planned) <= max(1.0, planned * _SAME_VOLUME_FRAC)


def _replayed(label: str, result: SimulationResult, price: ReplicaPrice) -> ReplayedFleet:
    """The replayed hours, as a share of the replayed time, for a month of 730 hours."""
    replicas = Fraction(result.replica_h) * units.SECONDS_PER_HOUR / Fraction(result.span_s)
    hours = round(quantity(replicas * units.HOURS_PER_MONTH), 6)
    return ReplayedFleet(
        label=label,
        replica_h_per_month=hours,
        usd_per_month=price.usd(hours),
        ttft_p99_s=result.ttft.p99_s,
        tpot_p99_s=result.tpot.p99_s,
        within_slo_frac=result.within_slo_frac,
        cold_starts=result.cold_starts,
    )


def _assumptions(report: FleetReport) -> tuple[Assumption, ...]:
    scaling = report.file.fleet.autoscaling
    if scaling is None:
        return report.assumptions
    stated = (
        ("replay_queue_per_replica", scaling.target_queue_per_replica, "requests"),
        ("replay_cooldown_s", scaling.cooldown_s, "s"),
    )
    policy = (
        Assumption(name=name, value=value, unit=unit, basis="assumed", source="the replay's autoscaling")
        for name, value, unit in stated
    )
    return (*report.assumptions, *policy)


def _notes(requests: Trace, workload: Workload, held: int) -> tuple[str, ...]:
    notes = []
    if requests.format_name != MADE_UP:
        notes.append(f"{requests.span_s / units.SECONDS_PER_HOUR:,.1f} hours of the trace, taken as the whole month")
        if not _is_at_volume(requests, workload):
            notes.append(f"the trace's gaps are scaled to {workload.requests_per_day:,} requests a day")
    if held > 1:
        notes.append(f"{held} replicas share an instance: a part of one that is not needed counts as given back")
    return tuple(notes)
