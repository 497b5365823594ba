"""Fleets sized by replay: the fewest replicas that meet the latency requirement under the workload's recorded arrivals.

Few replicas are replayed as they are. Many are replayed as a part of them with their part of the requests: what one
replica of such a part carries does not depend on the volume, so a plan at any other volume says the same of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, inf, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Assumption
from breakeven.options.gpu_grid import GpuGrid
from breakeven.serving.capacity import MAX_RUNNING
from breakeven.serving.corrections import Corrections, Deployment
from breakeven.serving.engine import EngineCoefficients
from breakeven.serving.fleet import Fleet
from breakeven.serving.fleet_file import FleetFile
from breakeven.serving.roofline import CHUNK_TOKENS
from breakeven.serving.simulation import simulate
from breakeven.workload.busiest_stretch import MOST_COUNTED, MOST_LEAD_IN, BusiestStretch
from breakeven.workload.trace import Trace
from breakeven.workload.trace_scaling import recorded_peak_requests_per_s
from breakeven.workload.workload import Slo, Workload

MOST_REPLAYS: Final = 60
"""Replays for one plan, after which deployments keep the formula: three seconds in plain Python."""
MOST_POOLED: Final = 16
"""Replicas that are replayed together, at most."""
_LEAST_STRETCH_S: Final = 60.0
"""Seconds that the replayed requests should span, so that a busiest minute is one."""
_MOST_TEMPO: Final = 2.0
"""How much faster than it was recorded a trace is replayed for many replicas: a burst made shorter is half forgiven."""
_MOST_FACTOR: Final = 8.0
_MARK: Final = 1.025
"""Loads are told apart to 2.5%, an eighth of the capacity's own band; from 8 times the formula's down to 1/16 of it."""
_MARKS: Final = 196
_FIRST_STEP: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """What replays say of one deployment.

    ``replicas`` carry the planned volume, the fewest that do; 0 where no number of them meets the requirement.
    ``requests_per_s`` is what each replica of a larger fleet carries in the busiest minute, None where not asked.
    ``requests`` were replayed and counted, and had this TTFT and TPOT at the requirement's percentile.
    """

    replicas: int
    requests_per_s: float | None
    requests: int
    ttft_s: float
    tpot_s: float

    def most_requests_per_s(self, peak_requests_per_s: float) -> float:
        """The most that a replica may carry for all that is known: one fewer could not carry the peak."""
        if self.requests_per_s is not None:
            return self.requests_per_s
        return peak_requests_per_s / (self.replicas - 1) if self.replicas > 1 else inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One replay of the stretch: requests that counted, and their TTFT and TPOT at the requirement's percentile."""

    requests: int
    ttft_s: float
    tpot_s: float
    meets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment to size: its engine, and what the formula says that a replica sustains under Poisson arrivals.

    ``pooled`` are the replicas that are replayed together, at most.
    """

    name: Deployment
    engine: EngineCoefficients
    formula_requests_per_s: float
    pooled: int


class FleetSizer:
    """Sizes deployments for one workload that has recorded arrivals, and counts the replays that it took."""

    def __init__(self, workload: Workload, trace: Trace, corrections: Corrections | None = None) -> None:
        """Take a workload and its trace, which must tell a rate (see `fleet_sizer`)."""
        self._workload = workload
        self._corrections = corrections
        self._stretch = BusiestStretch(trace)
        self._recorded_requests_per_s = recorded_peak_requests_per_s(trace)
        self._load_frac = _stated_load_frac(workload)
        self._likely_factor = 1.0
        self._sizes: dict[Deployment, Sized] = {}
        self.replays = 0

    @property
    def is_spent(self) -> bool:
        """Whether no further deployment is to be replayed."""
        return self.replays >= MOST_REPLAYS

    def deployed(self, grid: GpuGrid, replica: int) -> Deployed:
        """A replica of the grid as it is sized."""
        workload, capacity = self._workload, grid.capacity
        file = deployment_file(grid, replica, workload.requirements.slo)
        sustained = float(capacity.requests_per_s[replica])
        running = max(int(capacity.max_concurrent_requests[replica]), 1)
        by_time = (MOST_COUNTED + MOST_LEAD_IN) / (_LEAST_STRETCH_S * sustained)
        by_tempo = _MOST_TEMPO * self._recorded_requests_per_s / sustained
        return Deployed(
            name=grid.deployment(replica),
            engine=file.engine(workload.mean_input_tokens + workload.mean_output_tokens, self._corrections),
            formula_requests_per_s=sustained,
            pooled=max(1, int(min(MOST_POOLED, MOST_LEAD_IN / running, by_time, by_tempo))),
        )

    def size(self, deployed: Deployed) -> Sized:
        """The fewest replicas that carry the planned volume; the same answer without a replay when asked again."""
        if deployed.name not in self._sizes:
            self._sizes[deployed.name] = self._few(deployed) or self._many(deployed)
        return self._sizes[deployed.name]

    def carry(self, deployed: Deployed) -> Sized:
        """The same, with what a replica of a larger fleet carries."""
        sized = self.size(deployed)
        if sized.replicas and sized.requests_per_s is None:
            rate, _ = self._most_carried(deployed)
            sized = self._sizes[deployed.name] = replace(sized, requests_per_s=rate * self._load_frac)
        return sized

    def _many(self, deployed: Deployed) -> Sized:
        rate, found = self._most_carried(deployed)
        planned_requests_per_s = rate * self._load_frac
        replicas = ceil(self._workload.peak_requests_per_s / planned_requests_per_s) if rate else 0
        return _sized(replicas, planned_requests_per_s, found)

    def replayed(self, deployed: Deployed, replicas: int, requests_per_s: float) -> Replayed:
        """The stretch at this rate in its busiest minute through so many replicas."""
        self.replays += 1
        stretch = self._stretch.at_share(requests_per_s / self._recorded_requests_per_s)
        slo, engine = self._workload.requirements.slo, deployed.engine
        columns = stretch.arrivals_s, stretch.input_tokens, stretch.output_tokens
        result = simulate(*columns, engine, Fleet(replicas=replicas, slo=slo), keep_requests=True)
        fits = np.maximum(stretch.input_tokens, 1) + np.maximum(stretch.output_tokens, 1) <= engine.kv_tokens
        ttft_s, e2e_s = np.full(len(fits), np.inf), np.full(len(fits), np.inf)
        ttft_s[fits], e2e_s[fits] = result.ttft_s, result.e2e_s
        tpot_s = np.full(len(fits), np.inf)
        tpot_s[fits] = (result.e2e_s - result.ttft_s) / np.maximum(stretch.output_tokens[fits] - 1, 1)
        counted = np.arange(len(fits)) >= stretch.first_counted
        first_s = _at_percentile(ttft_s[counted], slo.percentile)
        each_s = _at_percentile(tpot_s[counted & (stretch.output_tokens > 1)], slo.percentile)
        return Replayed(
            requests=stretch.counted,
            ttft_s=first_s,
            tpot_s=each_s,
            meets=first_s <= slo.ttft_s and each_s <= slo.tpot_s,
        )

    def _few(self, deployed: Deployed) -> Sized | None:
        """The fewest replicas, searched up or down from the formula's; None where they are too many to replay."""
        peak_requests_per_s = self._workload.peak_requests_per_s / self._load_frac
        likely = ceil(peak_requests_per_s / (deployed.formula_requests_per_s * self._likely_factor))
        if likely > 2 * deployed.pooled:
            return None
        replays: dict[int, Replayed] = {}

        def meets(replicas: int) -> bool:
            replays[replicas] = self.replayed(deployed, replicas, peak_requests_per_s)
            return replays[replicas].meets

        replicas = fewest(meets, min(likely, deployed.pooled), deployed.pooled)
        if replicas is None:
            return None
        if replicas > 1:
            self._likely_factor = peak_requests_per_s / replicas / deployed.formula_requests_per_s
        return _sized(replicas, None, replays[replicas])

    def _most_carried(self, deployed: Deployed) -> tuple[float, Replayed]:
        """The most requests a second for each of the pooled replicas, and the replay that bears it out; 0 if none.

        Loads are tried on a fixed scale, so that the answer does not depend on where the search begins.
        """
        replays: dict[int, Replayed] = {}

        def rate(mark: int) -> float:
            return deployed.formula_requests_per_s * _MOST_FACTOR / _MARK**mark

        def meets(mark: int) -> bool:
            replays[mark] = self.replayed(deployed, deployed.pooled, rate(mark) * deployed.pooled)
            return replays[mark].meets

        likely = round(log(_MOST_FACTOR / self._likely_factor) / log(_MARK))
        mark = fewest(meets, min(max(likely, 1), _MARKS), _MARKS, _FIRST_STEP)
        if mark is None:
            return 0.0, replays[_MARKS]
        self._likely_factor = rate(mark) / deployed.formula_requests_per_s
        return rate(mark), replays[mark]


