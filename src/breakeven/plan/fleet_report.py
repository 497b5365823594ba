"""A trace replayed through a fleet, with its dollars, and what other ways to scale the same fleet would have given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.evidence import Assumption
from breakeven.catalog.price_card import PriceCard
from breakeven.errors import InputError
from breakeven.options.instance_hours import month_usd
from breakeven.options.replica_price import ReplicaPrice, replica_price
from breakeven.options.spilled_requests import spilled_usd
from breakeven.options.statement import usd_per_1k
from breakeven.plan.spot_losses import observed_zones, spot_interruptions
from breakeven.serving.autoscaling import Autoscaling, hourly_replicas
from breakeven.serving.cold_start import COMPILE_SOURCE, LOAD_SOURCE, PROVISION_SOURCE, PULL_SOURCE, ColdStart
from breakeven.serving.compiled import INSTALL_HINT
from breakeven.serving.corrections import Corrections
from breakeven.serving.engine import EngineCoefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.fleet_file import FleetFile
from breakeven.serving.interruptions import NOTICE_S, NOTICE_SOURCE, SpotTerms
from breakeven.serving.simulation import simulate
from breakeven.serving.simulation_result import SimulationResult
from breakeven.workload.request_loading import MADE_UP
from breakeven.workload.synthetic_arrivals import ArrivalKind, gamma_arrivals_s, gap_variation, poisson_arrivals_s
from breakeven.workload.trace import Trace

_CAUTION: Final = "made-up arrivals: real traffic is burstier, so these latencies are a lower bound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another way to scale the same deployment under the same requests.

    ``usd`` is that of replicas and API together, ``spilled_usd`` that of the API; None where no price is stated.
    """

    label: str
    result: SimulationResult
    usd: Decimal | None
    spilled_usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """What ``breakeven simulate`` tells. The first of ``alternatives`` is the fleet as stated."""

    trace_name: str
    arrivals: ArrivalKind
    file: FleetFile
    engine: EngineCoefficients
    result: SimulationResult
    price: ReplicaPrice | None
    api: PriceCard | None
    alternatives: tuple[Alternative, ...]
    assumptions: tuple[Assumption, ...]
    notes: tuple[str, ...]

    @property
    def usd(self) -> Decimal | None:
        """What the fleet cost for the trace's time."""
        return self.alternatives[0].usd

    @property
    def usd_per_month(self) -> Decimal | None:
        """The same for 730 hours."""
        if self.usd is None or self.result.span_s <= 0:
            return None
        return month_usd(self.usd, Fraction(repr(self.result.span_s)) / units.SECONDS_PER_HOUR)

    @property
    def usd_per_1k_requests(self) -> Decimal | None:
        """The same for 1,000 requests that were answered, by a replica or by the API."""
        answered = self.result.served_requests + self.result.spilled_requests
        if self.usd is None or answered == 0:
            return None
        return usd_per_1k(self.usd, answered)


