"""``breakeven replay`` as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.cli.main import run
from breakeven.ledger.ledger_file import opened
from breakeven.render.json import published_schema
from conftest import REPOSITORY

EXAMPLE = str(REPOSITORY / "examples/support.jsonl")
AT = ("--at", "2026-11-24")


def body(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["replay", *arguments, *AT, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    Draft202012Validator(published_schema("replay")).validate(found)
    return found


def trace(folder: Path, header: str, *rows: str) -> str:
    path = folder / "trace.csv"
    path.write_text("\n".join([f"timestamp,input_tokens,output_tokens{header}", *rows]) + "\n", encoding="utf-8")
    return str(path)


def test_every_lever_and_what_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    told = body(capsys, EXAMPLE)
    assert [lever["lever"] for lever in told["levers"]] == ["response-cache", "single-flight", "prompt-cache"]
    assert told["repetition"]["requests_frac"] == 9 / 63
    assert [each["ttl_s"] for each in told["prefixes"]] == [300, 3_600, None]
    assert "bill_ratio" not in told


@pytest.mark.parametrize("lever", ["response-cache", "single-flight", "prompt-cache"])
def test_one_lever_stands_at_the_top(lever: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = body(capsys, EXAMPLE, "--lever", lever)
    assert told["lever"] == lever
    assert told["bill_ratio"] == told["levers"][0]["bill_ratio"] < 1
    assert told["interval"]["confidence"] == 0.95
    assert len(told["levers"]) == 1


def test_a_shorter_life_saves_less(capsys: pytest.CaptureFixture[str]) -> None:
    hits = [body(capsys, EXAMPLE, "--lever", "response-cache", "--ttl", ttl)["hits"] for ttl in ("1", "5m", "1h")]
    assert hits == sorted(hits)
    assert hits[0] < hits[-1]


def test_digests_tell_of_answers_but_not_of_prefixes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = trace(tmp_path, ",request_hash,tenant", "0,1000,10,a,x", "60,1000,10,a,x", "90,1000,10,a,y")
    told = body(capsys, path, "--model", "openai/gpt-4o")
    answers, _, prompts = told["levers"]
    assert (answers["hits"], answers["usd_saved"]) == (1, "0.002600000")
    assert prompts["bill_ratio"] is None
    assert "hash_ids" in prompts["unknown"]
    assert told["prefixes"] is None


def test_no_hash_is_unknown_and_never_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", trace(tmp_path, "", "0,5,7", "1,5,7")]) == 2
    told = capsys.readouterr()
    assert "duplicates unknown" in told.err
    assert told.out == ""


def test_the_lever_that_needs_what_the_trace_lacks_fails_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", trace(tmp_path, ",request_hash", "0,5,7,a", "1,5,7,b"), "--lever", "prompt-cache"]) == 2
    assert "hash_ids" in capsys.readouterr().err


@pytest.mark.parametrize("lever", ["routing", "batch", "magic"])
def test_a_lever_that_is_not_there_yet_is_refused_as_such(lever: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", EXAMPLE, "--lever", lever]) == 2
    told = capsys.readouterr().err
    assert ("later version" in told) == (lever != "magic")
    assert "response-cache" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ttl", "7x"], "neither 5m, 1h"),
        (["--ttl", "0"], "keeps nothing"),
        (["--ttl", "nan"], "keeps nothing"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--provider", "nobody"], "unknown provider"),
        (["--provider", "deepseek"], "which model of deepseek?"),
        (["--columns", "digest=x"], "cannot use"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", EXAMPLE, *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_ledger_has_no_hashes_and_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.db"
    with opened(path, create=True):
        pass
    assert run(["replay", str(path)]) == 2
    assert "a ledger keeps" in capsys.readouterr().err


def test_a_price_that_depends_on_the_hour_needs_one(capsys: pytest.CaptureFixture[str]) -> None:
    model = "deepseek/deepseek-v4-flash"
    assert run(["replay", EXAMPLE, "--model", model, *AT]) == 2
    assert "depends on the hour" in capsys.readouterr().err
    assert run(["replay", EXAMPLE, "--model", model, "--at", "2026-11-24T02:00"]) == 0
    assert model in capsys.readouterr().out


def test_the_gateways_configuration_says_for_how_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "gateway.toml"
    policy.write_text('[cache]\nttl_s = 120\n[gateway]\nprompt_cache_ttl = "1h"\n')
    told = body(capsys, EXAMPLE, "--policy", str(policy))
    assert [lever["ttl_s"] for lever in told["levers"]] == [120, None, 3_600]
    stated = body(capsys, EXAMPLE, "--policy", str(policy), "--ttl", "5m")
    assert [lever["ttl_s"] for lever in stated["levers"]] == [300, None, 300]
    policy.write_text("[cache]\nttl = 120\n")
    assert run(["replay", EXAMPLE, "--policy", str(policy)]) == 2
    assert "ttl" in capsys.readouterr().err


def test_a_models_own_life_wins_over_that_of_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "gateway.toml"
    policy.write_text(
        '[cache]\nttl_s = 120\n[[upstreams]]\nname = "openai"\nurl = "https://api.openai.com"\n[[models]]\n'
        'name = "gpt-4o"\ntargets = [{ upstream = "openai" }]\ncache = { ttl_s = 60 }\nprompt_cache_ttl = "5m"\n'
    )
    lives = []
    for model in ("gpt-4o", "gpt-4o-mini"):
        told = body(capsys, EXAMPLE, "--policy", str(policy), "--model", model)
        lives.append(told["levers"][0]["ttl_s"])
    assert lives == [60, 120]


def test_a_workload_file_names_the_trace_and_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace(tmp_path, ",h", "0,1000,10,a", "60,1000,10,a")
    file = tmp_path / "workload.toml"
    file.write_text('[workload]\ntrace = "trace.csv"\ncolumns = { request_hash = "h" }\n')
    assert body(capsys, str(file), "--lever", "response-cache")["hits"] == 1


def test_all_at_once_has_no_month(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = body(capsys, trace(tmp_path, ",request_hash", "0,5,70,a", "0,5,70,a"), "--lever", "single-flight")
    assert (told["hits"], told["usd_saved_per_month"], told["interval"]) == (1, None, None)
