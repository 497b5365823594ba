"""GPU instances for rent: what one costs in each way of buying it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal, get_args

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.evidence import Basis
from breakeven.catalog.tables import Row, read_table
from breakeven.errors import UnknownName

PurchaseOption = Literal["on_demand", "reserved_1y", "reserved_3y", "spot"]
"""A way to buy an instance; reserved is paid whether used or not, spot can be taken away."""

Billing = Literal["hour", "second", "prepaid_block"]
"""``hour``: paid while held. ``second``: serverless, paid while busy, scales to zero. ``prepaid_block``: some days,
bought ahead, so it cannot carry a workload that goes on."""

_INSTANCE_SIZES = (1, 2, 4, 8, 16)
_MIDDLE = Decimal(2)
_AGREEMENT_FRAC = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOffer:
    """One instance type of one provider in one region; the unit a fleet buys. Prices are US dollars per instance hour.

    A price that is not known is None, never zero. ``accelerator`` is a canonical name of the accelerator table.
    ``other_usd_per_h`` is the on-demand price that a second source gives, to be compared, never paid.
    """

    provider: str
    instance: str
    region: str
    accelerator: str
    accelerators_per_instance: int
    on_demand_usd_per_h: Decimal | None
    spot_min_usd_per_h: Decimal | None
    spot_max_usd_per_h: Decimal | None
    reserved_1y_usd_per_h: Decimal | None
    reserved_3y_usd_per_h: Decimal | None
    billing: Billing
    egress_usd_per_gb: Decimal
    egress_basis: Basis
    egress_source: str
    storage_usd_per_gb_month: Decimal
    storage_basis: Basis
    storage_source: str
    other_usd_per_h: Decimal | None
    other_source: str
    source: str
    checked_on: datetime.date
    confidence: str
    note: str = ""

    @property
    def basis(self) -> Basis:
        """``quoted`` from the source, or ``assumed`` where the row is from memory."""
        return "assumed" if self.confidence == "memory" else "quoted"

    @property
    def is_disputed(self) -> bool:
        """Whether the second source gives an on-demand price that differs by more than 1%."""
        if self.on_demand_usd_per_h is None or self.other_usd_per_h is None:
            return False
        return abs(self.other_usd_per_h - self.on_demand_usd_per_h) > _AGREEMENT_FRAC * self.on_demand_usd_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchasePrice:
    """What one instance costs for an hour, bought in one way; low and high differ where the price is a range."""

    option: PurchaseOption
    usd_per_h: Decimal
    low_usd_per_h: Decimal
    high_usd_per_h: Decimal
    basis: Basis
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What a provider charges beside the instances."""

    egress_usd_per_gb: Decimal
    egress_basis: Basis
    egress_source: str
    storage_usd_per_gb_month: Decimal
    storage_basis: Basis
    storage_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """A reserved price as a share of the on-demand price, for providers that publish no reserved prices."""

    of_on_demand_frac: Decimal
    source: str


@cache
def offers() -> tuple[InstanceOffer, ...]:
    """All instance offers, in the order of ``data/gpu_offers.csv``.

    Raises:
        CatalogError: a row breaks a rule: an unknown accelerator, a size that is not sold, spot above on-demand, a
            price per accelerator outside its plausible band, or no price at all.
    """
    return read_table("gpu_offers.csv", _offer)


def purchase_prices(
    offer: InstanceOffer, multipliers: Mapping[tuple[str, str], Multiplier] | None = None
) -> tuple[PurchasePrice, ...]:
    """The ways to buy ``offer`` for a workload that goes on, each with its price; none for a prepaid block.

    Reserved prices are the row's own where quoted, else on-demand times ``multipliers`` (by provider and option;
    the catalogue's where not given) with basis "assumed". Spot is the middle of its range. An offer without an
    on-demand price is only for sale as what it has a price for.
    """
    if offer.billing == "prepaid_block":
        return ()
    shares = reserved_multipliers() if multipliers is None else multipliers
    found = (
        _on_demand(offer),
        _reserved(offer, "reserved_1y", shares),
        _reserved(offer, "reserved_3y", shares),
        _spot(offer),
    )
    return tuple(price for price in found if price is not None)


@cache
def reserved_multipliers() -> Mapping[tuple[str, str], Multiplier]:
    """Reserved prices as shares of on-demand, by (provider, option), from ``data/gpu_price_multipliers.csv``."""
    return dict(read_table("gpu_price_multipliers.csv", _multiplier))


def _on_demand(offer: InstanceOffer) -> PurchasePrice | None:
    if offer.on_demand_usd_per_h is None:
        return None
    disputed = f"; {offer.other_usd_per_h} says {offer.other_source}" if offer.is_disputed else ""
    return _single("on_demand", offer.on_demand_usd_per_h, offer.basis, offer.source + disputed)


def _reserved(
    offer: InstanceOffer, option: Literal["reserved_1y", "reserved_3y"], shares: Mapping[tuple[str, str], Multiplier]
) -> PurchasePrice | None:
    quoted = offer.reserved_1y_usd_per_h if option == "reserved_1y" else offer.reserved_3y_usd_per_h
    if quoted is not None:
        return _single(option, quoted, offer.basis, offer.source)
    share = shares.get((offer.provider, option))
    if share is None or offer.on_demand_usd_per_h is None:
        return None
    return _single(option, offer.on_demand_usd_per_h * share.of_on_demand_frac, "assumed", share.source)


