"""``breakeven simulate`` as text, JSON (``breakeven/simulate/1``), CSV, Markdown or HTML."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from math import isnan
from typing import Final

import numpy as np

from breakeven.errors import InputError
from breakeven.plan.fleet_report import Alternative, FleetReport
from breakeven.render import csv, json, markdown, text
from breakeven.render.csv import text_cell
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.render.money import UNKNOWN, usd_text
from breakeven.render.simulation_charts import replica_chart, utilization_chart
from breakeven.render.simulation_json import simulation_body
from breakeven.serving.simulation_result import Percentiles, SimulationResult, Timeline

SIMULATION_FORMATS: Final = ("text", "json", "csv", "markdown", "html")
"""Formats of ``breakeven simulate``."""

TIMELINE_ROWS: Final = 24
"""Rows of the timeline that are shown; JSON and CSV have all."""


def render_simulation(report: FleetReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The report in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(simulation_document(report), style)
        case "json":
            return json.render("simulate", simulation_body(report))
        case "csv":
            return simulation_csv(report)
        case "markdown":
            return markdown.render(simulation_document(report))
        case "html":
            page: str = import_module("breakeven.render.html").render(simulation_document(report))
            return page
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(SIMULATION_FORMATS)}")


def simulation_document(report: FleetReport) -> Document:
    """The answer, latencies, use and cost, other ways to scale, the timeline, and what it rests on."""
    return Document(
        title=f"{report.trace_name} on {report.file.label}",
        headline=_headline(report),
        sections=(
            _latency_section(report),
            Section(title="Use and cost", points=_use_points(report)),
            *_alternative_sections(report),
            *_timeline_sections(report),
            Section(title="Basis", points=_basis_points(report), notes=report.notes),
        ),
    )


def simulation_csv(report: FleetReport) -> str:
    """One row a stretch of the timeline."""
    line = report.result.timeline
    columns = (line.replicas, line.busy_frac, line.requests_per_s, line.waiting_requests)
    rows = (
        (f"{place * line.bin_s:.0f}", *(f"{value:.6g}" for value in values))
        for place, values in enumerate(zip(*columns, strict=True))
    )
    header = ("starts_at_s", "replicas", "busy_frac", "requests_per_s", "waiting_requests")
    return csv.render(tuple(map(text_cell, header)), rows)


def _headline(report: FleetReport) -> tuple[str, ...]:
    result, slo = report.result, report.file.fleet.slo
    served = f"{result.served_requests:,} of {result.requests:,} requests served in {hours_text(result.span_s / 3_600)}"
    sent = f" {percent(result.spilled_frac)} sent to the API." if report.file.fleet.spill is not None else ""
    required = f"TTFT {slo.ttft_s:g} s and TPOT {slo.tpot_s * 1e3:g} ms at p{slo.percentile:g}"
    met = "met" if is_met(report) else "not met"
    return (
        f"{served} by {fleet_text(report)}.{sent}",
        f"{required}: {met}; {percent(result.within_slo_frac)} of the requests are within both{_of_which(result)}.",
    )


def _of_which(result: SimulationResult) -> str:
    """What the share is of, where it is not of all requests."""
    return ", those sent to the API left out" if result.spilled_requests and not result.spilled_is_timed else ""


def is_met(report: FleetReport) -> bool:
    """Whether the required share of the requests is within TTFT and TPOT."""
    return report.result.within_slo_frac >= report.file.fleet.slo.percentile / 100


def fleet_text(report: FleetReport) -> str:
    """How many replicas there are, in words."""
    scaling = report.file.fleet.autoscaling
    if scaling is None:
        count = report.file.fleet.replicas
        return f"{count} {'replica' if count == 1 else 'replicas'}"
    return f"{scaling.min_replicas} to {scaling.max_replicas} replicas, scaled by {scaling.policy}"


def _latency_section(report: FleetReport) -> Section:
    result = report.result
    rows = tuple(
        Row(cells=(name, *percentile_cells(told)))
        for name, told in (("TTFT", result.ttft), ("TPOT", result.tpot), ("whole answer", result.e2e))
    )
    columns = (left("Latency"), right("p50"), right("p90"), right("p95"), right("p99"))
    wait = (
        f"A request waits {latency_text(result.mean_wait_s)} in the queue on average; "
        f"{result.mean_waiting_requests:.2f} wait at a time, {result.most_waiting_requests:,} at most."
    )
    return Section(
        title="Latency", table=Table(caption="Percentiles of latency", columns=columns, rows=rows), notes=(wait,)
    )


def percentile_cells(told: Percentiles) -> tuple[str, ...]:
    """Four percentiles as text."""
    return tuple(latency_text(value) for value in (told.p50_s, told.p90_s, told.p95_s, told.p99_s))


def _use_points(report: FleetReport) -> tuple[str, ...]:
    result = report.result
    used = f"{percent(result.utilization_frac)} busy, {percent(1 - result.utilization_frac)} idle"
    points = [
        f"Paid for {hours_text(result.replica_h)} of replicas: {used}. One running sequence makes a replica busy.",
        f"{result.input_tokens:,} input and {result.output_tokens:,} output tokens in {result.steps:,} steps.",
        *_preemption_points(result),
        *([f"{result.recomputed_tokens:,} tokens were prefilled again."] if result.recomputed_tokens else []),
    ]
    if report.file.fleet.autoscaling is not None or report.file.spot is not None:
        points.append(f"{result.cold_starts:,} cold starts.")
    if report.file.spot is not None:
        points.append(
            f"{result.interruptions:,} replicas interrupted; {result.interrupted_requests:,} requests computed again."
        )
    points += _spill_points(report)
    if report.price is None:
        return (*points, 'Dollars: unknown; write [cost] usd_per_replica_h or offer = "provider/instance@region".')
    if report.usd is None:
        return (*points, "Dollars: unknown; write model in [spill], which has a price for what is sent there.")
    month, each = report.usd_per_month, report.usd_per_1k_requests
    hourly = f"{usd_text(report.price.usd_per_replica_h, 4)} a replica hour"
    parts = [f"{usd_text(report.usd)} at {hourly}{', API included' if report.result.spilled_requests else ''}"]
    parts += [] if month is None else [f"{usd_text(month)} a month of 730 hours"]
    parts += [] if each is None else [f"{usd_text(each, 4)} per 1,000 requests"]
    return (*points, f"{'; '.join(parts)} ({report.price.basis}: {report.price.source}).")


def _spill_points(report: FleetReport) -> tuple[str, ...]:
    """What went to the API, and what it charges."""
    spill, result = report.file.fleet.spill, report.result
    if spill is None:
        return ()
    tokens = f"{result.spilled_input_tokens.sum():,} input and {result.spilled_output_tokens.sum():,} output tokens"
    sent = (
        f"{result.spilled_requests:,} requests ({tokens}) found no replica ready, or more than "
        f"{spill.above_requests_per_replica:,} requests on it, and went to the API"
    )
    usd = report.alternatives[0].spilled_usd
    if report.api is None or usd is None:
        return (f"{sent}.",)
    return (f"{sent}, {report.api.label}: {usd_text(usd)} (quoted: {report.api.source}).",)


def _preemption_points(result: SimulationResult) -> tuple[str, ...]:
    """How often the cache was full, where it was."""
    if not result.preemptions:
        return ()
    often = "once" if result.preemptions == 1 else f"{result.preemptions:,} times"
    return (f"The cache was full: {often} a running request lost its place.",)


def _alternative_sections(report: FleetReport) -> tuple[Section, ...]:
    if len(report.alternatives) == 1:
        return ()
    columns = (
        left("Fleet"),
        right("Replica hours"),
        right("USD"),
        right("TTFT p99"),
        right("TPOT p99"),
        right("Within both"),
        right("Cold starts"),
        right("Interrupted"),
        right("To the API"),
    )
    rows = tuple(_alternative_row(each, marked=place == 0) for place, each in enumerate(report.alternatives))
    return (
        Section(
            title="Other ways to scale it",
            table=Table(caption="The same requests, scaled otherwise", columns=columns, rows=rows),
        ),
    )


def _alternative_row(each: Alternative, *, marked: bool) -> Row:
    result: SimulationResult = each.result
    cells = (
        each.label,
        f"{result.replica_h:,.2f}",
        UNKNOWN if each.usd is None else usd_text(each.usd),
        latency_text(result.ttft.p99_s),
        latency_text(result.tpot.p99_s),
        percent(result.within_slo_frac),
        f"{result.cold_starts:,}",
        f"{result.interruptions:,}",
        percent(result.spilled_frac),
    )
    return Row(cells=cells, marked=marked)


def _timeline_sections(report: FleetReport) -> tuple[Section, ...]:
    """How busy the fleet was, and, where it scales, how many replicas there were: each a table and its chart."""
    line = report.result.timeline
    used = Table(
        caption="The replay over time",
        columns=(right("From"), right("Requests/s"), right("Busy"), right("Longest queue")),
        rows=tuple(
            Row(
                cells=(
                    from_text,
                    f"{line.requests_per_s[part].mean():,.2f}",
                    percent(float(line.busy_frac[part].mean())),
                    f"{line.waiting_requests[part].max():,}",
                )
            )
            for from_text, part in _stretches(line)
        ),
    )
    over_time = Section(title="Over time", table=used, chart=utilization_chart(line))
    if report.file.fleet.autoscaling is None:
        return (over_time,)
    held = Table(
        caption="Replicas over time",
        columns=(right("From"), right("Fewest"), right("Mean"), right("Most")),
        rows=tuple(
            Row(cells=(from_text, *(f"{of(line.replicas[part]):,.2f}" for of in (np.min, np.mean, np.max))))
            for from_text, part in _stretches(line)
        ),
    )
    return over_time, Section(title="Replicas paid for", table=held, chart=replica_chart(line))


def _stretches(line: Timeline) -> Iterator[tuple[str, slice]]:
    """The timeline in at most `TIMELINE_ROWS` parts, each with the hour at which it begins."""
    group = -(-len(line.replicas) // TIMELINE_ROWS)
    for place in range(0, len(line.replicas), group):
        yield hours_text(place * line.bin_s / 3_600), slice(place, place + group)


def _basis_points(report: FleetReport) -> tuple[str, ...]:
    engine = report.engine
    told = "modelled and corrected by measurements" if engine.basis == "measured" else "modelled"
    band = (
        f"Step times are {told}; 80% of measured throughputs were {engine.low_factor:.3g} to "
        f"{engine.high_factor:.3g} times that of the model."
    )
    shown = (
        f"{each.name} = {_value(each.value)} {each.unit} ({each.basis}: {each.source})" for each in report.assumptions
    )
    return (band, *shown)


def _value(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def latency_text(seconds: float) -> str:
    """Milliseconds below a second, seconds above; unknown where nothing was measured.

    >>> latency_text(0.0123), latency_text(2.5), latency_text(float("nan"))
    ('12.3 ms', '2.50 s', 'unknown')
    """
    if isnan(seconds):
        return UNKNOWN
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def hours_text(hours: float) -> str:
    """Hours with two decimals.

    >>> hours_text(12.345)
    '12.35 h'
    """
    return f"{hours:,.2f} h"


def percent(frac: float) -> str:
    """A share as percent; unknown where there is none.

    >>> percent(0.9995), percent(float("nan"))
    ('99.95%', 'unknown')
    """
    return UNKNOWN if isnan(frac) else f"{frac * 100:.2f}%"
