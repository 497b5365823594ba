"""Cost against interactivity, as text, JSON (``breakeven/interactivity/1``), CSV or a page with its chart."""

from __future__ import annotations

from typing import Any, Final

from breakeven.errors import InputError
from breakeven.options.interactivity import InteractivityReport
from breakeven.render import charts, csv, html, json, text
from breakeven.render.document import Chart, Document, Row, Section, Table, right

INTERACTIVITY_FORMATS: Final = ("text", "json", "csv", "html")
"""Formats of the curve."""

_COLUMNS: Final = (
    "concurrency",
    "tokens_per_s_per_user",
    "output_tokens_per_s_total",
    "ttft_s",
    "usd_per_output_mtok",
)


def render_interactivity(report: InteractivityReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The report in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(interactivity_document(report), style)
        case "json":
            return json.render("interactivity", interactivity_body(report))
        case "csv":
            rows = [tuple(str(point[name]) for name in _COLUMNS) for point in interactivity_body(report)["points"]]
            return csv.render(_COLUMNS, rows)
        case "html":
            return html.render(interactivity_document(report))
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(INTERACTIVITY_FORMATS)}")


def interactivity_body(report: InteractivityReport) -> dict[str, Any]:
    """The fields of ``breakeven/interactivity/1``."""
    curve = report.curve
    columns = zip(
        curve.concurrency,
        curve.tokens_per_s_per_user,
        curve.output_tokens_per_s,
        curve.ttft_s,
        report.usd_per_output_mtok,
        strict=True,
    )
    return {
        "model": curve.model,
        "gpu": curve.accelerator,
        "precision": curve.precision,
        "tp": curve.tensor_parallel,
        "input_tokens": curve.input_tokens,
        "output_tokens": curve.output_tokens,
        "usd_per_h": str(report.price.usd_per_replica_h),
        "price_basis": report.price.basis,
        "price_source": report.price.source,
        "points": [
            {
                "concurrency": int(clients),
                "tokens_per_s_per_user": float(speed),
                "output_tokens_per_s_total": float(rate),
                "ttft_s": float(ttft),
                "usd_per_output_mtok": str(usd),
            }
            for clients, speed, rate, ttft, usd in columns
        ],
        "low": curve.low_factor,
        "high": curve.high_factor,
        "basis": curve.basis,
    }


def interactivity_document(report: InteractivityReport) -> Document:
    """The trade in a sentence, its table and its chart."""
    curve, usd = report.curve, report.usd_per_output_mtok
    fast, cheap = usd[0], min(usd)
    speed = curve.tokens_per_s_per_user
    where = f"{curve.model} {curve.precision} on {curve.tensor_parallel} {curve.accelerator}"
    trade = (
        f"One user alone gets {speed[0]:,.0f} tokens/s at ${fast:,.2f} per million output tokens; with "
        f"{curve.concurrency[-1]:,.0f} requests at once each gets {speed[-1]:,.0f} tokens/s at ${cheap:,.2f}."
    )
    asked = (
        f"{curve.input_tokens:,.0f} input and {curve.output_tokens:,.0f} output tokens a request, always busy at that "
        f"concurrency; ${report.price.usd_per_replica_h:,.2f} an hour for the GPUs' share of an instance "
        f"({report.price.basis}, {report.price.source})."
    )
    band = (
        f"Speeds are {curve.basis}: 80% of measured throughput lay within x {curve.low_factor:.2f} to "
        f"{curve.high_factor:.2f} of it, so the cost lies within x {1 / curve.high_factor:.2f} to "
        f"{1 / curve.low_factor:.2f}."
    )
    return Document(
        title=f"Cost against interactivity: {where}",
        headline=(trade, asked, band),
        sections=(Section(title="Curve", table=_table(report), chart=cost_against_interactivity(report)),),
    )


def cost_against_interactivity(report: InteractivityReport) -> Chart:
    """US dollars per million output tokens by tokens per second that each user gets, with the band of the cost."""
    curve = report.curve
    values = [
        {
            "speed": float(speed),
            "usd": float(usd),
            "low": low,
            "high": high,
            "name": f"{clients:,.0f} at once",
        }
        for speed, usd, (low, high), clients in zip(
            curve.tokens_per_s_per_user,
            report.usd_per_output_mtok,
            report.band_usd_per_output_mtok,
            curve.concurrency,
            strict=True,
        )
    ]
    speed = {"field": "speed", "type": "quantitative", "title": "tokens per second for each user"}
    scale = {"type": "log", "nice": True}
    cost = {"type": "quantitative", "title": "US dollars per million output tokens", "scale": scale}
    axis = {"format": "$,.4~f"}
    layers = [
        {
            "mark": {"type": "area", "opacity": 0.2, "color": charts.PALETTE[0]},
            "encoding": {"x": speed, "y": {"field": "low", **cost, "axis": axis}, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "strokeWidth": 2.5, "color": charts.PALETTE[0], "point": {"size": 50}},
            "encoding": {
                "x": speed,
                "y": {"field": "usd", **cost, "axis": axis},
                "description": {"field": "name", "type": "nominal"},
            },
        },
    ]
    return Chart(
        title="Cost against interactivity",
        description=(
            "US dollars per million output tokens, logarithmic, by the tokens per second that each user gets; a point "
            "is a number of requests at once, the shade is the band of the cost."
        ),
        spec=charts.framed({"data": {"values": values}, "layer": layers}),
    )


def _table(report: InteractivityReport) -> Table:
    curve = report.curve
    rows = tuple(
        Row(cells=(f"{clients:,.0f}", f"{speed:,.1f}", f"{rate:,.0f}", f"{ttft * 1e3:,.0f}", f"${usd:,.3f}"))
        for clients, speed, rate, ttft, usd in zip(
            curve.concurrency,
            curve.tokens_per_s_per_user,
            curve.output_tokens_per_s,
            curve.ttft_s,
            report.usd_per_output_mtok,
            strict=True,
        )
    )
    titles = ("at once", "tok/s a user", "output tok/s", "TTFT ms", "$ per M output tokens")
    return Table(
        caption="Speed for each user, throughput and cost by the number of requests at once",
        columns=tuple(right(title) for title in titles),
        rows=rows,
    )
