"""Charts as Vega-Lite specifications (plain values), drawn to SVG without a browser or a network by vl_convert."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from math import ceil, floor, log10
from typing import Any

from breakeven.plan.plan import Zone
from breakeven.render.document import Chart
from breakeven.render.text import printable

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_INK = "#010203"
"""Stands for the page's text colour; becomes ``currentColor``, so a chart follows light and dark."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")
"""Colours that stay apart for colour-blind readers (Okabe and Ito 2008), then two neutral ones."""

_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3], [12, 2])
_WIDTH = 720
_HEIGHT = 340
_BAND_OPACITY = 0.2
_BAND_TEXT = (
    " A light band is what the option costs if its capacity turns out anywhere in the range "
    "that held 80% of measured throughputs."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point of a chart: ``name``'s monthly cost at ``x`` (requests a day, or seconds); ``group`` shares a colour.

    ``band_usd_per_month`` is the least and the greatest cost that is likely; None where no band is drawn.
    """

    name: str
    x: float
    usd_per_month: float
    group: str = ""
    band_usd_per_month: tuple[float, float] | None = None


def cost_against_volume(points: Sequence[Mark], zones: Iterable[Zone], requests_per_day: int) -> Chart:
    """Monthly cost by requests a day on its band, both logarithmic; a dashed rule where the cheapest option changes."""
    drawn = [point for point in points if point.x > 0 and point.usd_per_month > 0]
    least, most = _ends([point.x for point in drawn])
    flips = [zone.from_requests_per_day for zone in zones if least < zone.from_requests_per_day < most]
    rules = [{"x": flip, "what": f"the cheapest changes at {flip:,} requests a day"} for flip in flips]
    today = [{"x": requests_per_day, "what": f"today: {requests_per_day:,} requests a day"}]
    bands = _bands(drawn)
    ruled = [_rule(rules, dash=[3, 3], stroke_width=1), _rule(today, dash=[1, 0], stroke_width=2)]
    return Chart(
        title="Cost against volume",
        description=(
            "Monthly cost in US dollars by requests a day, one line an option, both axes logarithmic. "
            f"The solid rule is today's volume; {len(flips)} dashed rules mark where the cheapest of them changes."
            + (_BAND_TEXT if bands else "")
        ),
        spec=framed({"layer": [*bands, _lines(drawn), *ruled, _rule_label(today, "today")]}),
    )


def cost_against_latency(points: Sequence[Mark]) -> Chart:
    """Monthly cost by seconds to a whole average answer: a shape for each group, a name beside each point."""
    values = [_datum(point) for point in points]
    groups = list(dict.fromkeys(point.group for point in points))
    scaled = {
        "x": {
            "field": "x",
            "type": "quantitative",
            "title": "seconds to a whole average answer",
            "scale": {"zero": True, "nice": True},
            "axis": {"tickCount": 10},
        },
        "y": _log_axis("usd_per_month", "US dollars a month", [point.usd_per_month for point in points], nice=True),
    }
    shaped = {
        "color": _colours(groups, field="group"),
        "shape": {"field": "group", "type": "nominal", "scale": {"domain": groups}, "legend": None},
    }
    layers = [
        {
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 110},
            "encoding": {**scaled, **shaped, "description": {"field": "name", "type": "nominal"}},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 9, "color": _INK},
            "encoding": {**scaled, "text": {"field": "name", "type": "nominal"}},
        },
    ]
    return Chart(
        title="Cost against latency",
        description=(
            "Monthly cost in US dollars by seconds to a whole average answer, one point an option; "
            "the letters are those of the table."
        ),
        spec=framed({"data": {"values": values}, "layer": layers}),
    )


def _bands(points: Sequence[Mark]) -> list[dict[str, Any]]:
    """A light area for each name whose cost has a width, in the colour of its line.

    The colour is the mark's own, not an encoding: the legend's symbols stay those of the lines.
    """
    layers = []
    for place, name in enumerate(_names(points)):
        bands = [
            (point.x, *point.band_usd_per_month) for point in points if point.name == name and point.band_usd_per_month
        ]
        if any(low < high for _, low, high in bands):
            axes = _volume_axes(points)
            mark = {"type": "area", "opacity": _BAND_OPACITY, "clip": True, "color": PALETTE[place % len(PALETTE)]}
            layers.append(
                {
                    "data": {"values": [{"x": x, "low": low, "high": high} for x, low, high in bands]},
                    "mark": mark,
                    "encoding": {**axes, "y": {**axes["y"], "field": "low"}, "y2": {"field": "high"}},
                }
            )
    return layers


def _volume_axes(points: Sequence[Mark]) -> dict[str, Any]:
    """Both axes of cost against volume, with ticks over the bands as well."""
    amounts = [amount for point in points for amount in (point.usd_per_month, *(point.band_usd_per_month or ()))]
    return {
        "x": _log_axis("x", "requests a day", [point.x for point in points]),
        "y": _log_axis("usd_per_month", "US dollars a month", amounts),
    }


def _names(points: Sequence[Mark]) -> list[str]:
    return list(dict.fromkeys(point.name for point in points))


def _lines(points: Sequence[Mark]) -> dict[str, Any]:
    names = _names(points)
    dashes = [_DASHES[place % len(_DASHES)] for place in range(len(names))]
    encoding = {
        **_volume_axes(points),
        "color": _colours(names, field="name"),
        "strokeDash": {
            "field": "name",
            "type": "nominal",
            "scale": {"domain": names, "range": dashes},
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


def _rule_label(values: list[dict[str, Any]], label: str) -> dict[str, Any]:
    return {
        "data": {"values": values},
        "mark": {"type": "text", "align": "left", "dx": 5, "y": 10, "color": _INK},
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "text": {"value": label}},
    }


def _log_axis(field: str, title: str, values: Sequence[float], *, nice: bool = False) -> dict[str, Any]:
    """A logarithmic axis with a tick at each power of ten."""
    least, most = _ends(values)
    decades = range(floor(log10(least)), ceil(log10(most)) + 1)
    axis = {"values": [10.0**decade for decade in decades], "labelOverlap": True}
    axis["format"] = ",.0f" if field == "x" else "$,.4~f"
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"type": "log", "nice": nice},
        "axis": axis,
    }


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The least and greatest positive value; one decade where there is none."""
    positive = [value for value in values if value > 0]
    return (min(positive), max(positive)) if positive else (1.0, 10.0)


def _colours(names: Sequence[str], *, field: str) -> dict[str, Any]:
    colours = [PALETTE[place % len(PALETTE)] for place in range(len(names))]
    legend = {"title": None, "orient": "bottom", "columns": 1, "labelLimit": 680, "symbolStrokeWidth": 2.5}
    return {"field": field, "type": "nominal", "scale": {"domain": list(names), "range": colours}, "legend": legend}


def _datum(point: Mark) -> dict[str, Any]:
    return {"name": point.name, "x": point.x, "usd_per_month": point.usd_per_month, "group": point.group}


def framed(content: dict[str, Any]) -> dict[str, Any]:
    """A specification with the size, the axes and the colours that all charts share."""
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
            "header": ink,
        },
    }


def svg(chart: Chart, prefix: str) -> str:
    """The chart as one inline ``<svg>`` that follows the page's text colour.

    ``prefix`` keeps the ids of several charts on one page apart; they are numbered anew, since the renderer counts on
    from chart to chart. Same specification, same bytes.
    """
    drawn: str = import_module("vl_convert").vegalite_to_svg(_drawable(chart.spec))
    drawn = drawn.replace(_INK, "currentColor")
    for place, name in enumerate(dict.fromkeys(re.findall(r'<\w+ id="([^"]+)"', drawn))):
        drawn = drawn.replace(f' id="{name}"', f' id="{prefix}-{place}"')
        drawn = drawn.replace(f'"url(#{name})"', f'"url(#{prefix}-{place})"')
    return re.sub(r'<svg\b([^>]*?) width="[^"]*" height="[^"]*"', r"<svg\1", drawn, count=1)


def _drawable(value: Any) -> Any:
    """The specification without control characters, on which vl_convert would abort the process."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {key: _drawable(part) for key, part in value.items()}
        case list() | tuple():
            return [_drawable(part) for part in value]
    return value
