"""What an hour of a replica costs: a stated price, or its share of an instance's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from breakeven import units
from breakeven.catalog.evidence import Basis
from breakeven.catalog.name_index import NameIndex
from breakeven.catalog.offers import InstanceOffer, PurchasePrice, offers, purchase_prices
from breakeven.errors import InputError
from breakeven.serving.fleet_file import FleetFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPrice:
    """US dollars of an hour of what is bought, and the ``replicas`` that share it: a part of one for a single GPU."""

    usd_per_h: Decimal
    replicas: Fraction = Fraction(1)
    basis: Basis
    source: str

    @classmethod
    def share_of(cls, price: PurchasePrice, replicas: Fraction | int) -> ReplicaPrice:
        """The price of each of the replicas that fill an instance."""
        return cls(usd_per_h=price.usd_per_h, replicas=Fraction(replicas), basis=price.basis, source=price.source)

    @property
    def usd_per_replica_h(self) -> Decimal:
        """The price of one replica for an hour that it is paid for, to 28 digits: for printing."""
        return self.usd_per_h * self.replicas.denominator / self.replicas.numerator

    def usd(self, replica_h: Fraction | Decimal | float) -> Decimal:
        """The price of replica hours, rounded once to a nano-dollar; a float counts as the number that it prints."""
        return units.rounded_usd(Fraction(self.usd_per_h) * Fraction(str(replica_h)) / self.replicas)


def replica_price(file: FleetFile) -> ReplicaPrice | None:
    """The price that the file states or points to; None where it does neither.

    Raises:
        UnknownName: no offer has that name.
        InputError: the offer has another GPU, or is not sold that way.
    """
    if file.usd_per_replica_h is not None:
        return ReplicaPrice(usd_per_h=file.usd_per_replica_h, basis="quoted", source="fleet file")
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
    return ReplicaPrice.share_of(sold[file.purchase], Fraction(offer.accelerators_per_instance, file.tensor_parallel))


def _offer(name: str) -> InstanceOffer:
    by_label = {f"{each.provider}/{each.instance}@{each.region}": each for each in offers()}
    return by_label[NameIndex("offer", by_label, {}).canonical(name)]