def fleet_report(
    trace: Trace,
    file: FleetFile,
    arrivals: ArrivalKind = "trace",
    corrections: Corrections | None = None,
    api: PriceCard | None = None,
) -> FleetReport:
    """Replay ``trace`` through the fleet of ``file``, with its times as measurements correct them.

    A day that was made up keeps its times, which are Poisson's. ``api`` is the price of what is spilled.

    Raises:
        InputError: a schedule without a clock or a day, an unfit offer, a trace that is too long, gamma arrivals for
            a day that was made up, prefix caching without prefixes.
        NothingFits: the deployment cannot run.
        UnknownName: the offer is not in the catalogue.
    """
    if trace.format_name == MADE_UP and arrivals == "gamma":
        raise InputError("no gamma arrivals: a workload file tells no gaps", hint="--arrivals poisson, or a trace")
    file = replace(file, fleet=_with_schedule(file.fleet, trace))
    price = replica_price(file)
    engine = file.engine(float((trace.input_tokens + trace.output_tokens).mean()), corrections)
    if file.prefix_caching:
        engine = engine.with_prefix_reuse(_prefix_reuse_frac(trace))
    kind: ArrivalKind = "poisson" if trace.format_name == MADE_UP and arrivals == "trace" else arrivals
    arrivals_s = trace.arrivals_s if trace.format_name == MADE_UP else _arrivals(trace, kind)
    prices = _Prices(replica=price, api=api)
    found = tuple(
        _alternative(label, trace, arrivals_s, engine, fleet, prices)
        for label, fleet in _interrupted_variants(file, engine, float(arrivals_s[-1])).items()
    )
    return FleetReport(
        trace_name=trace.name,
        arrivals=kind,
        file=file,
        engine=engine,
        result=found[0].result,
        price=price,
        api=api,
        alternatives=found,
        assumptions=_assumptions(file, engine),
        notes=(*_notes(trace, kind, found[0].result), *_prefix_notes(trace, file), *_policy_notes(file.fleet)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prices:
    """Of a replica hour and of the API; None where not stated."""

    replica: ReplicaPrice | None
    api: PriceCard | None

    def spilled_usd(self, result: SimulationResult) -> Decimal | None:
        """What the API charges; zero where nothing was spilled."""
        if not result.spilled_requests:
            return Decimal(0)
        if self.api is None:
            return None
        return spilled_usd(self.api, result.spilled_input_tokens, result.spilled_output_tokens)

    def usd(self, result: SimulationResult) -> Decimal | None:
        """Replica hours and API together."""
        spilled = self.spilled_usd(result)
        return None if self.replica is None or spilled is None else self.replica.usd(result.replica_h) + spilled


def _alternative(
    label: str,
    trace: Trace,
    arrivals_s: NDArray[np.float64],
    engine: EngineCoefficients,
    fleet: Fleet,
    prices: _Prices,
) -> Alternative:
    result = simulate(
        arrivals_s,
        trace.input_tokens,
        trace.output_tokens,
        engine,
        fleet,
        starts_at_clock_s=trace.starts_at_clock_s or 0.0,
    )
    return Alternative(label=label, result=result, usd=prices.usd(result), spilled_usd=prices.spilled_usd(result))


def _interrupted_variants(file: FleetFile, engine: EngineCoefficients, span_s: float) -> Mapping[str, Fleet]:
    """The variants of the fleet, on spot where the file says so; then also as stated without interruptions."""
    variants = _variants(file.fleet)
    if file.spot is None:
        return variants
    hours = span_s / units.SECONDS_PER_HOUR + 1
    lost = {label: _on_spot(fleet, file.spot, hours, engine) for label, fleet in variants.items()}
    return {**lost, "nothing interrupted": file.fleet}


def _on_spot(fleet: Fleet, terms: SpotTerms, hours: float, engine: EngineCoefficients) -> Fleet:
    """The fleet with the losses of its zones; no more is kept than is always there."""
    kept = replace(terms, kept_replicas=min(terms.kept_replicas, fleet.least_replicas))
    return replace(
        fleet, interruptions=spot_interruptions(kept, fleet.most_replicas, hours, fleet.cold_start, engine.weight_bytes)
    )


def _variants(fleet: Fleet) -> Mapping[str, Fleet]:
    """The fleet as stated; where it scales: with a floor of one, to zero, and fixed at its most; nothing spilled."""
    scaling = fleet.autoscaling
    kept = {} if fleet.spill is None else {"nothing spilled": replace(fleet, spill=None)}
    if scaling is None:
        return {"as stated": fleet, **kept}
    most = scaling.max_replicas
    floors = {"floor of 1 replica": 1, "scaled to zero": 0}
    others = {
        label: replace(fleet, autoscaling=replace(scaling, min_replicas=floor))
        for label, floor in floors.items()
        if floor != scaling.min_replicas and floor <= most
    }
    return {"as stated": fleet, **others, f"fixed at {most}": fleet.fixed_at(most), **kept}


def _with_schedule(fleet: Fleet, trace: Trace) -> Fleet:
    scaling = fleet.autoscaling
    if scaling is None or scaling.policy != "schedule":
        return fleet
    if trace.starts_at_clock_s is None:
        raise InputError(
            "a scheduled policy needs a trace with a clock",
            cause=f"{trace.name} tells no time of day",
            hint='policy = "queue"',
        )
    return fleet if scaling.hourly_replicas else replace(fleet, autoscaling=_from_trace(scaling, trace))


def _from_trace(scaling: Autoscaling, trace: Trace) -> Autoscaling:
    """The schedule in proportion to the trace's own hours, its most replicas in the busiest hour."""
    if trace.span_s < units.SECONDS_PER_DAY:
        raise InputError(
            "no schedule: the trace is shorter than a day",
            cause=f"it spans {trace.span_s / units.SECONDS_PER_HOUR:.1f} hours",
            hint="write hourly_replicas with 24 numbers in [autoscaling]",
        )
    clock_s = trace.arrivals_s + (trace.starts_at_clock_s or 0.0)
    hours = (clock_s // units.SECONDS_PER_HOUR).astype(np.int64) % units.HOURS_PER_DAY
    shape = np.bincount(hours, minlength=units.HOURS_PER_DAY).tolist()
    planned = hourly_replicas(shape, scaling.max_replicas, scaling.min_replicas)
    return replace(scaling, hourly_replicas=planned)


def _arrivals(trace: Trace, kind: ArrivalKind) -> NDArray[np.float64]:
    match kind:
        case "poisson":
            return poisson_arrivals_s(trace.rows, trace.span_s)
        case "gamma":
            return gamma_arrivals_s(trace.rows, trace.span_s, gap_variation(trace.arrivals_s))
    return trace.arrivals_s


def _notes(trace: Trace, kind: ArrivalKind, result: SimulationResult) -> tuple[str, ...]:
    notes = list(trace.notes)
    if kind == "gamma":
        notes.append(f"Gamma arrivals, coefficient of variation {gap_variation(trace.arrivals_s):.2f}; {_CAUTION}")
    if kind == "poisson":
        notes.append(f"Poisson arrivals; {_CAUTION}")
    if result.refused_requests:
        notes.append(f"{result.refused_requests:,} requests are longer than a replica's cache, and refused")
    if result.spilled_requests and not result.spilled_is_timed:
        notes.append("latencies leave out what was sent to the API: its own are unknown until measured or stated")
    if not result.compiled:
        notes.append(f"computed in plain Python, which is slow: {INSTALL_HINT}")
    return tuple(notes)


def _policy_notes(fleet: Fleet) -> tuple[str, ...]:
    """A policy sees the queues of its replicas, not what was spilled from them."""
    scaling, spill = fleet.autoscaling, fleet.spill
    if scaling is None or spill is None or scaling.policy != "queue":
        return ()
    if spill.above_requests_per_replica + 1 > scaling.target_queue_per_replica:
        return ()
    return (
        "spill_above_requests_per_replica is below target_queue_per_replica: full replicas spill, and none is added",
    )


def _prefix_reuse_frac(trace: Trace) -> float:
    if trace.prefix_reuse_frac is None:
        raise InputError(
            "prefix_caching, but the trace tells no prefixes",
            cause=f"{trace.name} has no hashes of prefixes",
            hint="leave prefix_caching out of the fleet file",
        )
    return trace.prefix_reuse_frac


def _prefix_notes(trace: Trace, file: FleetFile) -> tuple[str, ...]:
    if not trace.prefix_reuse_frac:
        return ()
    repeated = f"{trace.prefix_reuse_frac:.0%} of the input repeats an earlier prefix"
    if file.prefix_caching:
        return (f"{repeated} and costs no prefill, as if every replica had seen every prefix",)
    return (f"{repeated}; the replay computes it anew, unless prefix_caching = true",)


def _assumptions(file: FleetFile, engine: EngineCoefficients) -> tuple[Assumption, ...]:
    measured = engine.basis == "measured"
    model_source = "roofline, corrected by measurements" if measured else "roofline with fitted constants"
    modelled = (
        ("decode_step_s", float(engine.step_s[1]), "s, one sequence"),
        ("prefill_tokens_per_s", 1 / engine.prefill_s_per_token, "tokens/s"),
        ("kv_tokens", engine.kv_tokens, "tokens/replica"),
    )
    found = [Assumption(name=n, value=v, unit=u, basis=engine.basis, source=model_source) for n, v, u in modelled]
    if file.fleet.autoscaling is not None or file.spot is not None:
        found += _cold_start_assumptions(file.fleet.cold_start, engine.weight_bytes)
    if file.spot is not None:
        found += _spot_assumptions(file.spot)
    return tuple(found)


def _spot_assumptions(terms: SpotTerms) -> Iterator[Assumption]:
    """The zones whose spells the losses are drawn from, and the notice of a loss."""
    zones = observed_zones(terms.zones)
    yield Assumption(
        name="spot_zones",
        value=", ".join(terms.zones),
        unit=f"as observed on {zones[0].accelerator} instances; a zone that goes takes all of its instances",
        basis="assumed",
        source=zones[0].source,
    )
    source = NOTICE_SOURCE if terms.notice_s == NOTICE_S else "fleet file"
    yield Assumption(name="spot_notice_s", value=terms.notice_s, unit="s", basis="quoted", source=source)


def _cold_start_assumptions(stated: ColdStart, weight_bytes: float) -> list[Assumption]:
    """The parts of a cold start, each with its source: the default's, or the file."""
    default = ColdStart()
    parts = (
        ("provision", stated.provision_s, default.provision_s, PROVISION_SOURCE),
        ("pull", stated.pull_s, default.pull_s, PULL_SOURCE),
        ("load", stated.load_s(weight_bytes), default.load_s(weight_bytes), LOAD_SOURCE),
        ("compile", stated.compile_s, default.compile_s, COMPILE_SOURCE),
    )
    return [
        Assumption(name=f"cold_start_{name}_s", value=value, unit="s", basis="assumed", source=source)
        if value == usual
        else Assumption(name=f"cold_start_{name}_s", value=value, unit="s", basis="quoted", source="fleet file")
        for name, value, usual, source in parts
    ]
