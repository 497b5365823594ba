"""Hosted prices on a workload's tokens equal the price of its requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from breakeven.catalog.hosted import find_card, hosted_cards
from breakeven.catalog.price_card import HourWindow, PriceCard, PriceRates
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.options.hosted_api import HostedApis
from breakeven.workload.workload import Requirements, Slo, Workload

DAY = date(2026, 11, 24)


def card(model: str = "m", **changes: object) -> PriceCard:
    rates = PriceRates(input_usd_per_mtok=Decimal("2.5"), output_usd_per_mtok=Decimal(10))
    base = PriceCard(provider="p", model=model, processing="standard", tiers=(rates,), checked_on=DAY, source="test")
    return replace(base, **changes)  # type: ignore[arg-type]


def reason(workload: Workload, *cards: PriceCard, named: bool = True) -> str:
    table = HostedApis(workload, cards, named=named)
    code = int(table.refusal[0])
    return table.refusal_reasons[code - 1] if code else ""


def test_gpt_4o_costs_what_its_requests_cost(chat: Workload) -> None:
    table = HostedApis(chat, [find_card("openai/gpt-4o", at=DAY)])
    one = price(find_card("openai/gpt-4o", at=DAY), Usage(input_tokens=800, output_tokens=400))
    assert one.usd == Decimal("0.006")
    assert table.option(0).usd_per_month == Decimal(1825)
    assert table.option(0).capacity_band is None


def test_every_priced_option_of_the_catalogue_agrees_with_its_curve_and_column(chat: Workload) -> None:
    table = HostedApis(chat, hosted_cards(DAY))
    columns = table.columns.usd_per_month(chat.requests_per_day)
    priced = [row for row in range(len(columns)) if not table.refusal[row]]
    assert len(priced) > 500
    for row in priced[::7]:
        total = table.option(row).usd_per_month
        exact = table.curve(row).usd_per_month(chat.requests_per_day)
        assert abs(Fraction(total) - exact) < Fraction(1, 10**6)
        assert float(exact) == pytest.approx(columns[row], rel=1e-12)


def test_a_request_above_a_tier_pays_the_tier_for_all_of_its_tokens(chat: Workload) -> None:
    tiers = (
        PriceRates(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(4)),
        PriceRates(above_input_tokens=1_000, input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(6)),
    )
    mixed = replace(chat, input_tokens=np.array([1_000, 1_001]), output_tokens=np.array([100, 100]))
    table = HostedApis(mixed, [card(tiers=tiers)], named=True)
    daily = Fraction(10_000, 2) * (1_000 * 1 + 100 * 4 + 1_001 * 2 + 100 * 6) / 1_000_000
    assert table.curve(0).usd_per_month(10_000) == daily * Fraction(365, 12)


def test_prices_by_the_hour_are_weighted_by_the_hours_of_the_workload(chat: Workload) -> None:
    night, day = HourWindow(start=time(0), end=time(6)), HourWindow(start=time(6), end=time(0))
    cheap = PriceRates(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(1))
    dear = PriceRates(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(3))
    table = HostedApis(
        chat, [card(tiers=(cheap,), hours_utc=(night,)), card(tiers=(dear,), hours_utc=(day,))], named=True
    )
    assert len(table.columns) == 1
    mean_usd_per_mtok = Fraction(1, 4) * 1 + Fraction(3, 4) * 3
    expected = mean_usd_per_mtok * 1_200 * 10_000 / 1_000_000 * Fraction(365, 12)
    assert float(table.curve(0).usd_per_month(10_000)) == pytest.approx(float(expected), rel=1e-12)


def test_refusals_say_why(chat: Workload) -> None:
    free = PriceRates(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
    resident = replace(chat, requirements=Requirements(data_residency=True))
    assert "free tier" in reason(chat, card(tiers=(free,)))
    assert "context window" in reason(chat, card(context_window_tokens=1_199))
    assert reason(chat, card(context_window_tokens=1_200)) == ""
    assert "data residency" in reason(resident, card())
    assert "batch processing" in reason(chat, card(processing="batch"))
    assert "unrated" in reason(chat, card(), named=False)
    assert reason(chat, card(refusal="billed by the page")) == "billed by the page"
    patient = replace(chat, requirements=Requirements(slo=Slo(ttft_s=86_400)))
    assert reason(patient, card(processing="batch")) == ""


def test_cost_is_proportional_to_volume(at_volume: Callable[[int], Workload]) -> None:
    one, many = (HostedApis(at_volume(v), [card()], named=True).option(0).usd_per_month for v in (1_200, 12_000))
    assert many == one * 10
