"""The article's figures: what its code gives, what its table prints, and what cannot be entered here.

The article is "AI Cost Optimization: GPU vs API vs Edge" (Garnet Grid Consulting). Its arithmetic is stated here as
ours: usage times price card. Its months are 30 days. ``docs/why.md`` tells the same story in words.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import count

import pytest

from breakeven import units
from breakeven.catalog import offers, pricing
from breakeven.catalog.hosted import find_card
from breakeven.catalog.precisions import precision
from breakeven.catalog.tables import Row, rows
from breakeven.catalog.usage import Usage
from breakeven.errors import CatalogError, UnknownName
from conftest import REPOSITORY

A_DATE_WHEN_ALL_WERE_SOLD = date(2025, 6, 1)
ARTICLE_DAYS_PER_MONTH = 30
REQUEST = Usage(input_tokens=800, output_tokens=400)
ENGINEER_USD_PER_MONTH = 15_000

# model: what the article's code gives for 10,000 requests a day, what its table prints; US dollars a month
TABLE = {
    "openai/gpt-4o": (1_800, 1_050),
    "openai/gpt-4o-mini": (108, 63),
    "anthropic/claude-3-5-haiku": (672, 168),
    "google/gemini-2.0-flash": (72, 42),
}

# (GPU, provider): US dollars an hour, on demand and reserved for a year, which the article multiplies by num_gpus
GPU_HOURLY = {
    ("A100-80GB-SXM", "aws"): ("32.77", "20.90"),
    ("A100-80GB-SXM", "gcp"): ("29.62", "18.77"),
    ("H100-SXM", "aws"): ("65.00", "41.50"),
    ("H100-SXM", "gcp"): ("52.40", "33.02"),
    ("A10G", "aws"): ("10.68", "7.02"),
    ("L4", "aws"): ("7.35", "4.92"),
    ("L4", "gcp"): ("5.67", "3.69"),
    ("T4", "aws"): ("3.91", "2.56"),
    ("T4", "gcp"): ("2.93", "1.91"),
}


def usd_per_request(model: str, usage: Usage = REQUEST) -> Decimal:
    """The list price of one request when the article was written."""
    return pricing.price(find_card(model, at=A_DATE_WHEN_ALL_WERE_SOLD), usage).usd


@pytest.mark.parametrize("model", TABLE)
def test_list_prices_give_what_the_articles_code_gives(model: str) -> None:
    from_code, _ = TABLE[model]
    priced = pricing.price(
        find_card(model, at=A_DATE_WHEN_ALL_WERE_SOLD), REQUEST, requests=10_000 * ARTICLE_DAYS_PER_MONTH
    )
    assert priced.usd == from_code


@pytest.mark.parametrize(("model", "share"), list(zip(TABLE, ("0.583", "0.583", "0.250", "0.583"), strict=True)))
def test_the_articles_table_prints_a_part_of_it(model: str, share: str) -> None:
    from_code, printed = TABLE[model]
    assert f"{printed / from_code:.3f}" == share


def test_the_table_fits_no_single_workload() -> None:
    """Three rows lie on input + 4 x output = 1,400 tokens; on that line Haiku would need a negative output."""
    on_the_line = Usage(input_tokens=800, output_tokens=150)
    requests = 10_000 * ARTICLE_DAYS_PER_MONTH
    at_the_line = {model: usd_per_request(model, on_the_line) * requests for model in TABLE}
    assert at_the_line.pop("anthropic/claude-3-5-haiku") == 372 != TABLE["anthropic/claude-3-5-haiku"][1]
    assert at_the_line == {model: TABLE[model][1] for model in at_the_line}
    haiku_usd_per_request = Fraction(TABLE["anthropic/claude-3-5-haiku"][1], requests)
    haiku_input_plus_five_outputs = haiku_usd_per_request * units.TOKENS_PER_MTOK / Fraction("0.80")
    assert haiku_input_plus_five_outputs - 1_400 < 0  # five outputs for four: the output would be this


def test_an_unknown_model_has_no_price() -> None:
    """The article prices it at 5 and 15 dollars a million; ``gemini-2.0-pro`` is its own invention."""
    for name in ("gpt-40", "google/gemini-2.0-pro"):
        with pytest.raises(UnknownName) as caught:
            find_card(name, at=A_DATE_WHEN_ALL_WERE_SOLD)
        assert caught.value.hint


def test_a_hundred_times_the_volume_costs_a_hundred_times_as_much() -> None:
    """The article has $50 a month become $15,000 from 100 to 10,000 queries a day, which is 300 times."""
    card = find_card("openai/gpt-4o", at=A_DATE_WHEN_ALL_WERE_SOLD)
    few, many = (pricing.price(card, REQUEST, requests=requests).usd for requests in (100, 10_000))
    assert many == 100 * few


def test_mini_instead_of_gpt_4o_saves_more_than_the_article_says() -> None:
    """It says 90% for mini with batch. Batch prices are listed from October 2026 on; standard ones have not moved."""
    large = usd_per_request("openai/gpt-4o")
    batch = find_card("openai/gpt-4o-mini", at=date(2026, 11, 24), processing="batch")
    assert 1 - usd_per_request("openai/gpt-4o-mini") / large == Decimal("0.94")
    assert 1 - pricing.price(batch, REQUEST).usd / large == Decimal("0.97")


@pytest.mark.parametrize(
    ("model", "a_month_of_365_12_days", "a_month_of_30_days"),
    [("openai/gpt-4o", 82_192, 83_333), ("openai/gpt-4o-mini", 1_369_863, 1_388_889)],
)
def test_the_volume_that_pays_the_engineer_alone(
    model: str, a_month_of_365_12_days: int, a_month_of_30_days: int
) -> None:
    """To the nearest whole request a day; the article's 50,000 a day pays for neither."""
    usd_per_daily_request = Fraction(usd_per_request(model))
    assert round(ENGINEER_USD_PER_MONTH / (usd_per_daily_request * units.DAYS_PER_MONTH)) == a_month_of_365_12_days
    assert round(ENGINEER_USD_PER_MONTH / (usd_per_daily_request * ARTICLE_DAYS_PER_MONTH)) == a_month_of_30_days
    assert a_month_of_30_days > 50_000


