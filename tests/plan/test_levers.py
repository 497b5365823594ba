"""The levers of a plan whose workload is a trace: what the replay says, scaled to the plan's volume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from breakeven import api
from conftest import REPOSITORY

EXAMPLE = REPOSITORY / "examples/support.jsonl"
MODEL = "openai/gpt-4o"


def test_a_trace_that_tells_its_repeats_has_them_replayed() -> None:
    plan = api.plan(EXAMPLE, candidates=[MODEL])
    lever = next(each for each in plan.levers if each.name == "response cache")
    assert lever.basis == "measured"
    assert 0 < lever.usd_per_month_saved_low < lever.usd_per_month_saved_high
    assert "14.29% at all" in lever.note


def test_it_agrees_with_the_replay_of_the_same_trace() -> None:
    """The plan weighs hits by tokens and rounds to whole requests a day, the replay prices each request."""
    plan = api.plan(EXAMPLE, candidates=[MODEL])
    lever = next(each for each in plan.levers if each.name == "response cache")
    report = api.replay(EXAMPLE, lever="response-cache", model=MODEL, ttl_s=1e9)
    saving = report.levers[0].saving
    assert saving is not None
    assert saving.usd_saved_per_month is not None
    assert float(lever.usd_per_month_saved_high) == pytest.approx(float(saving.usd_saved_per_month), rel=0.02)


def test_a_trace_without_repeats_or_without_hashes_has_no_such_lever(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in EXAMPLE.read_text().splitlines()]
    for place, row in enumerate(rows):
        row["input_length"] += place
    distinct, bare = tmp_path / "distinct.jsonl", tmp_path / "bare.jsonl"
    distinct.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bare.write_text("".join(json.dumps({**row, "hash_ids": None}) + "\n" for row in rows).replace("hash_ids", "other"))
    for path in (distinct, bare):
        assert "response cache" not in {lever.name for lever in api.plan(path, candidates=[MODEL]).levers}


def test_what_is_stated_wins_over_the_replay(tmp_path: Path) -> None:
    file = tmp_path / "workload.toml"
    file.write_text(f'[workload]\ntrace = "{EXAMPLE}"\nduplicate_requests_frac = 0.5\n')
    lever = next(each for each in api.plan(file, candidates=[MODEL]).levers if each.name == "response cache")
    assert lever.basis == "quoted"
    assert "50.0%" in lever.note
