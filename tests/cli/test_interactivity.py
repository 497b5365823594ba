"""``interactivity`` as typed: dollars follow from the price and the throughput, in every format."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import jsonschema
import pytest

from breakeven.cli.main import run
from breakeven.render.json import published_schema

ASKED = ["interactivity", "Llama-3.1-70B", "--gpu", "H100", "--tp", "4", "--precision", "fp8"]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*ASKED, *arguments]) == 0
    return capsys.readouterr().out


def test_dollars_are_the_hour_over_its_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(capsys, "--usd-per-gpu-h", "2.5", "--format", "json"))
    jsonschema.validate(document, published_schema("interactivity"))
    assert document["usd_per_h"] == "10.0"
    for point in document["points"]:
        mtok_per_h = point["output_tokens_per_s_total"] * 3_600 / 1e6
        assert float(point["usd_per_output_mtok"]) == pytest.approx(10 / mtok_per_h)
    costs = [Decimal(point["usd_per_output_mtok"]) for point in document["points"]]
    assert costs == sorted(costs, reverse=True)


def test_without_a_price_the_least_on_demand_offer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(capsys, "--format", "json"))
    assert document["price_source"].startswith("on demand, ")
    assert 2 < float(document["usd_per_h"]) < 60


def test_text_csv_and_page_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(capsys, "--format", "json"))
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "--format", "csv"))))
    assert [row["usd_per_output_mtok"] for row in rows] == [p["usd_per_output_mtok"] for p in document["points"]]
    first = f"${Decimal(document['points'][0]['usd_per_output_mtok']):,.3f}"
    assert first in printed(capsys)
    page = printed(capsys, "--format", "html")
    assert first in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["interactivity", "Llama-3.1-70B", "--gpu", "T4"], 1, "weights do not fit"),
        (["interactivity", "no-such-model", "--gpu", "H100"], 2, "no-such-model"),
        (["interactivity", "Llama-3.1-8B", "--gpu", "no-such-gpu"], 2, "no-such-gpu"),
        (["interactivity", "Llama-3.1-8B", "--gpu", "H100", "--usd-per-gpu-h", "0"], 2, "above 0"),
        (["interactivity", "Llama-3.1-8B"], 2, "--gpu"),
    ],
)
def test_what_cannot_be_answered_is_an_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    assert run(arguments) == code
    assert says in capsys.readouterr().err