def test_two_months_in_one_comparison_favour_the_api_by_1_4_percent() -> None:
    api_h, gpu_h = ARTICLE_DAYS_PER_MONTH * units.HOURS_PER_DAY, units.HOURS_PER_MONTH
    assert f"{gpu_h / api_h - 1:.1%}" == "1.4%"
    assert units.DAYS_PER_MONTH * units.HOURS_PER_DAY == units.HOURS_PER_MONTH


@pytest.mark.parametrize(("name", "nominal_bits"), [("int4", 4), ("Q2_K", 2)])
def test_quantized_weights_carry_their_scales(name: str, nominal_bits: int) -> None:
    """The article's 12.5% and 6% of full precision are the nominal bits of 32."""
    assert precision(name).weight_bits > nominal_bits


class TestInstancePriceTimesGpuCount:
    """The article multiplies prices of whole instances by a number of GPUs; here that cannot be written down."""

    @pytest.mark.parametrize(("accelerator", "provider"), GPU_HOURLY)
    def test_the_articles_price_is_refused_as_the_price_of_one_gpu(self, accelerator: str, provider: str) -> None:
        on_demand, reserved = GPU_HOURLY[accelerator, provider]
        with pytest.raises(CatalogError, match="price per instance with the wrong number of accelerators"):
            offers._offer(offer_row(accelerator, provider, on_demand, reserved, accelerators=1))

    def test_the_machine_behind_the_price_has_eight_smaller_gpus(self) -> None:
        machine = next(offer for offer in offers.offers() if offer.instance == "p4d.24xlarge")
        assert (machine.accelerator, machine.accelerators_per_instance) == ("A100-40GB-SXM", 8)

    def test_an_offer_without_its_number_of_gpus_is_refused(self) -> None:
        row = offer_row("A100-80GB-SXM", "aws", "32.77", "20.90", accelerators=8)
        incomplete = {column: text for column, text in row.cells.items() if column != "accelerators_per_instance"}
        with pytest.raises(CatalogError, match="accelerators_per_instance"):
            offers._offer(replace(row, cells=incomplete))

    def test_no_function_takes_a_price_by_the_hour_and_a_number_of_gpus(self) -> None:
        for module in sorted((REPOSITORY / "src").rglob("*.py")):
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    assert not multiplies_price_by_gpus(node), f"{module}:{node.lineno}"

    def test_that_search_would_find_the_articles_function(self) -> None:
        (article,) = ast.parse("def gpu_cost(on_demand_usd_per_h, num_gpus): ...").body
        assert isinstance(article, ast.FunctionDef)
        assert multiplies_price_by_gpus(article)


