"""What a token costs at each speed that a replica can give its users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from breakeven.catalog.offers import offers, purchase_prices
from breakeven.errors import NothingFits
from breakeven.options.replica_price import ReplicaPrice
from breakeven.serving.interactivity import InteractivityCurve
from breakeven.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractivityReport:
    """A curve with the price of its replica, and US dollars per million output tokens at each of its points."""

    curve: InteractivityCurve
    price: ReplicaPrice
    usd_per_output_mtok: tuple[Decimal, ...]

    @property
    def band_usd_per_output_mtok(self) -> tuple[tuple[float, float], ...]:
        """Least and most at each point, as the band of the curve's throughput leaves them: for drawing."""
        low, high = self.curve.low_factor, self.curve.high_factor
        return tuple((float(usd) / high, float(usd) / low) for usd in self.usd_per_output_mtok)


def interactivity_report(curve: InteractivityCurve, usd_per_gpu_h: Decimal | None = None) -> InteractivityReport:
    """The curve in money, at a stated price of an accelerator's hour or at the least on-demand price.

    The replica is taken to be busy at that concurrency all the time; a fleet's idle hours come on top.

    Raises:
        NothingFits: no offer has this accelerator by the hour on demand.
    """
    price = _cheapest(curve) if usd_per_gpu_h is None else _stated(curve, usd_per_gpu_h)
    mtok_s = (TOKENS_PER_MTOK / Fraction(float(rate)) for rate in curve.output_tokens_per_s)
    costs = tuple(price.usd(seconds / SECONDS_PER_HOUR) for seconds in mtok_s)
    return InteractivityReport(curve=curve, price=price, usd_per_output_mtok=costs)


def _stated(curve: InteractivityCurve, usd_per_gpu_h: Decimal) -> ReplicaPrice:
    gpu_frac = Fraction(1, curve.tensor_parallel)
    return ReplicaPrice(usd_per_h=usd_per_gpu_h, replicas=gpu_frac, basis="quoted", source="as stated")


def _cheapest(curve: InteractivityCurve) -> ReplicaPrice:
    """The least on-demand price of the accelerators, in instances that hold whole replicas."""
    found = [
        replace(
            ReplicaPrice.share_of(terms, offer.accelerators_per_instance // curve.tensor_parallel),
            source=f"on demand, {offer.provider}/{offer.instance}@{offer.region}: {terms.source}",
        )
        for offer in offers()
        if offer.accelerator == curve.accelerator
        and offer.billing == "hour"
        and offer.accelerators_per_instance % curve.tensor_parallel == 0
        for terms in purchase_prices(offer)
        if terms.option == "on_demand"
    ]
    if not found:
        raise NothingFits(
            f"no offer has {curve.tensor_parallel} {curve.accelerator} by the hour on demand",
            hint="state a price: --usd-per-gpu-h X",
        )
    return min(found, key=lambda price: price.usd_per_replica_h)
