"""An instance has the price of the instance, in each way it can be bought; an unknown price is never zero."""

from __future__ import annotations

import csv
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.catalog import offers as room
from breakeven.catalog.accelerators import accelerators
from breakeven.catalog.offers import (
    InstanceOffer,
    Multiplier,
    PurchasePrice,
    offers,
    purchase_prices,
    reserved_multipliers,
)
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import CatalogError


def one(provider: str, instance: str, region: str | None = None) -> InstanceOffer:
    (found,) = (
        offer
        for offer in offers()
        if (offer.provider, offer.instance) == (provider, instance) and region in {None, offer.region}
    )
    return found


def by_option(offer: InstanceOffer) -> dict[str, PurchasePrice]:
    return {price.option: price for price in purchase_prices(offer)}


def offer_row(**changed: str) -> Row:
    """The row of AWS p5.48xlarge in us-east-1 with some cells changed."""
    found = read_table("gpu_offers.csv", lambda row: row)
    (row,) = (row for row in found if row.cells["instance"] == "p5.48xlarge" and row.cells["region"] == "us-east-1")
    return replace(row, cells={**row.cells, **changed})


def test_every_offer_is_the_reference_row(shared_data: Path) -> None:
    with (shared_data / "catalog" / "gpu_prices.csv").open(encoding="utf-8") as table:
        reference = list(csv.DictReader(table))
    assert len(offers()) == len(reference) == 87
    for ours, row in zip(offers(), reference, strict=True):
        assert (ours.provider, ours.instance) == (row["provider"], row["instance"])
        assert ours.accelerators_per_instance == int(row["gpus"])
        assert ours.on_demand_usd_per_h == (Decimal(row["on_demand_usd_h"]) if row["on_demand_usd_h"] else None)
        assert ours.spot_min_usd_per_h == (Decimal(row["spot_min_usd_h"]) if row["spot_min_usd_h"] else None)


def test_every_price_of_every_offer_is_positive_and_ordered() -> None:
    for offer in offers():
        for price in purchase_prices(offer):
            assert 0 < price.low_usd_per_h <= price.usd_per_h <= price.high_usd_per_h
            assert price.source
            if offer.on_demand_usd_per_h is not None:
                assert price.high_usd_per_h <= offer.on_demand_usd_per_h


def test_every_offer_names_an_accelerator_of_the_catalogue() -> None:
    assert {offer.accelerator for offer in offers()} <= set(accelerators())


def test_an_offer_without_on_demand_price_can_only_be_bought_as_what_it_has_a_price_for() -> None:
    offer = one("aws", "p5e.48xlarge")
    assert offer.on_demand_usd_per_h is None
    assert set(by_option(offer)) == {"spot"}


def test_spot_is_the_middle_of_its_range() -> None:
    spot = by_option(one("aws", "p5.48xlarge", "us-east-1"))["spot"]
    assert (spot.low_usd_per_h, spot.high_usd_per_h) == (Decimal("16.9508"), Decimal("18.734"))
    assert spot.usd_per_h == Decimal("17.8424")


def test_reserved_prices_that_nobody_publishes_are_assumed_and_say_so() -> None:
    prices = by_option(one("gcp", "a3-highgpu-8g"))
    assert prices["reserved_1y"].usd_per_h == Decimal("87.8325") * Decimal("0.63")
    assert prices["reserved_1y"].basis == "assumed"
    assert prices["on_demand"].basis == "quoted"


def test_a_price_from_memory_is_assumed() -> None:
    assert by_option(one("aws", "g4dn.12xlarge"))["on_demand"].basis == "assumed"


@pytest.mark.parametrize("provider", ["runpod", "runpod-serverless", "lambda", "nebius"])
def test_no_reserved_price_is_made_up_where_none_is_public(provider: str) -> None:
    bought = {price.option for offer in offers() if offer.provider == provider for price in purchase_prices(offer)}
    assert bought <= {"on_demand", "spot"}


def test_a_user_can_replace_the_multipliers() -> None:
    offer = one("lambda", "gpu_8x_h100_sxm5")
    mine = {("lambda", "reserved_1y"): Multiplier(of_on_demand_frac=Decimal("0.5"), source="my contract")}
    prices = {price.option: price for price in purchase_prices(offer, mine)}
    assert prices["reserved_1y"].usd_per_h == Decimal("15.96")
    assert prices["reserved_1y"].source == "my contract"
    assert ("lambda", "reserved_1y") not in reserved_multipliers()


def test_a_quoted_reserved_price_wins_over_the_multiplier() -> None:
    offer = replace(one("gcp", "a3-highgpu-8g"), reserved_1y_usd_per_h=Decimal(60))
    quoted = by_option(offer)["reserved_1y"]
    assert (quoted.usd_per_h, quoted.basis) == (Decimal(60), "quoted")