def offer_row(accelerator: str, provider: str, on_demand: str, reserved: str, *, accelerators: int) -> Row:
    """The article's figures in a row of the catalogue's table; what it does not say is empty."""
    table = REPOSITORY / "src/breakeven/catalog/data/gpu_offers.csv"
    row = next(rows(table.name, table.read_text(encoding="utf-8")))
    cells = {
        "provider": provider,
        "instance": "article",
        "region": "article",
        "accelerator": accelerator,
        "accelerators_per_instance": str(accelerators),
        "on_demand_usd_per_h": on_demand,
        "reserved_1y_usd_per_h": reserved,
        "billing": "hour",
        "source": "article",
        "checked_on": "2026-11-24",
        "confidence": "seen",
    }
    return replace(row, cells=dict.fromkeys(row.cells, "") | cells)


def multiplies_price_by_gpus(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function asks for an hourly price and, beside it, for how many accelerators."""
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    takes_price = any(re.search(r"usd_per_(instance_)?h$", name) for name in names)
    takes_gpus = any(re.search(r"(^|_)(gpus|accelerators|gpu_count|n_gpus)$", name) for name in names)
    return takes_price and takes_gpus


@pytest.mark.parametrize(
    ("requests_per_h_per_gpu", "instances_price_divided_by", "answer"),
    [
        (500, 1, None),
        (1_000, 1, None),
        (2_000, 1, None),
        (8_000, 1, (168_100, 1)),
        (1_000, 8, (157_500, 7)),
        (2_000, 8, (115_200, 3)),
        (4_000, 8, (94_000, 1)),
    ],
)
def test_the_slip_decides_the_articles_break_even(
    requests_per_h_per_gpu: int, instances_price_divided_by: int, answer: tuple[int, int] | None
) -> None:
    """gpt-4o against its A100 on AWS: with the price of an instance for each GPU, self-hosting hardly ever pays."""
    gpu_usd_per_h = Fraction(GPU_HOURLY["A100-80GB-SXM", "aws"][1]) / instances_price_divided_by
    assert first_volume_on_the_articles_grid(requests_per_h_per_gpu, gpu_usd_per_h) == answer


def first_volume_on_the_articles_grid(requests_per_h_per_gpu: int, gpu_usd_per_h: Fraction) -> tuple[int, int] | None:
    """Requests a day and GPUs where the API costs more, in steps of 100 to 500,000, as the article searches."""
    api_usd_per_daily_request = Fraction(usd_per_request("openai/gpt-4o")) * ARTICLE_DAYS_PER_MONTH
    for requests_per_day in count(100, 100):
        if requests_per_day > 500_000:
            return None
        gpus = requests_per_day // (units.HOURS_PER_DAY * requests_per_h_per_gpu) + 1
        own_usd_per_month = gpus * gpu_usd_per_h * units.HOURS_PER_MONTH + ENGINEER_USD_PER_MONTH
        if requests_per_day * api_usd_per_daily_request > own_usd_per_month:
            return requests_per_day, gpus
    raise AssertionError("count() does not end")
