"""Charts as Vega-Lite specifications (plain values), drawn to SVG without a browser or a network by vl_convert."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from breakeven.plan.plan import Zone
from breakeven.render.document import Chart

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_INK = "#010203"
"""Stands for the page's text colour; becomes ``currentColor``, so a chart follows light and dark."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")
"""Colours that stay apart for colour-blind readers (Okabe and Ito 2008), then two neutral ones."""

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3], [12, 2])
_WIDTH = 720
_HEIGHT = 340


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point of a chart: an option's name and monthly cost at ``x`` (requests a day, or seconds)."""

    name: str
    x: float
    usd_per_month: float


def cost_against_volume(points: Sequence[Mark], zones: Iterable[Zone], requests_per_day: int) -> Chart:
    """Monthly cost by requests a day, both logarithmic; a dashed rule where the cheapest option changes."""
    drawn = [point for point in points if point.x > 0 and point.usd_per_month > 0]
    least, most = min(point.x for point in drawn), max(point.x for point in drawn)
    flips = [zone.from_requests_per_day for zone in zones if least < zone.from_requests_per_day < most]
    rules = [{"x": flip, "what": f"cheapest option changes at {flip:,} requests a day"} for flip in flips]
    today = [{"x": requests_per_day, "what": f"today: {requests_per_day:,} requests a day"}]
    layers = [
        _lines(drawn),
        _rule(rules, dash=[3, 3], stroke_width=1),
        _rule(today, dash=[1, 0], stroke_width=2),
        {**_rule(today, dash=[1, 0], stroke_width=2), "mark": _label_mark(), "encoding": _label_encoding("today")},
    ]
    return Chart(
        title="Cost against volume",
        description=(
            "Monthly cost in US dollars by requests a day, one line an option, both axes logarithmic. "
            f"The solid rule is today's volume; {len(flips)} dashed rules mark where the cheapest option changes."
        ),
        spec=_spec({"layer": layers}),
    )


def cost_against_latency(points: Sequence[Mark], chosen: str) -> Chart:
    """Monthly cost by seconds to a whole average answer; the chosen option is drawn larger."""
    values = [{**_datum(point), "chosen": point.name == chosen} for point in points]
    encoding = {
        "x": _axis("seconds to a whole average answer", scale="linear"),
        "y": _axis("US dollars a month", field="usd_per_month", axis_format="$,.0f"),
        "color": _colours([point.name for point in points]),
        "size": {"condition": {"test": "datum.chosen", "value": 260}, "value": 110},
    }
    return Chart(
        title="Cost against latency",
        description="Monthly cost in US dollars by seconds to a whole average answer, one point an option.",
        spec=_spec(
            {"data": {"values": values}, "mark": {"type": "point", "filled": True, "opacity": 1}, "encoding": encoding}
        ),
    )


def _lines(points: Sequence[Mark]) -> dict[str, Any]:
    names = list(dict.fromkeys(point.name for point in points))
    encoding = {
        "x": _axis("requests a day", axis_format=",.0f"),
        "y": _axis("US dollars a month", field="usd_per_month", axis_format="$,.0f"),
        "color": _colours(names),
        "strokeDash": {
            "field": "name",
            "type": "nominal",
            "scale": {"domain": names, "range": [_DASHES[place % len(_DASHES)] for place in range(len(names))]},
            "legend": None,
        },
    }
    return {
        "data": {"values": [_datum(point) for point in points]},
        "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
        "encoding": encoding,
    }


def _rule(values: list[dict[str, Any]], *, dash: list[int], stroke_width: int) -> dict[str, Any]:
    return {
        "data": {"values": values},
        "mark": {"type": "rule", "color": _INK, "opacity": 0.6, "strokeDash": dash, "strokeWidth": stroke_width},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "description": {"field": "what", "type": "nominal"}},
    }


def _label_mark() -> dict[str, Any]:
    return {"type": "text", "align": "left", "dx": 5, "y": 10, "color": _INK}


def _label_encoding(text: str) -> dict[str, Any]:
    return {"x": {"field": "x", "type": "quantitative"}, "text": {"value": text}}


def _axis(title: str, *, field: str = "x", scale: str = "log", axis_format: str = "") -> dict[str, Any]:
    axis: dict[str, Any] = {"labelOverlap": True, **({"format": axis_format} if axis_format else {})}
    if scale == "log":
        axis["tickCount"] = 8
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": scale, "nice": scale != "log"},
        "axis": axis,
    }


def _colours(names: Sequence[str]) -> dict[str, Any]:
    colours = [PALETTE[place % len(PALETTE)] for place in range(len(names))]
    legend = {"title": None, "orient": "bottom", "columns": 2, "labelLimit": 340, "symbolStrokeWidth": 2.5}
    return {"field": "name", "type": "nominal", "scale": {"domain": list(names), "range": colours}, "legend": legend}


def _datum(point: Mark) -> dict[str, Any]:
    return {"name": point.name, "x": point.x, "usd_per_month": point.usd_per_month}


def _spec(content: dict[str, Any]) -> dict[str, Any]:
    ink = {"labelColor": _INK, "titleColor": _INK}
    return {
        "$schema": _SCHEMA,
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": None,
        **content,
        "config": {
            "font": "sans-serif",
            "view": {"stroke": None},
            "axis": {**ink, "domainColor": _INK, "tickColor": _INK, "gridColor": _INK, "gridOpacity": 0.12},
            "legend": ink,
        },
    }


def svg(chart: Chart, prefix: str) -> str:
    """The chart as one inline ``<svg>`` that follows the page's text colour.

    ``prefix`` keeps the ids of several charts on one page apart. Same specification, same bytes.
    """
    drawn: str = import_module("vl_convert").vegalite_to_svg(chart.spec)
    drawn = drawn.replace(_INK, "currentColor")
    drawn = re.sub(r'(<\w+ )id="', rf'\1id="{prefix}-', drawn).replace('"url(#', f'"url(#{prefix}-')
    return re.sub(r'<svg\b([^>]*?) width="[^"]*" height="[^"]*"', r"<svg\1", drawn, count=1)
