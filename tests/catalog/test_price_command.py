"""``breakeven price`` and ``breakeven catalog`` as scripts call them."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from breakeven.catalog import price_store
from breakeven.cli.main import run
from breakeven.render.json import published_schema

PRICE = ["price", "openai/gpt-4o", "--input", "800", "--output", "400", "--at", "2026-11-24"]


def printed_json(capsys: pytest.CaptureFixture[str], arguments: list[str], schema: str) -> dict[str, Any]:
    assert run([*arguments, "--format", "json"]) == 0
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    Draft202012Validator(published_schema(schema)).validate(body)
    return body


def test_a_price_in_json_sums_and_names_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    body = printed_json(capsys, [*PRICE, "--cache-read", "100"], "price")
    assert (body["provider"], body["model"], body["processing"]) == ("openai", "gpt-4o", "standard")
    assert sum(Decimal(line["usd"]) for line in body["lines"]) == Decimal(body["usd"]) == Decimal("0.005875")
    assert body["nano_usd"] == 5_875_000
    assert body["source"].startswith("genai-prices")
    assert body["at"] == "2026-11-24"


def test_a_fee_a_request_is_in_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    body = printed_json(
        capsys, ["price", "perplexity/sonar", "--input", "10", "--output", "20", "--requests", "3"], "price"
    )
    assert body["lines"][-1] == {
        "kind": "request",
        "charged_as": "request",
        "quantity_requests": 1,
        "usd_per_request": "0.012",
        "usd": "0.012",
    }
    assert body["nano_usd"] == 3 * body["nano_usd_per_request"] == 3 * 12_030_000


def test_all_formats_have_the_same_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PRICE) == 0
    assert "$0.006 a request" in capsys.readouterr().out
    assert run([*PRICE, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(Decimal(row["quantity"]) * Decimal(row["usd_per_unit"]) for row in rows) == Decimal("0.006")
    assert sum(Decimal(row["usd"]) for row in rows) == Decimal("0.006")


def test_the_output_goes_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "price.json"
    assert run([*PRICE, "--format", "json", "--out", str(out)]) == 0
    assert json.loads(out.read_text("utf-8"))["nano_usd"] == 6_000_000
    assert capsys.readouterr().out == ""


def test_a_negotiated_price_comes_from_the_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('[[prices]]\nprovider = "openai"\nmodel = "gpt-4o"\ninput_usd_per_mtok = 1\n', "utf-8")
    body = printed_json(capsys, ["--config", str(config), *PRICE], "price")
    assert Decimal(body["usd"]) == Decimal("0.0048")
    assert body["source"] == "negotiated"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["price"], 2),
        (["price", "gpt-4o"], 2),
        (["price", "gpt-4o", "--input", "1"], 2),
        (["price", "gpt-4o", "--input", "-1", "--output", "1"], 2),
        (["price", "gpt-4o", "--input", "NaN", "--output", "1"], 2),
        (["price", "gpt-4o", "--input", "1", "--output", "1", "--cache-read", "2"], 2),
        (["price", "gpt-4o", "--input", "1", "--output", "1", "--requests", "0"], 2),
        (["price", "gpt-4o", "--input", "1", "--output", "1", "--at", "yesterday"], 2),
        (["price", "gpt-4o", "--input", "1", "--output", "1", "--processing", "bulk"], 2),
        (["price", "whisper-1", "--input", "1", "--output", "1"], 2),
        (["price", "gpt-4oo", "--input", "1", "--output", "1"], 2),
        (["price", "mistral-large-latest", "--input", "1", "--output", "1"], 2),
        (["catalog", "show", "--provider", "nobody"], 2),
        (["catalog", "check", "--at", "2026-11-24", "--strict"], 1),
        (["catalog", "check", "--at", "2026-11-24"], 0),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> None:
    assert run(arguments) == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert (printed.err.startswith("error:")) == (code == 2)


def test_a_moment_with_an_hour_prices_that_hour(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["price", "deepseek-flash", "--input", "1000000", "--output", "0", "--at"]
    peak, night = (printed_json(capsys, [*asked, f"2026-11-24T{hour}"], "price") for hour in ("02:00", "12:00Z"))
    assert (peak["usd"], night["usd"]) == ("0.300000000", "0.150000000")


def test_catalog_show_lists_prices_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    show = ["catalog", "show", "gpt-5.5", "--provider", "openai", "--at", "2026-11-24"]
    body = printed_json(capsys, [*show, "--processing", "batch"], "prices")
    (card,) = [card for card in body["prices"] if card["model"] == "gpt-5.5"]
    assert [tier["above_input_tokens"] for tier in card["tiers"]] == [0, 272_000]
    assert run(show) == 0
    assert "above 272,000" in capsys.readouterr().out
    assert run([*show, "--format", "csv", "--limit", "0"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) > 8


def test_catalog_show_says_how_many_it_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    body = printed_json(capsys, ["catalog", "show", "--limit", "2", "--at", "2026-11-24"], "prices")
    assert len(body["prices"]) == 2
    assert body["total"] > 2_400
    assert run(["catalog", "show", "no-such-model"]) == 0
    assert "0 of 0" in capsys.readouterr().out


def test_catalog_check_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    body = printed_json(capsys, ["catalog", "check", "--at", "2027-11-24"], "price-check")
    assert body["disagreements"]
    assert {row["table"] for row in body["stale"]} >= {"hosted prices", "GPU offers", "edge devices"}
    assert run(["catalog", "check", "--at", "2026-11-24", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {"model": "mistral-large-latest", "our_usd_per_mtok": "2", "other_usd_per_mtok": "0.5"}.items() <= next(
        row for row in rows if row["model"] == "mistral-large-latest"
    ).items()


def test_catalog_update_without_a_network_exits_with_3(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(price_store.PATH_VARIABLE, str(tmp_path / "list.json"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert run(["catalog", "update"]) == 3
    assert "hint: the installed prices stay in use" in capsys.readouterr().err


def test_audio_is_asked_for_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["price", "openai/gpt-audio", "--input", "1100", "--output", "350", "--at", "2026-11-24"]
    body = printed_json(capsys, [*asked, "--input-audio", "1000", "--output-audio", "300"], "price")
    assert [(line["kind"], line["quantity_tokens"], Decimal(line["usd"])) for line in body["lines"]] == [
        ("input", 100, Decimal("0.00025")),
        ("output", 50, Decimal("0.0005")),
        ("input_audio", 1_000, Decimal("0.032")),
        ("output_audio", 300, Decimal("0.0192")),
    ]
    assert body["nano_usd"] == 51_950_000
