"""Replica hours into money: a stated price of a replica, or its share of an instance of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from breakeven import units
from breakeven.catalog.evidence import Basis
from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.offers import InstanceOffer, offers, purchase_prices
from breakeven.errors import InputError
from breakeven.serving.fleet_file import FleetFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPrice:
    """US dollars of one replica for an hour that it is paid for."""

    usd_per_replica_h: Decimal
    basis: Basis
    source: str

    def usd(self, replica_h: float) -> Decimal:
        """The price of replica hours, rounded once to a nano-dollar."""
        return units.rounded_usd(self.usd_per_replica_h * Decimal(repr(replica_h)))


def replica_price(file: FleetFile) -> ReplicaPrice | None:
    """The price that the file states or points to; None where it does neither.

    Raises:
        UnknownName: no offer has that name.
        InputError: the offer has another GPU, or is not sold that way.
    """
    if file.usd_per_replica_h is not None:
        return ReplicaPrice(usd_per_replica_h=file.usd_per_replica_h, basis="quoted", source="fleet file")
    if not file.offer:
        return None
    offer = _offer(file.offer)
    if offer.accelerator != file.accelerator.name:
        raise InputError(
            f"the offer {file.offer} has {offer.accelerator}, the fleet {file.accelerator.name}",
            hint=f'gpu = "{offer.accelerator}", or another offer',
        )
    sold = {price.option: price for price in purchase_prices(offer)}
    if file.purchase not in sold:
        raise InputError(
            f"the offer {file.offer} is not sold as {file.purchase}", cause=f"it is sold as {', '.join(sold) or 'none'}"
        )
    price = sold[file.purchase]
    share = Decimal(file.tensor_parallel) / offer.accelerators_per_instance
    return ReplicaPrice(usd_per_replica_h=price.usd_per_h * share, basis=price.basis, source=price.source)


def _offer(name: str) -> InstanceOffer:
    by_label = {f"{each.provider}/{each.instance}@{each.region}": each for each in offers()}
    return by_label[NameIndex("offer", by_label, {}).canonical(name)]
