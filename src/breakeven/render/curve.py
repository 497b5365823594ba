"""Cost against volume as a document, as JSON values and as CSV."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor, log10
from typing import Any

from breakeven.plan.curve_report import CurvePoint, CurveReport
from breakeven.plan.plan import Zone
from breakeven.render import csv
from breakeven.render.charts import Mark, cost_against_volume
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import decimal_text, usd_text
from breakeven.render.plan_json import workload_body, zone_body
from breakeven.render.zones import flip_sentence, zone_points


def curve_document(report: CurveReport) -> Document:
    """Where the answer flips, then the costs by volume."""
    volume = report.workload.requests_per_day
    return Document(
        title=f"Cost against volume for {report.workload.name}",
        headline=(flip_sentence(report.crossings, volume),),
        sections=(
            Section(title="Cheapest by volume", points=tuple(zone_points(report.crossings, volume))),
            curve_section(report, title="Cost a month"),
        ),
    )


def curve_section(report: CurveReport, title: str) -> Section:
    """The costs by volume: what the letters mean, the table, and the chart where a format draws it."""
    marks = [
        Mark(
            name=label,
            x=float(point.requests_per_day),
            usd_per_month=float(point.usd_per_month[place]),
            band_usd_per_month=(float(point.low_usd_per_month[place]), float(point.high_usd_per_month[place])),
        )
        for point in report.points
        for place, label in enumerate(report.labels)
    ]
    return Section(
        title=title,
        points=legend(report),
        table=points_table(report),
        chart=cost_against_volume(marks, report.crossings, report.workload.requests_per_day),
    )


def legend(report: CurveReport) -> tuple[str, ...]:
    """What the letters over the columns stand for."""
    return tuple(f"{letter(place)}: {label}" for place, label in enumerate(report.labels))


def letter(place: int) -> str:
    """A, B, ..., Z, A2, B2, ... for 0, 1, ...

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'A2')
    """
    turn, place_in_turn = divmod(place, 26)
    return chr(ord("A") + place_in_turn) + (str(turn + 1) if turn else "")


def points_table(report: CurveReport) -> Table:
    """Rows of volumes, one a decade, a column for each option, the cheapest named last."""
    letters = [letter(place) for place in range(len(report.labels))]
    columns = (right("Requests a day"), *(right(name) for name in letters), left("Cheapest"))
    rows = []
    for point in decade_points(report):
        least = min(point.usd_per_month)
        cheapest = [name for name, amount in zip(letters, point.usd_per_month, strict=True) if amount == least]
        amounts = (usd_text(amount) for amount in point.usd_per_month)
        rows.append(Row(cells=(f"{point.requests_per_day:,}", *amounts, ", ".join(cheapest))))
    return Table(caption="Monthly cost in US dollars by requests a day", columns=columns, rows=tuple(rows))


def decade_points(report: CurveReport) -> list[CurvePoint]:
    """The points nearest to whole decades of volume away from today's, or from 1 where today's is not a point."""
    volumes = [point.requests_per_day for point in report.points]
    today = report.workload.requests_per_day
    anchor = log10(today if today in volumes else 1)
    decades = range(floor(log10(volumes[0]) - anchor), ceil(log10(volumes[-1]) - anchor) + 1)
    nearest = {
        min(range(len(volumes)), key=lambda place: abs(log10(volumes[place]) - anchor - decade)) for decade in decades
    }
    return [report.points[place] for place in sorted(nearest)]


def curve_csv(report: CurveReport) -> str:
    """One row a volume and option."""
    rows = (
        (str(point.requests_per_day), text_cell(label), decimal_text(amount))
        for point in report.points
        for label, amount in zip(report.labels, point.usd_per_month, strict=True)
    )
    return csv.render(("requests_per_day", "option", "usd_per_month"), rows)


def curve_body(report: CurveReport) -> dict[str, Any]:
    """The curves as JSON values; a crossing's volume is the first at which its ``to`` options are the cheapest."""
    return {
        "workload": workload_body(report.workload),
        "curves": [
            {
                "label": label,
                "points": [
                    {
                        "requests_per_day": point.requests_per_day,
                        "usd_per_month": decimal_text(point.usd_per_month[place]),
                        "low_usd_per_month": decimal_text(point.low_usd_per_month[place]),
                        "high_usd_per_month": decimal_text(point.high_usd_per_month[place]),
                    }
                    for point in report.points
                ],
            }
            for place, label in enumerate(report.labels)
        ],
        "zones": [zone_body(zone) for zone in report.crossings],
        "crossings": [_crossing_body(before, after) for before, after in pairwise(report.crossings)],
    }


def _crossing_body(before: Zone, after: Zone) -> dict[str, Any]:
    return {
        "requests_per_day": after.from_requests_per_day,
        "from": list(before.options),
        "to": list(after.options),
    }
