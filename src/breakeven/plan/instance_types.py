"""Instances on offer as replicas of one model would run on them: how many requests each carries, of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from breakeven.catalog.accelerators import accelerator
from breakeven.catalog.offers import InstanceOffer, PurchasePrice, offers, purchase_prices
from breakeven.catalog.open_models import OpenModel
from breakeven.catalog.precisions import Precision, gpu_precisions
from breakeven.errors import NothingFits, UnknownName
from breakeven.options.gpu_fleet import COMMITMENT_MONTHS
from breakeven.options.gpu_grid import TENSOR_PARALLEL
from breakeven.options.instance_hours import hours_usd
from breakeven.plan.mix import Bucket, Floats
from breakeven.serving.capacity import CapacityColumns, RequestShape, replica_capacity
from breakeven.serving.corrections import Corrections
from breakeven.workload.workload import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """An offer filled with replicas of one model at one precision, each over ``tensor_parallel`` accelerators."""

    offer: InstanceOffer
    precision: Precision
    tensor_parallel: int

    @property
    def replicas(self) -> int:
        """Replicas that one instance holds."""
        return self.offer.accelerators_per_instance // self.tensor_parallel

    @property
    def name(self) -> str:
        """Where, and how the model runs there."""
        where = f"{self.offer.provider}/{self.offer.instance}@{self.offer.region}"
        return f"{where} {self.precision.name} tp{self.tensor_parallel}"

    @property
    def on_demand(self) -> PurchasePrice:
        """The price by the hour without a commitment, which each of them has."""
        return next(price for price in purchase_prices(self.offer) if price.option == "on_demand")


def instance_types(provider: str | None = None, instance: str | None = None) -> tuple[InstanceType, ...]:
    """Every way to fill the offers that are rented by the hour and sold on demand.

    Raises:
        UnknownName: no such offer of this provider or with this instance name; the hint lists those there are.
    """
    sold = [offer for offer in offers() if offer.billing == "hour" and offer.on_demand_usd_per_h is not None]
    for wanted, what in ((provider, "provider"), (instance, "instance")):
        names = sorted({getattr(offer, what) for offer in sold})
        if wanted is not None and wanted not in names:
            raise UnknownName(f"no {what} {wanted!r} rents by the hour", hint=f"one of {', '.join(names)}")
    return tuple(
        InstanceType(offer=offer, precision=precision, tensor_parallel=width)
        for offer in sold
        if provider in {None, offer.provider} and instance in {None, offer.instance}
        for width in TENSOR_PARALLEL
        if offer.accelerators_per_instance % width == 0
        for precision in gpu_precisions()
    )


def carried_by(
    types: Sequence[InstanceType],
    model: OpenModel,
    request: RequestShape,
    slo: Slo,
    corrections: Corrections | None = None,
) -> CapacityColumns:
    """Capacity of one replica of each type within the requirement: columns of shape (types,)."""
    names = list(dict.fromkeys(each.offer.accelerator for each in types))
    precisions = list(dict.fromkeys(each.precision for each in types))
    return replica_capacity(
        [model],
        [accelerator(name) for name in names],
        precisions,
        request=request,
        slo=slo,
        corrections=corrections,
        model=np.zeros(len(types), dtype=np.int64),
        accelerator=np.array([names.index(each.offer.accelerator) for each in types]),
        precision=np.array([precisions.index(each.precision) for each in types]),
        tensor_parallel=np.array([each.tensor_parallel for each in types]),
    )


def requests_per_s(
    types: Sequence[InstanceType],
    model: OpenModel,
    request: RequestShape,
    slo: Slo,
    corrections: Corrections | None = None,
) -> Floats:
    """Requests per second that one instance of each type sustains within the requirement, shape (types,); 0: cannot."""
    found = carried_by(types, model, request, slo, corrections).requests_per_s
    rates: Floats = np.nan_to_num(found) * np.array([each.replicas for each in types])
    return rates


def bucket_shape(bucket: Bucket) -> RequestShape:
    """The requests of a bucket as the serving model sees them."""
    return RequestShape(
        mean_input_tokens=bucket.mean_input_tokens,
        mean_output_tokens=bucket.mean_output_tokens,
        percentile_input_tokens=float(bucket.longest_input_tokens),
        longest_request_tokens=bucket.longest_request_tokens,
    )


def cheapest_for(
    types: Sequence[InstanceType], carried: Floats, peak_requests_per_s: float, count: int = 1
) -> tuple[tuple[InstanceType, float], ...]:
    """Types that carry the peak for least on demand, cheapest first, one an offer, with what one instance carries.

    Raises:
        NothingFits: no type carries a request.
    """
    able = np.flatnonzero(carried > 0).tolist()
    needed = {row: max(1, ceil(peak_requests_per_s / carried[row])) for row in able}
    # Between equal totals the type that carries more leaves more room.
    ranked = sorted(able, key=lambda row: (hours_usd(types[row].on_demand, needed[row]), -carried[row]))
    if not ranked:
        raise NothingFits(
            "no instance on offer serves this model within the latency requirement",
            hint="name a smaller model, or allow more: --ttft 5 --tpot 0.2",
        )
    best: dict[InstanceOffer, int] = {}
    for row in ranked:
        best.setdefault(types[row].offer, row)
    return tuple((types[row], float(carried[row])) for row in list(best.values())[:count])


def prices_of(offer: InstanceOffer, max_commitment_months: int) -> tuple[PurchasePrice, ...]:
    """The ways to buy an offer whose commitment is no longer than allowed."""
    return tuple(price for price in purchase_prices(offer) if COMMITMENT_MONTHS[price.option] <= max_commitment_months)