def test_serverless_is_billed_by_the_second() -> None:
    offer = one("runpod-serverless", "flex worker H100")
    assert offer.billing == "second"
    assert offer.on_demand_usd_per_h == Decimal("0.00116") * 3_600


def test_a_block_of_days_cannot_carry_a_workload_that_goes_on() -> None:
    blocks = [offer for offer in offers() if "capacity block" in offer.instance]
    assert len(blocks) == 3
    assert all(offer.billing == "prepaid_block" and not purchase_prices(offer) for offer in blocks)


def test_one_price_for_several_cards_is_read_as_the_slowest() -> None:
    offer = one("runpod-serverless", "flex worker L4/A5000/3090")
    named = {name: accelerators()[name].memory_bandwidth_bytes_per_s for name in ("L4", "A5000", "RTX-3090")}
    assert offer.accelerator == min(named, key=named.__getitem__)
    assert "slowest" in offer.note


def test_egress_is_known_for_every_offer_with_its_basis() -> None:
    assert one("aws", "p5.4xlarge").egress_usd_per_gb == Decimal("0.09")
    assert one("lambda", "gpu_1x_gh200").egress_usd_per_gb == 0
    assert all(offer.egress_basis in {"quoted", "assumed"} and offer.egress_source for offer in offers())


def test_a_second_source_that_disagrees_is_told_beside_the_price() -> None:
    disputed = {offer.instance for offer in offers() if offer.is_disputed}
    assert {"gpu-h100-sxm_8gpu", "Standard_NC96ads_A100_v4"} <= disputed
    assert "Standard_ND96isr_H100_v5" not in disputed
    price = by_option(one("nebius", "gpu-h100-sxm_8gpu"))["on_demand"]
    assert price.usd_per_h == Decimal("23.6")
    assert "30.80 says" in price.source


# The article's table lists prices of whole instances as prices of one GPU, then multiplies them by the number of GPUs.
@pytest.mark.parametrize(
    ("gpu", "usd_per_h"),
    [
        ("A100-80GB", "32.77"),
        ("A100-80GB", "29.62"),
        ("H100", "65.00"),
        ("H100", "52.40"),
        ("A10G", "10.68"),
        ("A10G", "8.40"),
        ("L4", "7.35"),
        ("L4", "5.67"),
        ("T4", "3.91"),
        ("T4", "2.93"),
    ],
)
def test_the_price_of_an_instance_cannot_be_entered_as_the_price_of_one_gpu(gpu: str, usd_per_h: str) -> None:
    row = offer_row(
        accelerator=gpu,
        accelerators_per_instance="1",
        on_demand_usd_per_h=usd_per_h,
        spot_min_usd_per_h="",
        spot_max_usd_per_h="",
    )
    with pytest.raises(CatalogError, match="price per instance with the wrong number of accelerators"):
        room._offer(row)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"accelerators_per_instance": "12"}, "must be one of"),
        ({"spot_max_usd_per_h": "60"}, "above the on-demand price"),
        ({"reserved_1y_usd_per_h": "60"}, "above the on-demand price"),
        ({"spot_min_usd_per_h": "19"}, "spot_min_usd_per_h is above"),
        ({"spot_min_usd_per_h": ""}, "both ends"),
        ({"on_demand_usd_per_h": "", "spot_min_usd_per_h": "", "spot_max_usd_per_h": ""}, "no price at all"),
        ({"on_demand_usd_per_h": "0"}, "leave the cell blank"),
        ({"on_demand_usd_per_h": "nan"}, "must be a number"),
        ({"accelerator": "H1000"}, "unknown accelerator 'H1000'; nearest names: .*H100-SXM"),
        ({"provider": "nobody"}, "has no row in gpu_providers.csv"),
        ({"billing": "minute"}, "must be one of hour, second"),
        ({"checked_on": "yesterday"}, "must be a date"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(CatalogError, match=rf"gpu_offers\.csv, line 4: .*{reason}"):
        room._offer(offer_row(**changed))


def test_a_multiplier_above_one_is_refused() -> None:
    (row, *_) = read_table("gpu_price_multipliers.csv", lambda each: each)
    with pytest.raises(CatalogError, match="at most 1"):
        room._multiplier(replace(row, cells={**row.cells, "of_on_demand_frac": "1.2"}))


prices = st.decimals(min_value="0.01", max_value=100, places=4)


@given(prices, prices, prices)
def test_any_accepted_row_sells_spot_inside_its_range_and_below_on_demand(a: Decimal, b: Decimal, c: Decimal) -> None:
    row = offer_row(on_demand_usd_per_h=str(a), spot_min_usd_per_h=str(b), spot_max_usd_per_h=str(c))
    try:
        offer = room._offer(row)
    except CatalogError:
        per_accelerator = a / 8
        assert b > c or c > a or not Decimal("1.2") <= per_accelerator <= 14
        return
    spot = by_option(offer)["spot"]
    assert b <= spot.usd_per_h <= c <= a
