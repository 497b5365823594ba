"""Ways to run a fleet over the same days, side by side: one table and one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from breakeven.plan.fleet_comparison import FleetResult
from breakeven.render.charts import PALETTE, framed
from breakeven.render.document import Chart, Row, Table, left, right
from breakeven.render.money import seconds_text, usd_text


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
        right("To the API"),
    )
    rows = tuple(Row(cells=_cells(traffic, each)) for traffic, ways in results.items() for each in ways)
    return Table(caption="Cost and latency of each fleet", columns=columns, rows=rows)


def _cells(traffic: str, result: FleetResult) -> tuple[str, ...]:
    return (
        traffic,
        f"{result.name} ({result.note})" if result.note else result.name,
        usd_text(result.usd_per_month, 0),
        seconds_text(None if isnan(result.ttft_p99_s) else result.ttft_p99_s),
        seconds_text(None if isnan(result.tpot_p99_s) else result.tpot_p99_s),
        f"{result.within_slo_frac:.2%}",
        f"{result.mean_instances:.2f}",
        f"{result.cold_starts:,}",
        f"{result.spilled_requests_frac:.2%}",
    )


def days_chart(results: Mapping[str, Sequence[FleetResult]]) -> Chart:
    """Cost against p99 of the time to first token: a colour for each way, a shape for each traffic."""
    values = [
        {"way": each.name, "traffic": name, "usd": float(each.usd_per_month), "ttft_s": each.ttft_p99_s}
        for name, ways in results.items()
        for each in ways
        if not isnan(each.ttft_p99_s)
    ]
    ways = list(dict.fromkeys(value["way"] for value in values))
    legend = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 680}
    encoding = {
        "x": {
            "field": "ttft_s",
            "type": "quantitative",
            "title": "p99 of the time to first token, seconds",
            "scale": {"type": "log", "nice": True},
        },
        "y": {"field": "usd", "type": "quantitative", "title": "US dollars a month", "scale": {"zero": True}},
        "color": {
            "field": "way",
            "type": "nominal",
            "scale": {"domain": ways, "range": list(PALETTE[: len(ways)])},
            "legend": legend,
        },
        "shape": {"field": "traffic", "type": "nominal", "scale": {"domain": list(results)}, "legend": legend},
    }
    mark = {"type": "point", "filled": True, "opacity": 1, "size": 120}
    return Chart(
        title="Cost against latency of each fleet",
        description="Monthly cost in US dollars by the 99th percentile of the time to first token, one point a fleet.",
        spec=framed({"data": {"values": values}, "mark": mark, "encoding": encoding}),
    )
