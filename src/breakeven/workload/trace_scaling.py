"""A trace scaled to one average day, with every step said as an assumption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Assumption, Basis
from breakeven.errors import TraceError, WorkloadError
from breakeven.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.settings import MAX_REQUESTS_PER_DAY, Settled, checked, settle
from breakeven.workload.shapes import DailyShape, assumed_shape, daily_shape, normalised
from breakeven.workload.stated_values import whole
from breakeven.workload.toml_file import shape_assumption, shared_prefix_frac
from breakeven.workload.trace import Trace
from breakeven.workload.workload import Workload

MINUTES_PER_HOUR: Final = 60
SECONDS_PER_MINUTE: Final = 60


def workload_of_trace(
    trace: Trace,
    overrides: WorkloadOverrides,
    *,
    stated: Mapping[str, Mapping[str, object]] | None = None,
    where: str = "override",
) -> Workload:
    """The workload that a trace shows, scaled to a day. ``stated`` are the tables of a workload file beside it.

    A trace of a day or more gives volume and daily shape from its whole days. A shorter one gives its mean rate, held
    to be the day's mean rate, and the hours follow a named shape.

    Raises:
        TraceError: the trace shows no rate, and none is stated.
        WorkloadError: a stated value is wrong or contradicts the trace.
    """
    tables = stated or {}
    settled = settle(tables, overrides, where=where)
    requests_per_day, volume = _volume(trace, tables.get("workload", {}), overrides, where)
    shape = _shape(trace, tables.get("workload", {}), overrides, where)
    burst_frac, settled_assumptions = _burst(trace, settled)
    reuse_frac, reuse = _prefix_reuse(trace, settled, where)
    return Workload(
        name=trace.name,
        requests_per_day=requests_per_day,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        hourly_shape=shape.hourly_shape,
        burst_frac=burst_frac,
        growth_per_month_frac=settled["growth_per_month_frac"],
        duplicate_requests_frac=settled["duplicate_requests_frac"],
        shared_prefix_tokens=settled["shared_prefix_tokens"],
        prefix_reuse_frac=reuse_frac,
        requirements=settled.requirements(),
        costs=settled.costs(),
        assumptions=(volume, *_measured(trace), shape_assumption(shape), *reuse, *settled_assumptions, *_notes(trace)),
        trace=trace,
    )


def workload_from_columns(
    name: str,
    timestamps_s: Sequence[float] | NDArray[np.float64],
    input_tokens: Sequence[int] | NDArray[np.int64],
    output_tokens: Sequence[int] | NDArray[np.int64],
    overrides: WorkloadOverrides | None = None,
) -> Workload:
    """A workload from plain columns of equal length; ``timestamps_s`` are seconds since 1970, UTC, in any order.

    Raises:
        TraceError: no rows, columns of different lengths, NaN, or negative tokens.
    """
    stamps = np.asarray(timestamps_s, dtype=np.float64)
    inputs, outputs = np.asarray(input_tokens, dtype=np.int64), np.asarray(output_tokens, dtype=np.int64)
    if not len(stamps) == len(inputs) == len(outputs) > 0:
        raise TraceError(f"{name}: columns of {len(stamps)}, {len(inputs)} and {len(outputs)} rows")
    if not np.isfinite(stamps).all() or min(inputs.min(), outputs.min()) < 0:
        raise TraceError(f"{name}: a timestamp that is not finite, or negative tokens")
    order = np.argsort(stamps, kind="stable")
    trace = Trace(
        name=name,
        format_name="columns",
        arrivals_s=stamps[order] - stamps[order[0]],
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        starts_at_clock_s=float(stamps[order[0]]) % SECONDS_PER_DAY,
        clock="UTC",
    )
    return workload_of_trace(trace, overrides or WorkloadOverrides())


def recorded_peak_requests_per_s(trace: Trace) -> float:
    """Arrival rate in the busiest minute that a plan makes of the trace with nothing stated, requests per second.

    A trace of less than a day stands for its busiest hour, and one of less than a minute for the busiest minute.
    Infinite if all requests arrive at once.
    """
    if _whole_days(trace) >= 1:
        return workload_of_trace(trace, WorkloadOverrides()).peak_requests_per_s
    if trace.span_s < SECONDS_PER_MINUTE:
        return trace.requests_per_day / SECONDS_PER_DAY
    hours = _hours_of_minutes(trace)
    return float(max(hours, key=lambda hour: int(hour.sum())).max()) / SECONDS_PER_MINUTE


def burst_frac_of(trace: Trace) -> float | None:
    """Busiest minute over the mean of its hour, in the busiest hour of each day, the median over the days.

    Hours count from the first arrival, and a shorter rest counts as an hour. None for a trace of less than a minute.
    """
    if trace.span_s < SECONDS_PER_MINUTE:
        return None
    hours = _hours_of_minutes(trace)
    days = [hours[start : start + HOURS_PER_DAY] for start in range(0, len(hours), HOURS_PER_DAY)]
    busiest = [max(day, key=lambda hour: int(hour.sum())) for day in days]
    bursts = [float(hour.max() / hour.mean()) for hour in busiest if hour.any()]
    return float(np.median(bursts)) if bursts else None


def _hours_of_minutes(trace: Trace) -> list[NDArray[np.int64]]:
    """Requests in each whole minute, hour by hour; a rest of less than an hour is an hour only where it is alone."""
    minutes = int(trace.span_s // SECONDS_PER_MINUTE)
    per_minute = np.bincount((trace.arrivals_s // SECONDS_PER_MINUTE).astype(np.int64), minlength=minutes)[:minutes]
    hours = [per_minute[start : start + MINUTES_PER_HOUR] for start in range(0, minutes, MINUTES_PER_HOUR)]
    if len(hours) > 1 and len(hours[-1]) < MINUTES_PER_HOUR:
        hours.pop()
    return hours


def _whole_days(trace: Trace) -> int:
    """Whole days that the trace covers; an export of one day may miss up to an hour of it."""
    return int((trace.span_s + SECONDS_PER_HOUR) // SECONDS_PER_DAY)


def _volume(
    trace: Trace, table: Mapping[str, object], overrides: WorkloadOverrides, where: str
) -> tuple[int, Assumption]:
    override = overrides.requests_per_day
    if override is not None or "requests_per_day" in table:
        value, source = (override, "override") if override is not None else (table["requests_per_day"], "workload file")
        place = "override requests_per_day" if override is not None else f"{where}: [workload] requests_per_day"
        requests: int = checked(whole(1, MAX_REQUESTS_PER_DAY), value, where=place)
        return requests, _per_day(requests, "quoted", f"{source}; the trace gives the tokens")
    if trace.span_s <= 0:
        raise TraceError(
            f"{trace.name}: the trace shows no rate",
            cause="it has one request" if trace.rows == 1 else f"all {trace.rows:,} requests have the same timestamp",
            hint="state the volume in a workload file: [workload] trace = ..., requests_per_day = ...",
        )
    per_day, assumption = _measured_volume(trace)
    if per_day > MAX_REQUESTS_PER_DAY:
        raise TraceError(
            f"{trace.name}: {per_day:,} requests a day",
            cause=f"{trace.rows:,} rows in {trace.span_s:g} s",
            hint="check the unit of the timestamps, or state requests_per_day",
        )
    return per_day, assumption


def _measured_volume(trace: Trace) -> tuple[int, Assumption]:
    days = _whole_days(trace)
    if days >= 1:
        inside = int(np.searchsorted(trace.arrivals_s, days * SECONDS_PER_DAY))
        per_day = max(1, round(inside / min(days, trace.span_s / SECONDS_PER_DAY)))
        return per_day, _per_day(per_day, "measured", f"{inside:,} rows in the first {days} whole days of the trace")
    per_day = max(1, round(trace.requests_per_day))
    rule = (
        f"{trace.rows:,} rows in {_duration(trace.span_s)}: the trace's mean rate is held to be the mean rate of every "
        f"day of a month"
    )
    return per_day, _per_day(per_day, "assumed", rule)


def _per_day(requests: int, basis: Basis, source: str) -> Assumption:
    return Assumption(name="requests_per_day", value=requests, unit="requests/day", basis=basis, source=source)


def _shape(trace: Trace, table: Mapping[str, object], overrides: WorkloadOverrides, where: str) -> DailyShape:
    if overrides.hourly_shape is not None:
        return daily_shape(overrides.hourly_shape, where="override")
    if "hourly_shape" in table:
        return daily_shape(table["hourly_shape"], where=where)
    days = _whole_days(trace)
    if days >= 1:
        return _measured_shape(trace, days)
    return assumed_shape(because=f"the trace covers {_duration(trace.span_s)}, less than a day")


def _measured_shape(trace: Trace, days: int) -> DailyShape:
    inside = trace.arrivals_s[: np.searchsorted(trace.arrivals_s, days * SECONDS_PER_DAY)]
    starts_at = trace.starts_at_clock_s or 0.0
    hours = ((inside + starts_at) % SECONDS_PER_DAY // SECONDS_PER_HOUR).astype(np.int64)
    counts = np.bincount(np.minimum(hours, HOURS_PER_DAY - 1), minlength=HOURS_PER_DAY)
    clock = trace.clock if trace.starts_at_clock_s is not None else "hours counted from the first request"
    return DailyShape(
        name="the trace's",
        hourly_shape=normalised([float(count) for count in counts]),
        basis="measured",
        source=f"{len(inside):,} rows in {days} whole days; {clock}",
    )


def _burst(trace: Trace, settled: Settled) -> tuple[float, tuple[Assumption, ...]]:
    """The stated burst, else the trace's, else the default; with the settings' assumptions brought in line."""
    stated = next(found for found in settled.assumptions if found.name == "burst_frac")
    measured = burst_frac_of(trace) if stated.basis == "assumed" else None
    if measured is None:
        return settled["burst_frac"], settled.assumptions
    own = Assumption(
        name=stated.name,
        value=round(measured, 3),
        unit=stated.unit,
        basis="measured",
        source="busiest minute of the busiest hour of each day of the trace",
    )
    return measured, tuple(own if found is stated else found for found in settled.assumptions)


def _prefix_reuse(trace: Trace, settled: Settled, where: str) -> tuple[float, tuple[Assumption, ...]]:
    if trace.prefix_reuse_frac is None:
        return shared_prefix_frac(trace.input_tokens, settled, where=where), ()
    if settled["shared_prefix_tokens"]:
        raise WorkloadError(
            f"{where}: shared_prefix_tokens beside a trace that tells its prefixes",
            cause=f"the trace's prefix blocks show {trace.prefix_reuse_frac:.1%} of the input tokens repeated",
            hint="leave shared_prefix_tokens out",
        )
    measured = Assumption(
        name="prefix_reuse_frac",
        value=round(trace.prefix_reuse_frac, 4),
        unit="of the input tokens",
        basis="measured",
        source="prefix blocks seen earlier in the trace; a cache of unlimited size and life",
    )
    return trace.prefix_reuse_frac, (measured,)


def _measured(trace: Trace) -> tuple[Assumption, ...]:
    source = f"{trace.rows:,} rows, format {trace.format_name}"
    return tuple(
        Assumption(name=name, value=round(float(tokens.mean()), 1), unit="tokens", basis="measured", source=source)
        for name, tokens in (("mean_input_tokens", trace.input_tokens), ("mean_output_tokens", trace.output_tokens))
    )


def _notes(trace: Trace) -> tuple[Assumption, ...]:
    return tuple(
        Assumption(name="trace_reading", value=note, unit="", basis="measured", source=trace.name)
        for note in trace.notes
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7_200 else f"{seconds / SECONDS_PER_HOUR:.1f} h"