def fewest(meets: Callable[[int], bool], guess: int, most: int, step: int = 1) -> int | None:
    """The fewest in 1..``most`` that meet, where more never do worse: in doubling steps from a guess, then halving.

    None where even ``most`` do not meet. It was asked of the answer, and of one fewer. The first step is ``step``.
    """
    if meets(guess):
        low, high = 0, guess
        while high > 1 and low == 0:
            probe = max(1, high - step)
            low, high = (0, probe) if meets(probe) else (probe, high)
            step *= 2
    else:
        low, high = guess, 0
        while not high:
            if low == most:
                return None
            probe = min(most, low + step)
            low, high = (low, probe) if meets(probe) else (probe, 0)
            step *= 2
    while high - low > 1 and high > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if meets(middle) else (middle, high)
    return high


def fleet_sizer(workload: Workload, corrections: Corrections | None = None) -> FleetSizer | None:
    """The sizer of a workload whose trace tells a rate; None where there is none, and the formula is all there is."""
    if workload.trace is None or not workload.trace.span_s > 0:
        return None
    return FleetSizer(workload, workload.trace, corrections)


def sizing_assumption(deployments: int, *, by_replay: bool, shown_by_formula: int = 0) -> Assumption:
    """How fleets of GPUs were sized: so many deployments by replay, or all by the formula.

    ``shown_by_formula`` are those that a plan shows though no replay was left for them.
    """
    if not by_replay:
        return Assumption(
            name="fleets_sized_by",
            value="formula",
            unit="",
            basis="assumed",
            source="no recorded arrivals: Poisson's in the busiest minute, at peak_load_frac of what is sustained",
        )
    return Assumption(
        name="fleets_sized_by_replay",
        value=deployments,
        unit="deployments",
        basis="modelled",
        source=f"the trace around its busiest minute, up to {MOST_COUNTED:,} requests in an hour, at the plan's rate; "
        f"the rest, {shown_by_formula:,} of them shown, by the formula for Poisson arrivals at peak_load_frac",
    )


