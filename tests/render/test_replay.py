"""A replay of levers in five formats, each with the same figures; what is unknown is a word and never a zero."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from jsonschema import Draft202012Validator

from breakeven import api
from breakeven.errors import InputError
from breakeven.options.replayed_bills import Interval, Saving
from breakeven.plan.lever_report import LeverReport, LeverResult
from breakeven.render.json import published_schema
from breakeven.render.replay import REPLAY_FORMATS, render_replay
from conftest import REPOSITORY

GOLDEN = REPOSITORY / "tests" / "golden"
EXAMPLE = REPOSITORY / "examples/support.jsonl"
PRICES = {
    "prices": [
        {
            "provider": "anthropic",
            "model": "claude-sonnet-5",
            "input_usd_per_mtok": 2,
            "cache_read_usd_per_mtok": 0.2,
            "cache_write_5m_usd_per_mtok": 2.5,
            "cache_write_1h_usd_per_mtok": 4,
            "output_usd_per_mtok": 10,
            "valid_from": date(2026, 1, 1),
            "source": "test",
        }
    ]
}


MARKED = LeverResult(
    name="prompt-cache",
    rule="prefixes kept 300 s",
    ttl_s=300.0,
    hits=45,
    saving=Saving(
        without_nano_usd=570_726_000,
        with_nano_usd=321_554_300,
        input_without_nano_usd=474_026_000,
        input_with_nano_usd=226_854_300,
        traces_per_month=Fraction(1_000),
        saved_usd_interval=Interval(low=Decimal("-0.1"), high=Decimal("0.4")),
        bill_ratio_interval=Interval(low=Decimal("0.4"), high=Decimal("1.2")),
    ),
    compared=(("seen-before", 0.5), ("all", 0.625)),
)
"""Made up, since what a policy saves changes with the policy."""


@pytest.fixture(scope="module")
def report() -> LeverReport:
    told = api.replay(EXAMPLE, at=date(2026, 11, 24), config=PRICES)
    return replace(told, levers=(*told.levers[:2], MARKED))


@pytest.fixture(scope="module")
def unknown(report: LeverReport) -> LeverReport:
    """The report of a trace that tells nothing but digests, all at one moment."""
    levers = tuple(
        replace(each, saving=None, hits=None, compared=(), unknown="=the trace does not tell") for each in report.levers
    )
    return replace(report, levers=levers, prefixes=None, span_s=0.0)


@pytest.mark.parametrize(
    ("output_format", "name"), [("text", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md")]
)
def test_the_printed_replay_is_the_golden_one(report: LeverReport, output_format: str, name: str) -> None:
    golden = GOLDEN / f"replay.{name}"
    printed = render_replay(report, output_format)
    if os.environ.get("BREAKEVEN_UPDATE_GOLDEN") == "1":
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["report", "unknown"])
def test_json_is_what_the_published_schema_says(kind: str, request: pytest.FixtureRequest) -> None:
    told = request.getfixturevalue(kind)
    body = json.loads(render_replay(told, "json"))
    Draft202012Validator(published_schema("replay")).validate(body)
    asked = json.loads(render_replay(replace(told, asked="single-flight"), "json"))
    Draft202012Validator(published_schema("replay")).validate(asked)
    assert asked["lever"] == "single-flight"
    assert asked["bill_ratio"] == body["levers"][1]["bill_ratio"]


def test_csv_has_the_figures_of_json(report: LeverReport) -> None:
    rows = list(csv.DictReader(io.StringIO(render_replay(report, "csv"))))
    levers = json.loads(render_replay(report, "json"))["levers"]
    assert [row["lever"] for row in rows] == [lever["lever"] for lever in levers]
    for row, lever in zip(rows, levers, strict=True):
        assert float(row["bill_ratio"]) == lever["bill_ratio"]
        assert row["usd_saved"] == lever["usd_saved"]
        assert row["usd_saved_per_month_low"] == lever["interval"]["usd_saved_per_month"]["low"]


@pytest.mark.parametrize("output_format", REPLAY_FORMATS)
def test_what_is_unknown_is_no_figure(unknown: LeverReport, output_format: str) -> None:
    printed = render_replay(unknown, output_format)
    assert "the trace does not tell" in printed
    assert not re.search(r"\b(nan|inf|None)\b", printed)
    assert "$" not in printed.replace("$schema", "")
    assert "\n=" not in printed.replace(",=", "\n=")


def test_an_unknown_format_is_refused(report: LeverReport) -> None:
    with pytest.raises(InputError):
        render_replay(report, "yaml")
