"""Fourteen days of real rates on one fleet, run in six ways: cost a month and p99, with a chart.

python benchmarks/fleet_14_days.py [--write]

Rates: ServeGen's pools, 10-minute means over 14 days, shrunk (Apache-2.0, alibaba/ServeGen). Sizes: requests of Azure's
conversation trace of 2023 (CC-BY-4.0), drawn with replacement. Arrivals: Poisson within each ten minutes, seed 1.
``--write`` renews docs/fleet-14-days.md and its chart.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil

import numpy as np
from measure import REPOSITORY
from numpy.typing import NDArray
from traces import SHARED, trace_path

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.hosted import find_card
from breakeven.catalog.offers import PurchaseOption, PurchasePrice, purchase_prices
from breakeven.catalog.open_models import open_model
from breakeven.catalog.spot import spot_zones
from breakeven.options.gpu_grid import request_shape
from breakeven.options.hosted_api import HostedApis
from breakeven.options.spilled_requests import ApiPrice
from breakeven.plan.fleet_comparison import FleetResult, FleetTerms, compare_fleets, draw_traffic
from breakeven.plan.instance_types import carried_by, instance_types
from breakeven.plan.spot import SpotPolicy, price_with_interruptions, simulate_spot
from breakeven.render import markdown
from breakeven.render.charts import svg
from breakeven.render.document import Document, Section
from breakeven.render.fleet_days import days_chart, days_table
from breakeven.render.money import usd_text
from breakeven.serving.engine import engine_coefficients
from breakeven.workload.loading import load_workload
from breakeven.workload.workload import Workload

TRAFFIC = {
    "m-large / 100": ("m-large", 1e-2),
    "m-mid / 1,000": ("m-mid", 1e-3),
    "m-small / 1,000": ("m-small", 1e-3),
    "m-mid / 500,000": ("m-mid", 2e-6),
}
"""Pools of the rates, shrunk to one or two requests a second on average; the last to one in five minutes."""
MODEL, INSTANCE, PRECISION = "Gemma-4-31B", "g6e.2xlarge", "fp8"
PRICED_ON = date(2026, 11, 24)
PAGE = REPOSITORY / "docs/fleet-14-days.md"
CHART = REPOSITORY / "docs/images/fleet-14-days.svg"
RENEWED = "Renewed by `python benchmarks/fleet_14_days.py --write`."
REPLAYS = 5
INTERVAL_S = 600.0
AT_ONCE_FRAC = 0.7
"""Scale out at this share of what an instance has in work at its planned load: a cold start takes seven minutes."""


def rates(pool: str) -> NDArray[np.float64]:
    """Requests per second of a pool, one number for each ten minutes."""
    with (SHARED / "data/traces/servegen_rate_10min.csv").open(encoding="utf-8") as table:
        return np.array([float(row["rate_rps"]) for row in csv.DictReader(table) if row["pool"] == pool])


def terms(workload: Workload) -> FleetTerms:
    """One instance of the chosen kind, bought in each way, beside the model's cheapest API."""
    model = open_model(MODEL)
    (kind,) = (t for t in instance_types(instance=INSTANCE) if (t.precision.name, t.tensor_parallel) == (PRECISION, 1))
    slo = workload.requirements.slo
    capacity = carried_by([kind], model, request_shape(workload), slo).row(0)
    planned = capacity.requests_per_s * workload.costs.peak_load_frac
    prices: dict[PurchaseOption, PurchasePrice] = {price.option: price for price in purchase_prices(kind.offer)}
    zones = [z for z in spot_zones() if kind.offer.region == z.region and z.observed_days > 40]
    outcome = simulate_spot(zones, SpotPolicy(instances=4))
    card = find_card(MODEL, at=PRICED_ON)
    api = HostedApis(workload, [card], named=True).option(0)
    in_work_s = capacity.ttft_s + capacity.tpot_s * workload.mean_output_tokens
    return FleetTerms(
        name=f"{MODEL} {kind.name}",
        engine=engine_coefficients(model, accelerator(kind.offer.accelerator), kind.precision),
        requests_per_s=planned,
        requests_at_once=planned * in_work_s * AT_ONCE_FRAC,
        on_demand=prices["on_demand"],
        reserved=prices["reserved_1y"],
        spot=price_with_interruptions(outcome, prices["spot"], prices["on_demand"]),
        api=ApiPrice(option=api, requests_per_day=workload.requests_per_day),
        api_card=card,
        spill_above_requests=ceil(capacity.requests_per_s * in_work_s),
        spot_zones=tuple(zone.zone for zone in zones),
        slo=slo,
    )


def main() -> None:
    """Replay, print, and with ``--write`` keep."""
    workload = load_workload(trace_path())
    question = terms(workload)
    results, requests, took_s = {}, 0, 0.0
    for name, (pool, size_frac) in TRAFFIC.items():
        demand = rates(pool) * size_frac
        traffic = draw_traffic(demand, INTERVAL_S, workload.input_tokens, workload.output_tokens)
        start = time.perf_counter()
        results[name] = compare_fleets(traffic, question)
        took_s += time.perf_counter() - start
        requests += len(traffic.arrivals_s) * REPLAYS
    document = days_document(question, results)
    print("### Fourteen days on one fleet\n")
    print(markdown.table_text(days_table(results)))
    print(f"\n{requests:,} requests replayed in {took_s:.1f} s.\n")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(markdown.render(document)), encoding="utf-8")
        CHART.write_text(svg(days_chart(results), "days") + "\n", encoding="utf-8")


def days_document(question: FleetTerms, results: Mapping[str, Sequence[FleetResult]]) -> Document:
    """The table, with what it rests on."""
    spot = question.by_the_hour
    notes = (
        "Rates: ServeGen (Apache-2.0), 10-minute means over 14 days, divided as named. Arrivals: Poisson within them.",
        "Sizes: Azure's conversation trace of 2023 (CC-BY-4.0).",
        f"Spot with interruptions and on-demand fallback: {usd_text(spot.usd_per_h, 4)} an hour; {spot.source}.",
        f"A request goes to {question.api_card.label}, priced by its very tokens, where no instance is ready.",
        f"So it does where the instance with the fewest requests has more than {question.spill_above_requests}.",
        "Latencies are of requests served on own instances; the API's is unknown until it is measured.",
        "Instances on spot are lost in the replay as in those zones, with two minutes' notice.",
        "What they were computing is computed again on others; a replacement comes after a cold start.",
        "Without an API those requests wait that come while too few are left.",
    )
    return Document(
        title="Fourteen days on one fleet",
        headline=(f"{question.name}, planned at {question.requests_per_s:.3g} requests/s an instance.",),
        sections=(Section(title="Cost and latency", table=days_table(results), notes=notes),),
    )


def page(rendered: str) -> str:
    """The page of the documentation: the table, and the chart beside it."""
    return f"{rendered}\n![Cost against latency of each fleet](images/{CHART.name})\n\n{RENEWED}\n"


if __name__ == "__main__":
    main()
