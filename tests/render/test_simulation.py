"""A replay in every format: the schema holds, the figures agree, and each chart has its table."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from functools import cache

import jsonschema
import numpy as np
import pytest

from breakeven.errors import InputError
from breakeven.plan.fleet_report import FleetReport, fleet_report
from breakeven.render.json import published_schema
from breakeven.render.simulation import SIMULATION_FORMATS, render_simulation
from breakeven.render.simulation_charts import coarser
from breakeven.serving.fleet_file import FleetFile, fleet_of
from plan.test_fleet_report import CARD, FLEET, SCALES, SPOT, file, trace

COST = {"usd_per_replica_h": Decimal("2.50")}
KINDS = ("fixed", "scaled", "alone", "spilled", "spilled, timed")


@cache
def report_of(kind: str) -> FleetReport:
    match kind:
        case "fixed":
            return fleet_report(trace(), file())
        case "scaled":
            return fleet_report(trace(), file(autoscaling=SCALES, cost=COST), "poisson")
        case "spilled":
            return fleet_report(trace(hours=0.1), spilling())
        case "spilled, timed":
            return fleet_report(trace(hours=50, many=4_000), spilling(ttft_s=0.5, tpot_s=0.02), api=CARD)
    return fleet_report(trace(many=1), file(cost=COST))


def spilling(**api: float) -> FleetFile:
    """Two replicas on spot, full with one request each."""
    fleet = {**FLEET, "spill_above_requests_per_replica": 0, "replicas": 2}
    return fleet_of({"fleet": fleet, "spill": api, "cost": COST, "spot": SPOT}, where="fleet.toml")


@pytest.mark.parametrize("kind", KINDS)
def test_json_follows_its_schema(kind: str) -> None:
    report = report_of(kind)
    body = json.loads(render_simulation(report, "json"))
    jsonschema.validate(body, published_schema("simulate"))
    asked = body["requests"]
    assert asked["received"] == asked["served"] + asked["spilled"] == report.result.requests
    assert (body["spill"] is None) == (report.file.fleet.spill is None)
    assert body["utilization_frac"] + body["idle_frac"] == pytest.approx(1)
    assert (body["cost"] is None) == (report.usd is None)


def test_the_timeline_of_csv_is_that_of_json() -> None:
    rows = list(csv.DictReader(io.StringIO(render_simulation(report_of("scaled"), "csv"))))
    line = json.loads(render_simulation(report_of("scaled"), "json"))["timeline"]
    assert [float(row["replicas"]) for row in rows] == pytest.approx(line["replicas"], rel=1e-5)
    assert [int(row["waiting_requests"]) for row in rows] == line["waiting_requests"]
    assert float(rows[1]["starts_at_s"]) == line["bin_s"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output_format", SIMULATION_FORMATS)
def test_every_format_prints_finite_figures(kind: str, output_format: str) -> None:
    printed = render_simulation(report_of(kind), output_format)
    assert not re.search(r"\b(nan|inf|None)\b", printed)
    assert printed.rstrip()


def test_text_says_what_matters() -> None:
    text = " ".join(render_simulation(report_of("scaled"), "text").split())
    assert "TTFT 2 s and TPOT 100 ms at p99: not met" in text
    assert "made-up arrivals" in text
    assert "fixed at 3" in text
    assert "$2.5000 a replica hour" in text
    assert "Dollars: unknown" in render_simulation(report_of("fixed"), "text")


def test_each_chart_of_the_page_has_a_table() -> None:
    page = render_simulation(report_of("scaled"), "html")
    figures = re.findall(r'<figure role="group" aria-label="([^"]+)">(.*?)</figure>\s*<div class="scroll"', page, re.S)
    assert [name for name, _ in figures] == ["Utilization over time", "Replicas over time"]
    assert not re.search(r"<(script|link|img|iframe|image)\b|\bsrc=", page)


def test_a_long_line_is_drawn_in_means() -> None:
    means, group = coarser(np.arange(1_001.0), most=100)
    assert (len(means), group) == (91, 11)
    assert means[0] == 5
    assert means[-1] == pytest.approx(np.arange(990, 1_001).mean())


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InputError):
        render_simulation(report_of("fixed"), "yaml")


def test_what_was_spilled_and_lost_is_told() -> None:
    untold, told = (render_simulation(report_of(kind), "text") for kind in ("spilled", "spilled, timed"))
    flat = " ".join(untold.split())
    assert "those sent to the API left out" in flat
    assert "Dollars: unknown; write model in [spill]" in flat
    flat = " ".join(told.split())
    assert f"went to the API, {CARD.label}: $" in flat
    assert "replicas interrupted" in flat
    assert "left out" not in flat
    assert "API included" in flat
