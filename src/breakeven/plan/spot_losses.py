"""Spot interruptions for a replay: when replicas are lost, and which, from the spells of the zones that hold them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from breakeven import units
from breakeven.catalog.spot import SpotZone, spot_zones
from breakeven.errors import UnknownName
from breakeven.plan.spot import SpotPolicy, simulate_spot
from breakeven.serving.cold_start import ColdStart
from breakeven.serving.interruptions import Interruptions, SpotTerms

LEAST_OBSERVED_DAYS = 40.0
"""Observations of at least so many days are used; the table's shorter ones are of other instance sizes."""


def observed_zones(names: Sequence[str] = ()) -> tuple[SpotZone, ...]:
    """The observations of zones by name, or of all.

    Raises:
        UnknownName: a zone that was not observed, or not for long.
    """
    known = {zone.zone: zone for zone in spot_zones() if zone.observed_days >= LEAST_OBSERVED_DAYS}
    for name in names:
        if name not in known:
            raise UnknownName(f"no spot zone {name!r} was observed", hint=f"one of {', '.join(known)}")
    return tuple(known[name] for name in names or known)


def spot_interruptions(
    terms: SpotTerms, replicas: int, hours: float, cold_start: ColdStart, weight_bytes: float
) -> Interruptions:
    """What a fleet on spot loses within some hours: all but ``terms.kept_replicas`` of its ``replicas`` are on spot.

    The zones' process says how many go at once; which, is drawn, so that a fleet that holds fewer than all at that
    time loses its share. A lost instance is asked for in another zone, on demand where none has any, and comes after a
    cold start. The same seed gives the same losses.

    Raises:
        UnknownName: a zone that was not observed.
    """
    on_spot = replicas - terms.kept_replicas
    if on_spot < 1:
        return Interruptions(kept_replicas=terms.kept_replicas, cold_start=cold_start)
    delay_h = cold_start.whole_s(weight_bytes) / units.SECONDS_PER_HOUR
    policy = SpotPolicy(instances=on_spot, delay_h=delay_h, hours=hours, seed=terms.seed)
    losses = simulate_spot(observed_zones(terms.zones), policy).losses
    random = np.random.default_rng(terms.seed)
    lost = [
        (at_h * units.SECONDS_PER_HOUR, place)
        for at_h, count in losses
        for place in random.permutation(on_spot)[:count].tolist()
    ]
    return Interruptions(
        at_s=tuple(at_s for at_s, _ in lost),
        places=tuple(place for _, place in lost),
        kept_replicas=terms.kept_replicas,
        notice_s=terms.notice_s,
        cold_start=cold_start,
    )
