"""How long spot capacity stays and how long it is gone, by zone, as observed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from math import log, sqrt

from breakeven.catalog.tables import Row, read_table

SAME_REGION_CORRELATION = 0.43
"""Correlation of "a spot instance can be had" between two zones of one region, mean over the 45-day observations.

Source: computed from skypilot-org/spot-traces, AWS 2023. Between regions it was 0.14.
"""

_ROUNDED_FRAC = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """How long a state lasts, in hours. The median lies far below the mean: many short spells, few very long ones."""

    median_h: float
    mean_h: float

    @property
    def sigma(self) -> float:
        """Spread of the log-normal with this median and mean: ``mean = median * exp(sigma**2 / 2)``."""
        return sqrt(2 * log(max(self.mean_h / self.median_h, 1.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotZone:
    """One zone's spells in which an instance could be had (``up``) and could not (``down``).

    ``available_frac`` is the share of ``observed_days`` in which it could.
    """

    zone: str
    accelerator: str
    accelerators_per_instance: int
    available_frac: float
    observed_days: float
    up_spells: int
    up: Spell
    down: Spell
    source: str
    checked_on: datetime.date

    @property
    def region(self) -> str:
        """The zone without its letter.

        >>> next(zone.region for zone in spot_zones() if zone.zone == "us-east-1a")
        'us-east-1'
        """
        return self.zone[:-1]


@cache
def spot_zones() -> tuple[SpotZone, ...]:
    """All observations, in the order of ``data/spot_availability.csv``; a zone may be observed more than once.

    Raises:
        CatalogError: a row is wrong, or its spells do not give its availability.
    """
    return read_table("spot_availability.csv", _zone)


def _zone(row: Row) -> SpotZone:
    found = SpotZone(
        zone=row.text("zone"),
        accelerator=row.text("accelerator"),
        accelerators_per_instance=row.count("accelerators_per_instance"),
        available_frac=row.number("available_frac"),
        observed_days=row.number("observed_days"),
        up_spells=row.count("up_spells"),
        up=Spell(median_h=row.number("up_median_h"), mean_h=row.number("up_mean_h")),
        down=Spell(median_h=row.number("down_median_h"), mean_h=row.number("down_mean_h")),
        source=row.text("source"),
        checked_on=row.date("checked_on"),
    )
    for name, spell in (("up", found.up), ("down", found.down)):
        if spell.median_h > spell.mean_h:
            raise row.wrong(f"{name}_median_h is above {name}_mean_h, but spells have a long tail")
    implied = found.up.mean_h / (found.up.mean_h + found.down.mean_h)
    if abs(implied - found.available_frac) > _ROUNDED_FRAC:
        raise row.wrong(f"the mean spells give an availability of {implied:.3f}, not {found.available_frac}")
    return found
