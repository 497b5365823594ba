"""Time against rows and against options: both must grow no faster than linearly. Draws ``growth.svg``.

Rows: traces from 10,000 to 4,000,000 requests, each read and planned in a fresh process. Options: a tenth of the
catalogue's prices, offers and devices up to all of them, then the catalogue two, four and eight times over (the copies
under other names, each a little dearer), from compiled prices to a plan. The exponent is the slope of a straight line
through log seconds and log size: over all sizes, and over the three largest, where fixed costs no longer hide it.

python benchmarks/growth.py [FOLDER]    (default: build/benchmarks)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
from measure import OUT, Figure, fresh, least_s, milliseconds, report, scratch, timed
from traces import trace_path, write_trace

ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 2_000_000, 4_000_000)
SHARES = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 8.0)
FIT_LARGEST = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    """CPU seconds at a size."""

    size: int
    cpu_s: float


def against_rows() -> dict[str, list[Point]]:
    """Reading and planning of longer and longer traces."""
    found: dict[str, list[Point]] = {"read": [], "plan": []}
    with scratch() as folder:
        for rows in ROWS:
            path = write_trace(folder / f"{rows}.csv", rows)
            runs = [fresh(str(Path(__file__).with_name("trace_million.py")), "read", path) for _ in range(2)]
            for name, points in found.items():
                points.append(Point(rows, min(run[name] for run in runs)))
            path.unlink()
    return {"reading a trace": found["read"], "planning on it": found["plan"]}


def against_options() -> list[Point]:
    """Planning over more and more of the catalogue."""
    from breakeven.catalog.edge_devices import edge_devices
    from breakeven.catalog.hosted import hosted_cards
    from breakeven.catalog.offers import offers
    from breakeven.options.edge import EdgeDevices
    from breakeven.options.gpu_fleet import GpuFleets
    from breakeven.options.hosted_api import HostedApis
    from breakeven.plan.compare import compare
    from breakeven.workload.loading import load_workload

    day, workload = datetime.now(UTC).date(), load_workload(trace_path())
    catalogue = hosted_cards(day), offers(), tuple(edge_devices().values())

    def planned(cards: Sequence[Any], sold: Sequence[Any], devices: Sequence[Any]) -> int:
        with patch("breakeven.options.gpu_grid.offers", lambda: sold):
            fleets = [GpuFleets.of(workload, billing=billing) for billing in ("hour", "second")]
        tables = [HostedApis(workload, cards), *fleets, EdgeDevices(workload, devices=tuple(devices))]
        return compare(workload, tables, priced_on=day).considered

    points = []
    for share in SHARES:
        parts = [of(share, part) for of, part in zip((_cards, _offers, _devices), catalogue, strict=True)]
        size = planned(*parts)
        points.append(Point(size, least_s(timed(lambda parts=parts: planned(*parts), repeats=3))))
    return points


def _some(share: float, things: Sequence[T]) -> list[T]:
    """A share of the things, drawn without order but always the same; all of them from 1 on."""
    order = np.random.default_rng(7).permutation(len(things))
    return [things[index] for index in order[: math.ceil(min(share, 1.0) * len(things))]]


def _copies(share: float) -> range:
    return range(max(1, round(share)))


def _dearer(usd: Decimal | None, copy: int) -> Decimal | None:
    return usd and usd * (1 + copy * Decimal("0.001"))


def _cards(share: float, cards: Sequence[Any]) -> list[Any]:
    some = _some(share, cards)
    return [replace(card, provider=f"{card.provider}{copy or ''}") for copy in _copies(share) for card in some]


def _offers(share: float, offers: Sequence[Any]) -> list[Any]:
    return [
        replace(
            offer,
            region=f"{offer.region}{copy or ''}",
            on_demand_usd_per_h=_dearer(offer.on_demand_usd_per_h, copy),
            spot_min_usd_per_h=_dearer(offer.spot_min_usd_per_h, copy),
            spot_max_usd_per_h=_dearer(offer.spot_max_usd_per_h, copy),
        )
        for copy in _copies(share)
        for offer in _some(share, offers)
    ]


def _devices(share: float, devices: Sequence[Any]) -> list[Any]:
    return [
        replace(
            device,
            name=f"{device.name}{copy or ''}",
            price_low_usd=_dearer(device.price_low_usd, copy),
            price_high_usd=_dearer(device.price_high_usd, copy),
        )
        for copy in _copies(share)
        for device in _some(share, devices)
    ]


def exponent(points: Sequence[Point]) -> float:
    """The power of the size with which the time grows: the slope through the logarithms."""
    slope, _ = np.polyfit(np.log([p.size for p in points]), np.log([p.cpu_s for p in points]), 1)
    return float(slope)


def row(name: str, points: Sequence[Point]) -> Figure:
    """The fitted exponents of one line of the chart."""
    few, many = points[0], points[-1]
    return Figure(
        what=name,
        figure=f"exponent {exponent(points[-FIT_LARGEST:]):.2f}",
        target="about 1",
        beside=f"over all sizes {exponent(points):.2f}; {few.size:,}: {milliseconds(few.cpu_s)}, "
        f"{many.size:,}: {milliseconds(many.cpu_s)} CPU, {many.cpu_s / many.size * 1e6:.2f} us each",
    )


def chart(rows: dict[str, list[Point]], options: Sequence[Point]) -> dict[str, Any]:
    """Two panels, logarithmic on both axes, each with a dashed line of exponent 1 through its last point."""
    panels = [panel("rows of the trace", rows), panel("options", {"planning": list(options)})]
    axis = {"gridColor": "#ddd", "labelFontSize": 12, "titleFontSize": 13, "domainColor": "#666", "tickColor": "#666"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "padding": 12,
        "hconcat": panels,
        "resolve": {"scale": {"color": "independent"}},
        "config": {"font": "sans-serif", "axis": axis, "view": {"stroke": None}, "legend": {"labelFontSize": 12}},
    }


def panel(title: str, lines: dict[str, list[Point]]) -> dict[str, Any]:
    """One panel: measured points joined by lines, and the line of exponent 1 for each."""
    measured = [{"what": name, "size": p.size, "s": p.cpu_s} for name, points in lines.items() for p in points]
    linear = [
        {"what": name, "size": p.size, "s": points[-1].cpu_s * p.size / points[-1].size}
        for name, points in lines.items()
        for p in (points[0], points[-1])
    ]
    encoding = {
        "x": log_axis("size", title, [p["size"] for p in measured], "~s"),
        "y": log_axis("s", "CPU seconds", [p["s"] for p in measured], "~g"),
        "color": {
            "field": "what",
            "type": "nominal",
            "title": None,
            "scale": {"domain": list(lines), "range": ["#0072b2", "#d55e00"][: len(lines)]},
            "legend": {"orient": "top"},
        },
    }
    return {
        "width": 330,
        "height": 260,
        "layer": [
            {"data": {"values": measured}, "mark": {"type": "line", "point": {"size": 55}}, "encoding": encoding},
            {
                "data": {"values": linear},
                "mark": {"type": "line", "strokeDash": [4, 4], "opacity": 0.6, "clip": True},
                "encoding": encoding,
            },
        ],
    }


def log_axis(field: str, title: str, values: Sequence[float], number: str) -> dict[str, Any]:
    """A logarithmic axis over whole decades, with a grid line at each."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    decades = [10.0**decade for decade in range(first, last + 1)]
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "domain": [decades[0], decades[-1]]},
        "axis": {"values": decades, "format": number},
    }


def main(folder: Path) -> None:
    """Print the exponents and draw the chart."""
    import vl_convert

    rows, options = against_rows(), against_options()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "growth.svg").write_text(vl_convert.vegalite_to_svg(chart(rows, options)), encoding="utf-8")
    figures = [row(name, points) for name, points in rows.items()]
    report("Growth", [*figures, row("planning over more options", options)])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT)
