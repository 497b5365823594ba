"""Mixed GPU types: which requests, by size, are served on which instances, so that the mix costs least.

The method is Melange's (Griggs et al. 2024, arXiv 2404.14527): requests fall into buckets by input and output length,
each instance type serves each bucket at some most rate, and a request takes 1 / rate of an instance. Here a bucket may
be split between types in any proportion, which a router can do and which costs no more; numbers of instances are whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.offers import PurchasePrice
from breakeven.errors import InputError, NothingFits
from breakeven.options.instance_hours import float_usd_per_h, hours_line, hours_usd, month_usd
from breakeven.options.statement import CostStatement
from breakeven.plan.integer_program import IntegerProgram

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

INPUT_EDGES: Final = (0, 256, 1_024, 4_096, 16_384)
OUTPUT_EDGES: Final = (0, 64, 256, 1_024)
"""Lower ends of the buckets, in tokens."""

_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Requests of about one size: mean lengths, the longest of each, and how many arrive a second at the peak."""

    name: str
    mean_input_tokens: float
    mean_output_tokens: float
    longest_input_tokens: int
    longest_request_tokens: int
    requests_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedType:
    """An instance type as it would serve: the most requests per second of each bucket alone, 0 where it cannot."""

    name: str
    requests_per_s: tuple[float, ...]
    price: PurchasePrice


@dataclass(frozen=True, slots=True, kw_only=True)
class MixPart:
    """Instances of one type, and the share of each bucket that they serve."""

    name: str
    instances: int
    price: PurchasePrice
    served_frac: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixPlan:
    """The cheapest mix, beside the cheapest single type (None where no type serves every bucket).

    ``proved_usd_per_month`` is what no other mix can undercut.
    """

    buckets: tuple[Bucket, ...]
    parts: tuple[MixPart, ...]
    statement: CostStatement
    proved_usd_per_month: Decimal
    single_name: str | None
    single_instances: int
    single_usd_per_month: Decimal | None


def request_buckets(
    input_tokens: Ints,
    output_tokens: Ints,
    requests_per_s: float,
    input_edges: Sequence[int] = INPUT_EDGES,
    output_edges: Sequence[int] = OUTPUT_EDGES,
) -> tuple[Bucket, ...]:
    """Requests by size, as shares of a rate; buckets without a request are left out.

    ``input_tokens`` and ``output_tokens`` have shape (n,); the edges are lower ends, ascending from 0.
    """
    row = np.searchsorted(input_edges, input_tokens, side="right") - 1
    column = np.searchsorted(output_edges, output_tokens, side="right") - 1
    found = []
    for i, j in sorted(set(zip(row.tolist(), column.tolist(), strict=True))):
        inside = (row == i) & (column == j)
        inputs, outputs = input_tokens[inside], output_tokens[inside]
        found.append(
            Bucket(
                name=f"{_span(input_edges, i)} in, {_span(output_edges, j)} out",
                mean_input_tokens=float(inputs.mean()),
                mean_output_tokens=float(outputs.mean()),
                longest_input_tokens=int(inputs.max()),
                longest_request_tokens=int((inputs + outputs).max()),
                requests_per_s=requests_per_s * float(inside.mean()),
            )
        )
    return tuple(found)


def _span(edges: Sequence[int], place: int) -> str:
    return f"{edges[place]:,}-{edges[place + 1]:,}" if place + 1 < len(edges) else f"{edges[place]:,}+"


