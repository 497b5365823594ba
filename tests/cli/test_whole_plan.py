"""From a workload file to the printed plan, over the whole catalogue: what scripts rely on."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cli.main import run
from breakeven.render.json import published_schema
from breakeven.render.plan_formats import PLAN_FORMATS
from conftest import REPOSITORY

WORKLOAD = str(REPOSITORY / "examples" / "chat.toml")
ON = ["--at", "2026-11-24"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's plan, saved as JSON."""
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    assert run(["plan", WORKLOAD, *ON, "--format", "json", "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def plan(saved: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    return found


def test_it_is_what_the_published_schema_says(plan: dict[str, Any]) -> None:
    Draft202012Validator(published_schema("plan")).validate(plan)


def test_lines_sum_to_their_option_exactly(plan: dict[str, Any]) -> None:
    for option in plan["options"]:
        lines = sum(Decimal(line["usd_per_month"]) for line in option["lines"])
        assert lines == Decimal(option["usd_per_month"]), option["label"]


def test_every_kind_has_its_best_and_the_chosen_one_is_shown(plan: dict[str, Any]) -> None:
    assert {option["kind"] for option in plan["options"]} == {"api", "gpu", "edge"}
    assert plan["chosen"]["label"] in {option["label"] for option in plan["options"]}
    amounts = [Decimal(option["usd_per_month"]) for option in plan["options"]]
    assert amounts == sorted(amounts)


def test_a_missing_latency_says_why(plan: dict[str, Any]) -> None:
    assert all(option["latency_note"] for option in plan["options"] if option["ttft_s"] is None)


def test_zones_cover_every_volume_once(plan: dict[str, Any]) -> None:
    ends = [(zone["requests_per_day"]["from"], zone["requests_per_day"]["to"]) for zone in plan["breakeven"]]
    assert ends[0][0] == 1
    assert ends[-1][1] == 1_000_000_000
    assert [to + 1 for _, to in ends[:-1]] == [first for first, _ in ends[1:]]


def test_refusals_are_counted_by_reason(plan: dict[str, Any]) -> None:
    refused = sum(rejection["count"] for rejection in plan["rejected"])
    assert 0 < refused <= plan["considered"] - len(plan["options"])
    assert all(rejection["examples"] for rejection in plan["rejected"])


@pytest.mark.parametrize("output_format", [name for name in PLAN_FORMATS if name != "json"])
def test_every_format_names_the_chosen_option(
    plan: dict[str, Any], output_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", WORKLOAD, *ON, "--format", output_format]) == 0
    printed = capsys.readouterr().out.replace("\\", "")
    assert plan["chosen"]["label"] in printed


def test_a_plan_does_not_differ_from_itself(saved: Path) -> None:
    assert run(["diff", str(saved), str(saved), "--max-increase-usd", "0", "--max-increase-frac", "0"]) == 0


def test_an_option_of_another_kind_can_be_explained(plan: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    label = next(option["label"] for option in plan["options"] if option["kind"] == "gpu")
    assert run(["plan", WORKLOAD, *ON, "--explain", label, "--format", "json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    Draft202012Validator(published_schema("explain")).validate(explained)
    assert explained["options"] == [option for option in plan["options"] if option["label"] == label]
    assert explained["options"][0]["note"]


def test_the_curve_is_what_the_published_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["curve", WORKLOAD, *ON, "--top", "2", "--format", "json"]) == 0
    Draft202012Validator(published_schema("curve")).validate(json.loads(capsys.readouterr().out))
