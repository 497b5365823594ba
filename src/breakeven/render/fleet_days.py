"""Ways to run a fleet over the same days, side by side: one table and one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from breakeven.plan.fleet_comparison import FleetResult
from breakeven.render.charts import PALETTE, framed
from breakeven.render.document import Chart, Row, Table, left, right
from breakeven.render.money import UNKNOWN, seconds_text, usd_text


def days_table(results: Mapping[str, Sequence[FleetResult]]) -> Table:
    """A row for each way, by name of the traffic."""
    columns = (
        left("Traffic"),
        left("Fleet", wraps=True),
        right("USD a month"),
        right("p99 TTFT"),
        right("p99 TPOT"),
        right("Within the requirement"),
        right("Instances, mean"),
        right("Cold starts"),
        right("Instances lost"),
        right("Requests recomputed"),
        right("To the API"),
    )
    rows = tuple(Row(cells=_cells(traffic, each)) for traffic, ways in results.items() for each in ways)
    return Table(caption="Cost and latency of each fleet", columns=columns, rows=rows)


def _cells(traffic: str, result: FleetResult) -> tuple[str, ...]:
    return (
        traffic,
        f"{result.name} ({result.note})" if result.note else result.name,
        usd_text(result.usd_per_month, 0),
        seconds_text(_known(result.ttft_p99_s)),
        seconds_text(_known(result.tpot_p99_s)),
        UNKNOWN if isnan(result.within_slo_frac) else f"{result.within_slo_frac:.2%}",
        f"{result.mean_instances:.2f}",
        f"{result.cold_starts:,}",
        f"{result.interruptions:,}",
        f"{result.interrupted_requests:,}",
        f"{result.spilled_requests_frac:.2%}",
    )


def _known(latency_s: float) -> float | None:
    """A latency, or None where no request was served on own instances."""
    return None if isnan(latency_s) else latency_s


def days_chart(results: Mapping[str, Sequence[FleetResult]]) -> Chart:
    """Cost against p99 of the time to first token: a panel for each traffic, a colour and a shape for each way."""
    values = [
        {"way": each.name, "traffic": name, "usd": float(each.usd_per_month), "ttft_s": each.ttft_p99_s}
        for name, ways in results.items()
        for each in ways
        if not isnan(each.ttft_p99_s)
    ]
    ways = list(dict.fromkeys(str(value["way"]) for value in values))
    return Chart(
        title="Cost against latency of each fleet",
        description="Monthly cost in US dollars by the 99th percentile of the time to first token, one point a fleet.",
        spec=framed(
            {
                "data": {"values": values},
                "facet": {"field": "traffic", "type": "nominal", "title": None, "sort": list(results)},
                "columns": 2,
                "resolve": {"scale": {"x": "independent", "y": "independent"}},
                "spec": {"width": _PANEL_WIDTH, "height": _PANEL_HEIGHT, "mark": _MARK, "encoding": _encoding(ways)},
            }
        ),
    )


_PANEL_WIDTH, _PANEL_HEIGHT = 310, 180
_MARK = {"type": "point", "filled": True, "opacity": 0.85, "size": 120}


def _encoding(ways: Sequence[str]) -> dict[str, Any]:
    legend = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 680}
    way = {"field": "way", "type": "nominal", "legend": legend}
    return {
        "x": {
            "field": "ttft_s",
            "type": "quantitative",
            "title": "p99 of the time to first token, seconds",
            "scale": {"zero": False, "padding": 12},
        },
        "y": {"field": "usd", "type": "quantitative", "title": "US dollars a month", "scale": {"zero": True}},
        "color": {**way, "scale": {"domain": list(ways), "range": list(PALETTE[: len(ways)])}},
        "shape": {**way, "scale": {"domain": list(ways)}},
    }
