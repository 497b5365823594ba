"""``breakeven fleet``: what a person and a script read, from real prices, in every format."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven import api
from breakeven.cli.main import run
from breakeven.errors import NothingFits
from breakeven.plan.fleet_advice import FleetLimits
from breakeven.render.json import published_schema
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import WorkloadOverrides
from conftest import REPOSITORY
from serving import reports

CHAT = str(REPOSITORY / "examples/chat.toml")
BUSY = [
    "fleet",
    CHAT,
    "--model",
    "Gemma-4-31B",
    "--provider",
    "aws",
    "--requests-per-day",
    "400_000",
    "--at",
    "2026-11-24",
]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = run(arguments)
    streams = capsys.readouterr()
    assert (code, streams.err) == (0, "")
    return streams.out


@pytest.fixture
def body(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed(capsys, *BUSY, "--allow-spot", "--format", "json"))
    return found


def test_json_is_what_the_published_schema_says(body: dict[str, Any]) -> None:
    Draft202012Validator(published_schema("fleet")).validate(body)


@pytest.fixture
def hybrid(tmp_path: Path) -> list[str]:
    """A day that is worth one own instance, with most of its busy hours beyond it."""
    path = tmp_path / "office.toml"
    path.write_text(
        "[workload]\nrequests_per_day = 100_000\ninput_tokens = 800\noutput_tokens = 20\n"
        'hourly_shape = "office"\n[costs]\nengineer_share_frac = 0.01\n'
    )
    where = ["--provider", "aws", "--instance", "g6e.2xlarge", "--spill-to", "cerebras/gemma-4-31b"]
    return ["fleet", str(path), "--model", "Gemma-4-31B", *where, "--at", "2026-11-24"]


def test_a_day_of_the_hybrid_is_replayed(hybrid: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, *hybrid, "--replay", "--format", "json"))
    Draft202012Validator(published_schema("fleet")).validate(found)
    day = found["api"]["replay"]
    assert day["requests"] == pytest.approx(100_000, rel=0.02)
    assert sum(Decimal(line["usd_per_month"]) for line in day["lines"]) == Decimal(day["usd_per_month"])
    assert 0 < day["ttft_p99_s"] < 2
    text = " ".join(printed(capsys, *hybrid, "--replay").split())
    assert "Poisson arrivals of a day on" in text
    assert "the API's being unknown" in text
    assert json.loads(printed(capsys, *hybrid, "--format", "json"))["api"]["replay"] is None


def test_only_the_workloads_own_day_is_replayed(hybrid: list[str], tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("t_s,rate_rps\n0,1\n600,2\n")
    assert run([*hybrid, "--replay", "--rates", str(rates)]) == 2


def test_lines_add_up_and_no_simpler_way_is_cheaper(body: dict[str, Any]) -> None:
    for part in (body["commitments"], body["api"], body["mix"]):
        assert sum(Decimal(line["usd_per_month"]) for line in part["lines"]) == Decimal(part["usd_per_month"])
    for part in (body["commitments"], body["api"]):
        total = Decimal(part["usd_per_month"])
        assert all(total <= Decimal(each["usd_per_month"]) + Decimal("1e-6") for each in part["alternatives"])
    assert Decimal(body["mix"]["usd_per_month"]) <= Decimal(body["mix"]["single"]["usd_per_month"])


def test_spot_is_priced_with_its_interruptions(body: dict[str, Any]) -> None:
    spot = body["spot"]
    quoted, real = (Decimal(spot[name]["middle"]) for name in ("quoted_usd_per_h", "usd_per_h"))
    assert quoted < real < Decimal(spot["on_demand_usd_per_h"])
    assert [zone["zone"][:-1] for zone in spot["zones"]] == ["us-east-1"] * 4
    assert {line["basis"] for line in body["commitments"]["lines"] if "spot" in line["label"]} <= {"modelled"}


def test_the_demand_is_the_workloads_day(body: dict[str, Any]) -> None:
    assert len(body["rates_per_s"]) == 24
    assert sum(body["rates_per_s"]) * 3_600 == pytest.approx(400_000)


def test_text_says_what_to_buy_and_what_halving_costs(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(printed(capsys, *BUSY).split())
    for said in (
        "What to buy",
        "all on demand",
        "One more reserved instance",
        "Should volume halve",
        "Spot is left out of the purchases: admit it with --allow-spot.",
        "Own instances for the trough",
        "GPU types mixed by request size",
        "same_region_correlation",
    ):
        assert said in text


@pytest.mark.parametrize(("output_format", "sign"), [("markdown", "# Buying a fleet"), ("html", ">What to buy</h2>")])
def test_documents(capsys: pytest.CaptureFixture[str], output_format: str, sign: str) -> None:
    assert sign in printed(capsys, *BUSY, "--format", output_format)


def test_the_demand_may_come_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("pool,t_s,rate_rps\na,0,50\na,600,400\na,1200,100\n", encoding="utf-8")
    found = json.loads(printed(capsys, *BUSY, "--rates", str(path), "--scale-frac", "0.1", "--format", "json"))
    assert found["rates_per_s"] == pytest.approx([5.0, 40.0, 10.0])
    assert {each["option"] for each in found["commitments"]["bought"]} == {"on_demand", "reserved_1y"}


def test_an_instance_without_spot_or_api_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["fleet", CHAT, "--model", "Qwen3-14B", "--provider", "runpod", "--at", "2026-11-24"]
    found = json.loads(printed(capsys, *call, "--format", "json"))
    assert (found["spot"], found["api"]) == (None, None)
    text = " ".join(printed(capsys, *call).split())
    assert "This instance is not sold as spot." in text
    assert "name one with --spill-to" in text


def test_another_hosted_model_may_take_the_peak(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["fleet", CHAT, "--model", "Qwen3-14B", "--spill-to", "openai/gpt-4o-mini", "--at", "2026-11-24"]
    found = json.loads(printed(capsys, *call, "--format", "json"))
    assert found["api"]["label"] == "openai/gpt-4o-mini"


def test_zones_may_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, *BUSY, "--spot-zones", "us-west-2a,us-west-2b", "--format", "json"))
    assert [zone["zone"] for zone in found["spot"]["zones"]] == ["us-west-2a", "us-west-2b"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "no-such-model"], 2, "no-such-model"),
        (["--model", "Gemma-4-31B", "--provider", "nobody"], 2, "no provider 'nobody'"),
        (["--model", "Gemma-4-31B", "--provider", "aws", "--spot-zones", "mars-1a"], 2, "no spot zone 'mars-1a'"),
        (["--model", "Gemma-4-31B", "--instance", "huge"], 2, "no instance 'huge'"),
        (["--model", "Gemma-4-31B", "--ttft", "0.0001"], 1, "no instance on offer"),
        (["--model", "Gemma-4-31B", "--rates", "none.csv"], 2, "cannot be read"),
        ([], 2, "--model"),
    ],
)
def test_a_question_without_answer_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert run(["fleet", CHAT, *arguments]) == code
    assert said in capsys.readouterr().err


def test_as_the_requirement_tightens_first_the_mix_stops_then_the_fleet() -> None:
    """The longest requests of a size miss it before the median of all requests does."""
    answers = []
    for hundredths in range(20, 2, -1):
        workload = load_workload(
            REPOSITORY / "examples/chat.toml", WorkloadOverrides(ttft_s=hundredths / 100, percentile=50)
        )
        try:
            answers.append(api.fleet(workload, "Gemma-4-31B", limits=FleetLimits(provider="runpod")))
        except NothingFits:
            break
    mixed = [answer.mix is not None for answer in answers]
    assert mixed == sorted(mixed, reverse=True)
    assert mixed[0]
    assert not mixed[-1]
    assert any("GPU types are not mixed" in note for note in answers[-1].notes)


def test_measurements_of_the_deployment_change_what_an_instance_carries(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = tmp_path / "mine.toml"
    measured = reports.write(tmp_path, [reports.vllm(8), reports.vllm(32)])
    assert run(["calibrate", str(measured), "--gpu", "H100-SXM", "--precision", "fp8", "--store", str(store)]) == 0
    capsys.readouterr()
    call = ["fleet", CHAT, "--model", "Llama-3.1-8B", "--instance", "p5.4xlarge", "--format", "json"]
    plain = json.loads(printed(capsys, *call))
    corrected = json.loads(printed(capsys, *call, "--calibration", str(store)))
    assert corrected["carried_requests_per_s"] != plain["carried_requests_per_s"]
    assert "calibrated_deployments" in {each["name"] for each in corrected["assumptions"]}


def test_several_types_may_be_bought_together(capsys: pytest.CaptureFixture[str]) -> None:
    one, three = (json.loads(printed(capsys, *BUSY, "--types", count, "--format", "json")) for count in ("1", "3"))
    assert len(three["commitments"]["one_more_reserved"]) == 3
    assert Decimal(three["commitments"]["usd_per_month"]) <= Decimal(one["commitments"]["usd_per_month"])
    assert " of Gemma-4-31B on aws/" in " ".join(printed(capsys, *BUSY, "--types", "3").split())


def test_without_reservations_nothing_is_owed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing is reserved" in printed(capsys, *BUSY, "--max-commitment-months", "0")
