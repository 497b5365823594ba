"""Cost against volume in five formats; crossings are the exact ones of the report."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from jsonschema import Draft202012Validator

from breakeven.errors import InputError
from breakeven.plan.curve_report import CurvePoint, CurveReport
from breakeven.plan.plan import Zone
from breakeven.render.curve import decade_points
from breakeven.render.curve_formats import CURVE_FORMATS, render_curve
from breakeven.render.json import published_schema
from breakeven.render.plan_html import volume_report
from breakeven.render.text import TextStyle
from render import plans


def point(requests_per_day: int, hosted: str, own: str, own_low: str, own_high: str) -> CurvePoint:
    return CurvePoint(
        requests_per_day=requests_per_day,
        usd_per_month=(Decimal(hosted), Decimal(own)),
        low_usd_per_month=(Decimal(hosted), Decimal(own_low)),
        high_usd_per_month=(Decimal(hosted), Decimal(own_high)),
    )


REPORT = CurveReport(
    workload=plans.plan().workload,
    labels=("hosted", "own"),
    points=(
        point(1, "0.010950000", "15000.000000000", "15000.000000000", "15000.000000000"),
        point(10_000, "109.500000000", "15000.000000000", "15000.000000000", "16000.000000000"),
        point(10_000_000, "109500.000000000", "20000.000000000", "18000.000000000", "24000.000000000"),
    ),
    crossings=(
        Zone(from_requests_per_day=1, to_requests_per_day=1_499_999, options=("hosted",)),
        Zone(
            from_requests_per_day=1_500_000,
            to_requests_per_day=1_800_000,
            options=("own", "hosted"),
            count=5,
            step_requests_per_day=60_000,
        ),
        Zone(from_requests_per_day=1_800_001, to_requests_per_day=1_000_000_000, options=("own",)),
    ),
)


def test_json_is_what_the_published_schema_says() -> None:
    body = json.loads(render_curve(REPORT, "json"))
    Draft202012Validator(published_schema("curve")).validate(body)
    assert body["crossings"] == [
        {"requests_per_day": 1_500_000, "from": ["hosted"], "to": ["own", "hosted"]},
        {"requests_per_day": 1_800_001, "from": ["own", "hosted"], "to": ["own"]},
    ]
    assert body["zones"][1] == {
        "requests_per_day": {"from": 1_500_000, "to": 1_800_000},
        "options": ["own", "hosted"],
        "count": 5,
        "step": 60_000,
    }
    assert body["curves"][1]["points"][2] == {
        "requests_per_day": 10_000_000,
        "usd_per_month": "20000.000000000",
        "low_usd_per_month": "18000.000000000",
        "high_usd_per_month": "24000.000000000",
    }


def test_words_say_where_the_answer_changes() -> None:
    text = render_curve(REPORT, "text", TextStyle(width=300))
    assert "next changes at 1,500,000 (x150 today's volume), to own or hosted." in text
    assert "1 to 1,499,999 requests a day: hosted (today)" in text
    assert "own or hosted (they take turns: 5 changes, about every 60,000 requests a day)" in text


def test_csv_has_one_row_a_volume_and_option() -> None:
    rows = list(csv.DictReader(io.StringIO(render_curve(REPORT, "csv"))))
    assert len(rows) == 6
    assert rows[1] == {"requests_per_day": "1", "option": "own", "usd_per_month": "15000.000000000"}


def test_the_cheapest_is_named_in_each_row() -> None:
    rows = [line.split(" | ") for line in render_curve(REPORT, "markdown").splitlines() if line.startswith("| 1")]
    assert [(row[0].strip("| "), row[-1].strip("| ")) for row in rows] == [
        ("1", "A"),
        ("10,000", "A"),
        ("10,000,000", "B"),
    ]


def test_the_table_has_a_row_a_decade_and_today() -> None:
    points = volume_report(plans.plan(workload=replace(plans.plan().workload, requests_per_day=12_345))).points
    shown = decade_points(replace(REPORT, workload=replace(REPORT.workload, requests_per_day=12_345), points=points))
    assert [point.requests_per_day for point in shown] == [12, 123, 1_234, 12_345, 123_450, 1_234_500, 12_345_000]


def test_the_page_draws_the_chart_beside_its_table() -> None:
    page = render_curve(REPORT, "html")
    assert page.count("<svg") == page.count("<table") == 1
    assert "the cheapest changes at 1,500,000 requests a day" in page


def test_the_page_says_what_a_band_is_only_where_one_is_drawn() -> None:
    bare = replace(
        REPORT,
        points=tuple(
            replace(point, low_usd_per_month=point.usd_per_month, high_usd_per_month=point.usd_per_month)
            for point in REPORT.points
        ),
    )
    assert ["A light band is" in render_curve(report, "html") for report in (REPORT, bare)] == [True, False]


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="no format 'xml'") as caught:
        render_curve(REPORT, "xml")
    assert all(name in (caught.value.hint or "") for name in CURVE_FORMATS)
