"""What could still be saved on the chosen option, from this workload's own data; never from a constant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven import units
from breakeven.catalog.evidence import Basis
from breakeven.options.hosted_api import HostedApis
from breakeven.plan.market import Market
from breakeven.plan.plan import Lever
from breakeven.plan.repeats import FOR_EVER_S, durations_s, replay_repeats
from breakeven.workload.trace import Trace
from breakeven.workload.workload import Workload

NOTHING = Decimal("0E-9")

SHORT_TTL_S: Final = 300.0
"""How long an answer is kept at least, where a cache is worth its name."""


def levers(workload: Workload, market: Market, chosen: int) -> tuple[Lever, ...]:
    """The levers that the workload gives evidence for, as ranges; the low end is what is certain."""
    return tuple(lever for lever in _all(workload, market, chosen) if lever.usd_per_month_saved_high > 0)


def _all(workload: Workload, market: Market, chosen: int) -> Iterator[Lever]:
    if workload.duplicate_requests_frac:
        yield _response_cache(workload, market, chosen)
    elif workload.trace is not None and workload.trace.contents is not None:
        yield _replayed_cache(workload, workload.trace, workload.trace.contents, market, chosen)
    place = market.place(chosen)
    table = market.tables[place.table]
    if isinstance(table, HostedApis):
        if workload.prefix_reuse_frac:
            yield _prompt_cache(workload, table, place.row)
        if (batch := table.batch_row(place.row)) is not None:
            yield _batch(workload, table, place.row, batch)


def _response_cache(workload: Workload, market: Market, chosen: int) -> Lever:
    """Exact repeats answered from memory: the same option at the volume that is left."""
    curve, volume = market.curve(chosen), workload.requests_per_day
    left = max(1, volume - int(volume * workload.duplicate_requests_frac))
    return _lever(
        "response cache",
        low=NOTHING,
        high=units.rounded_usd(curve.usd_per_month(volume) - curve.usd_per_month(left)),
        basis=_basis(workload, "duplicate_requests_frac"),
        note=f"{workload.duplicate_requests_frac:.1%} of requests repeat exactly; the low end is no repeat in time",
    )


def _replayed_cache(
    workload: Workload, trace: Trace, contents: NDArray[np.int64], market: Market, chosen: int
) -> Lever:
    """The repeats of a trace: those that come soon for certain, all of them at most.

    The tokens of the hits leave the option's volume, since repeats are not as long as other requests.
    """
    took_s = durations_s(trace)
    tokens = trace.input_tokens + trace.output_tokens
    hits = [replay_repeats(contents, trace.arrivals_s, took_s, ttl_s).hits for ttl_s in (SHORT_TTL_S, FOR_EVER_S)]
    curve, volume = market.curve(chosen), workload.requests_per_day
    all_tokens = max(1, int(tokens.sum()))
    left = [max(1, volume - volume * int(tokens[each].sum()) // all_tokens) for each in hits]
    low, high = (units.rounded_usd(curve.usd_per_month(volume) - curve.usd_per_month(each)) for each in left)
    return _lever(
        "response cache",
        low=low,
        high=high,
        basis="measured",
        note=f"replayed: {hits[0].mean():.2%} of requests repeat exactly within {SHORT_TTL_S / 60:.0f} minutes, "
        f"{hits[1].mean():.2%} at all",
    )


def _prompt_cache(workload: Workload, table: HostedApis, row: int) -> Lever:
    """Repeated prefixes read from the provider's cache, from none of them in time to all of them."""
    now = table.curve(row).usd_per_month(workload.requests_per_day)
    cached = table.usd_per_month_with_cached_prefixes(row)
    return _lever(
        "provider prompt cache",
        low=NOTHING,
        high=units.rounded_usd(max(Fraction(0), now - cached)),
        basis=_basis(workload, "prefix_reuse_frac"),
        note=f"{workload.prefix_reuse_frac:.1%} of input tokens repeat a prefix; at the low end each has expired",
    )


def _batch(workload: Workload, table: HostedApis, row: int, batch: int) -> Lever:
    volume = workload.requests_per_day
    saved = table.curve(row).usd_per_month(volume) - table.curve(batch).usd_per_month(volume)
    return _lever(
        "batch processing",
        low=NOTHING,
        high=units.rounded_usd(max(Fraction(0), saved)),
        basis="quoted",
        note="from no request to all requests being able to wait 24 hours",
    )


def _lever(name: str, *, low: Decimal, high: Decimal, basis: Basis, note: str) -> Lever:
    return Lever(name=name, usd_per_month_saved_low=low, usd_per_month_saved_high=high, basis=basis, note=note)


def _basis(workload: Workload, assumption: str) -> Basis:
    return next((found.basis for found in workload.assumptions if found.name == assumption), "assumed")