def mix(
    buckets: Sequence[Bucket],
    types: Iterable[MixedType],
    *,
    slices_per_bucket: int | None = None,
    time_limit_s: float = 30.0,
) -> MixPlan:
    """The cheapest whole numbers of instances that together serve every bucket.

    ``slices_per_bucket`` gives a bucket away in that many equal parts only, as in the paper; None in any share.

    Raises:
        InputError: no bucket, or rates that do not match the buckets.
        NothingFits: a bucket that no type serves.
        Unavailable: HiGHS is not installed.
    """
    offered = undominated(types)
    if not buckets or any(len(each.requests_per_s) != len(buckets) for each in offered):
        raise InputError("each type needs one rate for each bucket of requests", hint="give buckets and rates")
    loads = _loads(buckets, offered)
    unserved = [bucket.name for b, bucket in enumerate(buckets) if not np.isfinite(loads[:, b]).any()]
    if unserved:
        raise NothingFits(
            f"no instance type serves requests of {unserved[0]} tokens",
            cause="they miss the latency requirement, or do not fit in memory",
            hint="allow more: --ttft 5",
        )
    counts, shares, proved = _solve(loads, offered, slices_per_bucket, time_limit_s)
    single = _best_single(loads, offered)
    if single is not None and _usd_per_h(single, offered) <= _usd_per_h(counts, offered):
        # Never dearer than one type alone, to the cent: floats and a time limit do not decide that.
        counts, shares = single, (single > 0)[:, None] * np.ones((1, len(buckets)))
    parts = tuple(
        MixPart(name=each.name, instances=int(n), price=each.price, served_frac=tuple(share.tolist()))
        for each, n, share in zip(offered, counts, shares, strict=True)
        if n
    )
    lines = (hours_line(each.name, each.price, each.instances * units.HOURS_PER_MONTH) for each in parts)
    statement = CostStatement(lines=tuple(lines))
    return MixPlan(
        buckets=tuple(buckets),
        parts=parts,
        statement=statement,
        proved_usd_per_month=min(statement.usd_per_month, month_usd(proved, 1)),
        single_name=None if single is None else offered[int(np.argmax(single))].name,
        single_instances=0 if single is None else int(single.max()),
        single_usd_per_month=None if single is None else month_usd(_usd_per_h(single, offered), 1),
    )


def undominated(types: Iterable[MixedType]) -> tuple[MixedType, ...]:
    """Without types that another one replaces: no dearer, and no slower on any bucket."""
    kept: list[MixedType] = []
    for each in sorted(types, key=lambda one: (one.price.usd_per_h, -sum(one.requests_per_s), one.name)):
        if not any(all(a >= b for a, b in zip(k.requests_per_s, each.requests_per_s, strict=True)) for k in kept):
            kept.append(each)
    return tuple(kept)


def _loads(buckets: Sequence[Bucket], types: Sequence[MixedType]) -> Floats:
    """Instances that each type needs for each whole bucket, shape (types, buckets); infinite where it cannot."""
    rates = np.array([each.requests_per_s for each in types], dtype=np.float64)
    asked = np.array([bucket.requests_per_s for bucket in buckets])
    loads: Floats = np.divide(asked, rates, out=np.full(rates.shape, np.inf), where=rates > 0)
    return loads


def _solve(
    loads: Floats, types: Sequence[MixedType], slices: int | None, time_limit_s: float
) -> tuple[Ints, Floats, float]:
    """Whole instances of each type, the shares of shape (types, buckets), and the proved least US dollars an hour."""
    program = IntegerProgram()
    counts = [program.variable(cost=float_usd_per_h(each.price)) for each in types]
    parts = float(slices or 1)
    shares = {
        (k, b): program.variable(upper=parts, whole=slices is not None) for k, b in np.argwhere(np.isfinite(loads))
    }
    for b in range(loads.shape[1]):
        program.bound([(number, 1.0) for (_, of), number in shares.items() if of == b], low=parts, high=parts)
    for k, count in enumerate(counts):
        used = [(number, float(loads[k, b]) / parts) for (by, b), number in shares.items() if by == k]
        program.bound([*used, (count, -1.0)], high=0.0)
    found = program.solve(time_limit_s=time_limit_s)
    served = np.zeros(loads.shape)
    for (k, b), number in shares.items():
        served[k, b] = found.values[number] / parts
    return np.rint(found.values[counts]).astype(np.int64), served, found.proved_cost


def _best_single(loads: Floats, types: Sequence[MixedType]) -> Ints | None:
    """The numbers of instances with the cheapest type that serves every bucket alone."""
    totals = loads.sum(axis=1)
    able = np.flatnonzero(np.isfinite(totals))
    if not len(able):
        return None
    needed = {int(k): int(np.ceil(totals[k] * (1 - _SLACK))) for k in able}
    cheapest = min(needed, key=lambda k: hours_usd(types[k].price, needed[k]))
    counts: Ints = np.eye(len(types), dtype=np.int64)[cheapest] * needed[cheapest]
    return counts


def _usd_per_h(counts: Ints, types: Sequence[MixedType]) -> Fraction:
    parts = (hours_usd(each.price, int(n)) for n, each in zip(counts, types, strict=True))
    return sum(parts, Fraction(0))
