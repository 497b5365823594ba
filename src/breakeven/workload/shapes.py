"""Daily shapes: how a day's requests spread over its 24 hours."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from breakeven.catalog.evidence import Basis
from breakeven.errors import WorkloadError
from breakeven.units import HOURS_PER_DAY
from breakeven.workload.stated_values import real

ASSUMED_SHAPE: Final = "consumer"
"""Name of the only shape here that was measured on a language-model service."""

_WEIGHT: Final = real("0", "1e30")


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyShape:
    """Share of a day's requests in each hour: 24 numbers that sum to 1, hour 0 first, local time."""

    name: str
    hourly_shape: tuple[float, ...]
    basis: Basis
    source: str

    @property
    def peak_to_mean_frac(self) -> float:
        """Busiest hour over the mean hour."""
        return max(self.hourly_shape) * HOURS_PER_DAY


@cache
def named_shapes() -> dict[str, DailyShape]:
    """The shapes of ``data/daily_shapes.toml`` by name."""
    text = files("breakeven.workload").joinpath("data/daily_shapes.toml").read_text(encoding="utf-8")
    return {
        name: DailyShape(name=name, hourly_shape=normalised(row["hourly"]), basis=row["basis"], source=row["source"])
        for name, row in tomllib.loads(text).items()
    }


def daily_shape(stated: object, *, where: str) -> DailyShape:
    """The shape of a name or of 24 numbers; ``where`` says who stated it.

    Raises:
        WorkloadError: an unknown name, not 24 numbers, a negative one, or nothing but zeros.
    """
    if isinstance(stated, str):
        return _named(stated, where)
    if not isinstance(stated, Sequence) or len(stated) != HOURS_PER_DAY:
        count = f"{len(stated)} of them" if isinstance(stated, Sequence) else repr(stated)
        raise WorkloadError(
            f"{where}: hourly_shape must be flat, office, consumer or {HOURS_PER_DAY} numbers",
            cause=f"got {count}",
            hint="write one number an hour, hour 0 first; any scale will do",
        )
    hourly = [_hour_weight(weight, hour, where) for hour, weight in enumerate(stated)]
    if not sum(hourly) > 0:
        raise WorkloadError(f"{where}: hourly_shape has no requests in any hour", hint='write hourly_shape = "flat"')
    return DailyShape(name="24 numbers", hourly_shape=normalised(hourly), basis="quoted", source=where)


def assumed_shape(*, because: str) -> DailyShape:
    """The shape of a workload that neither states nor shows one: consumer, the one that was measured on real users."""
    shape = named_shapes()[ASSUMED_SHAPE]
    return DailyShape(
        name=shape.name,
        hourly_shape=shape.hourly_shape,
        basis="assumed",
        source=f"{because}; shape from {shape.source}",
    )


def normalised(hourly: Sequence[float]) -> tuple[float, ...]:
    """The same shape with a sum of 1."""
    largest = max(hourly)
    scaled = [weight / largest for weight in hourly]
    total = sum(scaled)
    return tuple(weight / total for weight in scaled)


def _named(name: str, where: str) -> DailyShape:
    known = named_shapes()
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.0)[0]
    raise WorkloadError(
        f"{where}: hourly_shape {name!r} is unknown",
        cause=f"the named shapes are {', '.join(known)}",
        hint=f'write hourly_shape = "{nearest}", or 24 numbers',
    )


def _hour_weight(weight: object, hour: int, where: str) -> float:
    try:
        return _WEIGHT(weight)
    except ValueError as broken:
        raise WorkloadError(
            f"{where}: hourly_shape has {weight!s:.40} at hour {hour}", cause=f"each hour must be {broken}"
        ) from None
