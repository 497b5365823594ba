"""``breakeven plan --replay``: what scaling to zero saves, and what it does to the slowest requests."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cli.main import run
from breakeven.render.json import published_schema
from conftest import REPOSITORY

ASKED = ("--candidates", "Llama-3.1-8B,gpu", "--min-quality", "basic", "--at", "2026-11-24")


@pytest.fixture
def requests(tmp_path: Path) -> str:
    """A trace of two requests a minute for half an hour, and again five hours later."""
    rows = [f"{minute * 60 + second},400,80" for minute in (*range(30), *range(300, 330)) for second in (0, 20)]
    path = tmp_path / "requests.csv"
    path.write_text("\n".join(["timestamp,input_tokens,output_tokens", *rows]) + "\n")
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(arguments)
    streams = capsys.readouterr()
    assert (code, streams.err) == (0, "")
    return streams.out


def test_json_is_what_the_published_schema_says(requests: str, capsys: pytest.CaptureFixture[str]) -> None:
    body: dict[str, Any] = json.loads(printed(capsys, "plan", requests, *ASKED, "--replay", "--format", "json"))
    Draft202012Validator(published_schema("plan")).validate(body)
    replay = body["replay"]
    fixed, to_zero = replay["fixed"], replay["scaled_to_zero"]
    saved = Decimal(fixed["usd_per_month"]) - Decimal(to_zero["usd_per_month"])
    assert Decimal(replay["usd_per_month_saved"]) == saved > 0
    assert to_zero["ttft_p99_s"] > fixed["ttft_p99_s"]
    assert replay["requests"] == 120


def test_the_text_says_it_in_one_sentence(requests: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(printed(capsys, "plan", requests, *ASKED, "--replay", "--format", "markdown").split())
    assert "The leading fleet, replayed" in text
    assert re.search(r"Scaling to zero saves \$[\d.,]+ a month \(\d+%\) and takes p99 TTFT from .+ to .+ s\.", text)


def test_a_workload_file_is_replayed_at_the_volume_that_flags_state(capsys: pytest.CaptureFixture[str]) -> None:
    chat = str(REPOSITORY / "examples/chat.toml")
    asked = ("plan", chat, *ASKED, "--requests-per-day", "500")
    text = printed(capsys, *asked, "--replay", "--format", "json")
    replay = json.loads(text)["replay"]
    assert replay["requests"] == 501
    assert any("made-up" in note for note in replay["notes"])
    assert json.loads(printed(capsys, *asked, "--format", "json"))["replay"] is None


def test_an_explanation_has_no_replay(requests: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(("plan", requests, *ASKED, "--replay", "--explain", "staff")) != 0
    assert "--explain prints no replay" in capsys.readouterr().err


@pytest.mark.parametrize("candidates", ["api", "edge", "openai/gpt-4o-mini"])
def test_candidates_without_a_fleet_have_nothing_to_replay(
    candidates: str, requests: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("plan", requests, "--candidates", candidates, "--min-quality", "basic", "--replay")
    assert run(asked) != 0
    assert "no fleet of GPUs is among the candidates" in capsys.readouterr().err
