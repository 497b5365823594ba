"""Prices of the user's own: in place of published ones, beside them, and refused where they cannot be meant."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.catalog.hosted import find_card, hosted_cards, matching_cards
from breakeven.catalog.negotiated import PriceConfig, read_price_config
from breakeven.catalog.pricing import price
from breakeven.catalog.usage import Usage
from breakeven.errors import ConfigError, UnknownName

DAY = date(2026, 11, 24)
USAGE = Usage(input_tokens=1_000, output_tokens=500, cache_read_tokens=400)

TOML = """
[[prices]]
provider = "openai"
model = "gpt-4o"
input_usd_per_mtok = 2.0
output_usd_per_mtok = "8"
valid_from = 2026-07-01
source = "contract 17"

[[prices]]
provider = "inhouse"
model = "tuned-8b"
input_usd_per_mtok = 0.1
output_usd_per_mtok = 0.2

[[provisioned]]
label = "gpt-4o PTU"
provider = "azure"
model = "gpt-4o"
usd_per_month_per_unit = 260
input_tokens_per_min_per_unit = 2_500
output_tokens_per_min_per_unit = 833
min_units = 15

[[provisioned]]
provider = "aws"
model = "claude"
usd_per_h_per_unit = 2
tokens_per_s_per_unit = 50

[plan]
top = 3
"""


def config() -> PriceConfig:
    return read_price_config(tomllib.loads(TOML))


def test_a_negotiated_price_replaces_what_it_states_and_keeps_the_rest() -> None:
    card = find_card("gpt-4o", at=DAY, config=config())
    assert card.source == "contract 17"
    assert card.tiers[0].cache_read_usd_per_mtok == Decimal("1.25")
    assert price(card, USAGE).usd == Decimal("0.0057")


def test_it_holds_from_its_first_day_and_for_its_processing_only() -> None:
    before = find_card("gpt-4o", at=date(2026, 6, 30), config=config())
    batch = find_card("gpt-4o", at=DAY, processing="batch", config=config())
    assert before.source != "contract 17" != batch.source


def test_a_model_of_ones_own_is_priced_by_its_exact_name() -> None:
    card = find_card("inhouse/tuned-8b", at=DAY, config=config())
    assert price(card, USAGE).usd == Decimal("0.0002")
    assert find_card("Tuned-8B", provider="inhouse", at=DAY, config=config()).label == card.label
    with pytest.raises(UnknownName):
        find_card("inhouse/tuned-9b", at=DAY, config=config())


def test_the_catalogue_has_negotiated_cards_in_place_and_added() -> None:
    published = hosted_cards(DAY)
    cards = config().applied(published, DAY)
    assert len(cards) == len(published) + 1
    assert [card.source for card in cards if card.label == "openai/gpt-4o"] == ["contract 17"]
    assert [card.label for card in matching_cards(["tuned"], DAY, config=config())] == ["inhouse/tuned-8b"]
    assert PriceConfig().applied(published, DAY) == published


def test_a_long_context_price_is_replaced_in_every_tier() -> None:
    own = read_price_config({"prices": [{"provider": "openai", "model": "gpt-5.5", "input_usd_per_mtok": 4}]})
    tiers = find_card("gpt-5.5", at=DAY, config=own).tiers
    assert len(tiers) == 2
    assert {rates.input_usd_per_mtok for rates in tiers} == {Decimal(4)}
    assert len({rates.output_usd_per_mtok for rates in tiers}) == 2


def test_provisioned_throughput_is_a_monthly_price_for_a_rate() -> None:
    azure, aws = config().provisioned
    assert (azure.label, azure.min_units, azure.usd_per_month_per_unit) == ("gpt-4o PTU", 15, Decimal(260))
    assert (azure.tokens_per_s_per_unit, azure.output_tokens_per_min_per_unit) == (None, Decimal(833))
    assert (aws.label, aws.usd_per_month_per_unit) == ("aws/claude (provisioned)", Decimal(1_460))


PRICE = {"provider": "a", "model": "b", "input_usd_per_mtok": 1}
UNIT = {"provider": "a", "model": "b", "usd_per_month_per_unit": 1, "tokens_per_s_per_unit": 1}


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({"prices": PRICE}, "must be a list of tables"),
        ({"prices": [1]}, "must be a list of tables"),
        ({"prices": [PRICE | {"input_usd_per_mtoken": 1}]}, "unknown key 'input_usd_per_mtoken'"),
        ({"prices": [PRICE | {"provider": ""}]}, "provider is missing"),
        ({"prices": [{"provider": "a", "model": "b"}]}, "no price is stated"),
        ({"prices": [PRICE | {"input_usd_per_mtok": -1}]}, "at least 0"),
        ({"prices": [PRICE | {"input_usd_per_mtok": float("nan")}]}, "finite"),
        ({"prices": [PRICE | {"input_usd_per_mtok": True}]}, "not a number"),
        ({"prices": [PRICE | {"input_usd_per_mtok": "free"}]}, "not a number"),
        ({"prices": [PRICE | {"processing": "bulk"}]}, "unknown processing"),
        ({"prices": [PRICE | {"valid_from": "soon"}]}, "not a date"),
        ({"prices": [PRICE | {"valid_from": "2026-01-02", "valid_to": "2026-01-02"}]}, "not after"),
        ({"provisioned": [UNIT | {"min_units": 0}]}, "at least 1"),
        ({"provisioned": [UNIT | {"usd_per_h_per_unit": 1}]}, "needs one of"),
        ({"provisioned": [UNIT | {"usd_per_month_per_unit": 0}]}, "cannot cost nothing"),
        ({"provisioned": [UNIT | {"tokens_per_s_per_unit": 0}]}, "cannot be 0"),
        ({"provisioned": [UNIT | {"input_tokens_per_min_per_unit": 1}]}, "needs either"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_with_what_to_write(tables: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        read_price_config(tables)
    assert caught.value.hint


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates()
keys = st.sampled_from([*PRICE, *UNIT, "valid_from", "processing", "min_units", "x"])


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["prices", "provisioned"]), scalars | st.lists(st.dictionaries(keys, scalars))))
def test_any_table_is_read_or_refused(tables: dict[str, Any]) -> None:
    try:
        read = read_price_config(tables)
    except ConfigError as error:
        read = error
    assert isinstance(read, PriceConfig) or read.hint