def _spot(offer: InstanceOffer) -> PurchasePrice | None:
    low, high = offer.spot_min_usd_per_h, offer.spot_max_usd_per_h
    if low is None or high is None:
        return None
    return PurchasePrice(
        option="spot",
        usd_per_h=(low + high) / _MIDDLE,
        low_usd_per_h=low,
        high_usd_per_h=high,
        basis=offer.basis,
        source=offer.source,
    )


def _single(option: PurchaseOption, usd_per_h: Decimal, basis: Basis, source: str) -> PurchasePrice:
    return PurchasePrice(
        option=option,
        usd_per_h=usd_per_h,
        low_usd_per_h=usd_per_h,
        high_usd_per_h=usd_per_h,
        basis=basis,
        source=source,
    )


def _offer(row: Row) -> InstanceOffer:
    terms = _terms_of(row)
    offer = InstanceOffer(
        provider=row.text("provider"),
        instance=row.text("instance"),
        region=row.text("region"),
        accelerator=_accelerator_name(row, "accelerator"),
        accelerators_per_instance=row.count("accelerators_per_instance"),
        on_demand_usd_per_h=row.optional_price("on_demand_usd_per_h"),
        spot_min_usd_per_h=row.optional_price("spot_min_usd_per_h"),
        spot_max_usd_per_h=row.optional_price("spot_max_usd_per_h"),
        reserved_1y_usd_per_h=row.optional_price("reserved_1y_usd_per_h"),
        reserved_3y_usd_per_h=row.optional_price("reserved_3y_usd_per_h"),
        billing=row.choice("billing", get_args(Billing)),
        egress_usd_per_gb=terms.egress_usd_per_gb,
        egress_basis=terms.egress_basis,
        egress_source=terms.egress_source,
        storage_usd_per_gb_month=terms.storage_usd_per_gb_month,
        storage_basis=terms.storage_basis,
        storage_source=terms.storage_source,
        other_usd_per_h=row.optional_price("other_usd_per_h"),
        other_source=row.optional_text("other_source"),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
        confidence=row.text("confidence"),
        note=row.optional_text("note"),
    )
    _check_prices(row, offer)
    _check_band(row, offer)
    return offer


def _check_prices(row: Row, offer: InstanceOffer) -> None:
    on_demand, low, high = offer.on_demand_usd_per_h, offer.spot_min_usd_per_h, offer.spot_max_usd_per_h
    reserved = [price for price in (offer.reserved_1y_usd_per_h, offer.reserved_3y_usd_per_h) if price is not None]
    if offer.accelerators_per_instance not in _INSTANCE_SIZES:
        raise row.wrong(f"accelerators_per_instance must be one of {_INSTANCE_SIZES}")
    if on_demand is None and high is None and not reserved:
        raise row.wrong("the offer has no price at all")
    if (low is None) != (high is None):
        raise row.wrong("spot needs both ends of its range")
    if low is not None and high is not None and low > high:
        raise row.wrong("spot_min_usd_per_h is above spot_max_usd_per_h")
    if on_demand is not None and max(reserved + ([high] if high is not None else []), default=on_demand) > on_demand:
        raise row.wrong("a spot or reserved price is above the on-demand price")


def _check_band(row: Row, offer: InstanceOffer) -> None:
    if offer.on_demand_usd_per_h is None:
        return
    low, high = _price_bands()[offer.accelerator]
    per_accelerator = offer.on_demand_usd_per_h / offer.accelerators_per_instance
    if not low <= per_accelerator <= high:
        raise row.wrong(
            f"{per_accelerator:.4f} USD an hour for one {offer.accelerator} is outside {low} to {high}: "
            "is it a price per instance with the wrong number of accelerators?"
        )


@cache
def _price_bands() -> Mapping[str, tuple[Decimal, Decimal]]:
    def band(row: Row) -> tuple[str, tuple[Decimal, Decimal]]:
        return _accelerator_name(row, "accelerator"), (row.amount("low_usd_per_h"), row.amount("high_usd_per_h"))

    return dict(read_table("gpu_price_bands.csv", band))


@cache
def _terms() -> Mapping[str, _Terms]:
    def terms(row: Row) -> tuple[str, _Terms]:
        return row.text("provider"), _Terms(
            egress_usd_per_gb=row.amount("egress_usd_per_gb"),
            egress_basis=row.choice("egress_basis", get_args(Basis)),
            egress_source=row.text("egress_source"),
            storage_usd_per_gb_month=row.amount("storage_usd_per_gb_month"),
            storage_basis=row.choice("storage_basis", get_args(Basis)),
            storage_source=row.text("storage_source"),
        )

    return dict(read_table("gpu_providers.csv", terms))


def _terms_of(row: Row) -> _Terms:
    provider = row.text("provider")
    if provider not in _terms():
        raise row.wrong(f"provider {provider!r} has no row in gpu_providers.csv")
    return _terms()[provider]


def _multiplier(row: Row) -> tuple[tuple[str, str], Multiplier]:
    option = row.choice("option", ("reserved_1y", "reserved_3y"))
    share = row.amount("of_on_demand_frac")
    if not 0 < share <= 1:
        raise row.wrong("of_on_demand_frac must be above 0 and at most 1")
    return (row.text("provider"), option), Multiplier(of_on_demand_frac=share, source=row.text("source"))


def _accelerator_name(row: Row, column: str) -> str:
    try:
        return accelerator(row.text(column)).name
    except UnknownName as unknown:
        raise row.wrong(f"{unknown.message}; {unknown.hint}") from None