def deployment_file(grid: GpuGrid, replica: int, slo: Slo) -> FleetFile:
    """A replica of the grid as ``breakeven simulate`` reads a deployment from a file; no price, one replica."""
    model, precision = grid.models[grid.replica_model[replica]], grid.precisions[grid.replica_precision[replica]]
    return FleetFile(
        name=model.name,
        model=model,
        accelerator=grid.accelerators[grid.replica_accelerator[replica]],
        precision=precision,
        tensor_parallel=int(grid.replica_tensor_parallel[replica]),
        chunk_tokens=CHUNK_TOKENS,
        max_running=int(MAX_RUNNING),
        prefix_caching=False,
        fleet=Fleet(slo=slo),
        usd_per_replica_h=None,
        offer="",
        purchase="on_demand",
    )


def _sized(replicas: int, requests_per_s: float | None, found: Replayed) -> Sized:
    return Sized(
        replicas=replicas,
        requests_per_s=requests_per_s,
        requests=found.requests,
        ttft_s=found.ttft_s,
        tpot_s=found.tpot_s,
    )


def _at_percentile(seconds: NDArray[np.float64], percentile: float) -> float:
    """The value that this share of the requests does not exceed; 0 where there are none."""
    if not len(seconds):
        return 0.0
    return float(np.sort(seconds)[max(ceil(percentile / 100 * len(seconds)), 1) - 1])


def _stated_load_frac(workload: Workload) -> float:
    """The share of the load to plan for where the user states one.

    The default stands for how real arrivals cluster, which a replay of them has in it.
    """
    stated = any(fact.name == "peak_load_frac" and fact.basis != "assumed" for fact in workload.assumptions)
    return workload.costs.peak_load_frac if stated else 1.0
