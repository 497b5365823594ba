"""Own instances with an API for the peak, replayed over a day: what is really spilled, and what the others wait.

A plan from mean rates spills what is above them. Requests cluster, so a full instance spills within an hour that it
carries on average, and answers the others about as well as when it is planned full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from breakeven import units
from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.price_card import PriceCard
from breakeven.options.gpu_grid import request_shape
from breakeven.options.instance_hours import hours_line
from breakeven.options.spilled_requests import spilled_lines
from breakeven.options.statement import CostStatement
from breakeven.plan.fleet_comparison import Floats, draw_traffic
from breakeven.plan.instance_types import InstanceType, carried_by
from breakeven.plan.spill import OwnInstance
from breakeven.serving.capacity import MAX_RUNNING
from breakeven.serving.corrections import Corrections
from breakeven.serving.fleet import Fleet, Spill
from breakeven.serving.fleet_file import FleetFile
from breakeven.serving.roofline import CHUNK_TOKENS
from breakeven.serving.simulation import simulate
from breakeven.workload.workload import Workload

INTERVAL_S = float(units.SECONDS_PER_HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridReplay:
    """A day of Poisson arrivals at each hour's rate, on ``replicas`` that are always there and an API.

    A request is spilled where it finds more than ``above_requests_per_replica``. Latencies and ``within_slo_frac`` are
    of the requests served on own instances, the API's being unknown; ``statement`` is a month of such days.
    """

    requests: int
    replicas: int
    above_requests_per_replica: int
    spilled_requests_frac: float
    ttft_p99_s: float
    tpot_p99_s: float
    within_slo_frac: float
    statement: CostStatement


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A model on an instance type, as measurements correct it."""

    model: OpenModel
    kind: InstanceType
    corrections: Corrections | None = None

    def file(self, workload: Workload, fleet: Fleet) -> FleetFile:
        """The deployment as ``breakeven simulate`` reads it from a file."""
        return FleetFile(
            name=workload.name,
            model=self.model,
            accelerator=accelerator(self.kind.offer.accelerator),
            precision=self.kind.precision,
            tensor_parallel=self.kind.tensor_parallel,
            chunk_tokens=CHUNK_TOKENS,
            max_running=int(MAX_RUNNING),
            prefix_caching=False,
            fleet=fleet,
            usd_per_replica_h=None,
            offer="",
            purchase="on_demand",
        )

    def requests_in_work(self, workload: Workload) -> int:
        """How many requests a replica has at once at the most that it sustains within the requirement."""
        slo = workload.requirements.slo
        carried = carried_by([self.kind], self.model, request_shape(workload), slo, self.corrections).row(0)
        return ceil(carried.requests_per_s * (carried.ttft_s + carried.tpot_s * workload.mean_output_tokens))


def replay_hybrid(
    workload: Workload,
    rates_per_s: Floats | Sequence[float],
    deployed: Deployed,
    own: OwnInstance,
    instances: int,
    card: PriceCard,
) -> HybridReplay:
    """Replay 24 hourly rates of the workload's requests on so many own instances, with ``card`` for what is spilled.

    Raises:
        NothingFits: the deployment cannot run.
        Unpriced: the card cannot price what is spilled.
    """
    traffic = draw_traffic(rates_per_s, INTERVAL_S, workload.input_tokens, workload.output_tokens)
    spill = Spill(above_requests_per_replica=deployed.requests_in_work(workload))
    fleet = Fleet(replicas=instances * deployed.kind.replicas, slo=workload.requirements.slo, spill=spill)
    tokens = float((workload.input_tokens + workload.output_tokens).mean())
    engine = deployed.file(workload, fleet).engine(tokens, deployed.corrections)
    result = simulate(traffic.arrivals_s, traffic.input_tokens, traffic.output_tokens, engine, fleet)
    monthly = Fraction(result.spilled_requests) * units.HOURS_PER_MONTH / traffic.hours
    held = hours_line(own.name, own.price, instances * units.HOURS_PER_MONTH)
    spilled = spilled_lines(card, result.spilled_input_tokens, result.spilled_output_tokens, monthly)
    return HybridReplay(
        requests=result.requests,
        replicas=fleet.replicas,
        above_requests_per_replica=spill.above_requests_per_replica,
        spilled_requests_frac=result.spilled_frac,
        ttft_p99_s=result.ttft.p99_s,
        tpot_p99_s=result.tpot.p99_s,
        within_slo_frac=result.within_slo_frac,
        statement=CostStatement(lines=(held, *own.fixed, *spilled)),
    )
