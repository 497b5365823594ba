"""``breakeven calibrate`` as text or JSON (``breakeven/calibrate/1``)."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Any, Final

import numpy as np

from breakeven.errors import InputError
from breakeven.render import json, text
from breakeven.render.document import Document, Row, Section, Table, left, right
from breakeven.serving.calibration import Calibration
from breakeven.serving.corrections import Correction, EdgeCorrection, Factor
from breakeven.serving.observed_load import Observed

CALIBRATE_FORMATS: Final = ("text", "json")
"""Formats of ``breakeven calibrate``."""

_SHOWN: Final = 20
_AFTER: Final = (
    "After is measured on points that a factor had not seen: each is left out in turn. One point alone has none."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateReport:
    """Corrections that were stored, where, and what could not be used."""

    store: str
    calibration: Calibration

    @property
    def rows(self) -> tuple[tuple[str, Correction | EdgeCorrection], ...]:
        """Each correction with what it belongs to."""
        found = self.calibration.corrections
        servers = tuple((str(each.deployment), each) for each in found.servers)
        return (*servers, *((each.device, each) for each in found.devices))


def render_calibrate(report: CalibrateReport, output_format: str, style: text.TextStyle = text.PLAIN) -> str:
    """The report in ``output_format``.

    Raises:
        InputError: an unknown format.
    """
    match output_format:
        case "text":
            return text.render(calibrate_document(report), style)
        case "json":
            return json.render("calibrate", calibrate_body(report))
    raise InputError(f"no format {output_format!r}", hint=f"use one of: {', '.join(CALIBRATE_FORMATS)}")


def calibrate_body(report: CalibrateReport) -> dict[str, Any]:
    """The fields of ``breakeven/calibrate/1``."""
    factors = [_factors(each) for _, each in report.rows]
    return {
        "store": report.store,
        "points": sum(found["tpot"].points for found in factors),
        "error_before": {name: _overall(factors, name, "error_before_frac") for name in ("tpot", "ttft")},
        "error_after": {name: _overall(factors, name, "error_after_frac") for name in ("tpot", "ttft")},
        "corrections": [_correction_body(each) for _, each in report.rows],
        "unused": [{"line": line, "reason": reason} for line, reason in report.calibration.unused],
        "observed": [_observed_body(each) for each in report.calibration.observed],
    }


def calibrate_document(report: CalibrateReport) -> Document:
    """The corrections with their errors, what was left out, and how to use them."""
    rows = report.rows
    unused = report.calibration.unused
    left_out = tuple(f"line {line}: {text.printable(reason)}" for line, reason in unused[:_SHOWN])
    return Document(
        title=f"Calibrated {len(rows)} deployment{'s' if len(rows) != 1 else ''}",
        headline=(
            f"Stored in {report.store}; use it with: breakeven plan WORKLOAD --calibration {report.store}",
            *_verdict(report),
        ),
        sections=(
            Section(title="Corrections", sentences=(_AFTER,), table=_table(report)),
            *map(_observed_section, report.calibration.observed),
            *((Section(title=f"Left out: {len(unused)} rows", points=left_out),) if unused else ()),
        ),
    )


def _verdict(report: CalibrateReport) -> tuple[str, ...]:
    body = calibrate_body(report)
    before, after = body["error_before"]["tpot"], body["error_after"]["tpot"]
    if after is None:
        return ()
    note = "" if after <= before else " The model alone was nearer on these points: measure more, or look for outliers."
    return (f"Median error of the time per token: {before:.1%} before, {after:.1%} after.{note}",)


def _table(report: CalibrateReport) -> Table:
    columns = (
        left("deployment", wraps=True),
        right("points"),
        left("factor on", wraps=True),
        right("measured/modelled"),
        right("error before"),
        right("after"),
        right("80% band"),
    )
    rows: list[Row] = []
    for name, each in report.rows:
        for quantity, factor in _factors(each).items():
            band = f"x {each.low_factor:.2f} to {each.high_factor:.2f}" if quantity == "tpot" else "-"
            rows.append(Row(cells=(text.printable(name), *_cells(quantity, factor), band)))
    return Table(
        caption="Factors on the modelled time, and the median error before and after",
        columns=columns,
        rows=tuple(rows),
    )


def _cells(quantity: str, factor: Factor) -> tuple[str, ...]:
    after = factor.error_after_frac
    label = {"tpot": "time per token", "ttft": "time to first token"}[quantity]
    return (
        f"{factor.points}",
        label,
        f"{factor.value:.3f}",
        f"{factor.error_before_frac:.1%}",
        "-" if after is None else f"{after:.1%}",
    )


def _factors(each: Correction | EdgeCorrection) -> dict[str, Factor]:
    if isinstance(each, EdgeCorrection):
        return {"tpot": each.decode}
    return {"tpot": each.tpot} | ({} if each.ttft is None else {"ttft": each.ttft})


def _overall(factors: list[dict[str, Factor]], quantity: str, error: str) -> float | None:
    """Median over the deployments of their median errors; None where none has one."""
    found = [getattr(each[quantity], error) for each in factors if quantity in each]
    known = [value for value in found if value is not None]
    return float(np.median(known)) if known else None


def _observed_section(observed: Observed) -> Section:
    """Real requests: the loads they met, and how many were left out and why."""
    left_out = sum(observed.left_out.values())
    early = f" {observed.cache_reads:,} had part of their prompt cached: only their time per token is used."
    return Section(
        title=text.printable(observed.name),
        sentences=(
            f"{observed.requests:,} requests are used, {left_out:,} left out.{early if observed.cache_reads else ''}",
        ),
        points=tuple(f"{count:,} {reason}" for reason, count in observed.left_out.items()),
        table=_loads_table(observed),
    )


def _loads_table(observed: Observed) -> Table:
    names = ("requests", "in flight", "input tokens", "output tokens", "TTFT ms", "TPOT ms")
    rows = [
        Row(
            cells=(
                f"{load.requests:,}",
                f"{load.concurrency:,.1f}",
                f"{load.input_tokens:,.0f}",
                f"{load.output_tokens:,.0f}",
                "-" if isnan(load.ttft_ms) else f"{load.ttft_ms:,.1f}",
                f"{load.tpot_ms:,.2f}",
            )
        )
        for load in observed.loads
    ]
    caption = "Means of load and lengths, medians of times, by how many requests were in flight"
    return Table(caption=caption, columns=tuple(map(right, names)), rows=tuple(rows))


def _observed_body(observed: Observed) -> dict[str, Any]:
    return {
        "name": observed.name,
        "requests": observed.requests,
        "cache_reads": observed.cache_reads,
        "left_out": [{"reason": reason, "requests": count} for reason, count in observed.left_out.items()],
        "loads": [
            {
                "requests": load.requests,
                "concurrency": load.concurrency,
                "input_tokens": load.input_tokens,
                "output_tokens": load.output_tokens,
                "ttft_ms": None if isnan(load.ttft_ms) else load.ttft_ms,
                "tpot_ms": load.tpot_ms,
            }
            for load in observed.loads
        ],
    }


def _correction_body(each: Correction | EdgeCorrection) -> dict[str, Any]:
    server = each.deployment if isinstance(each, Correction) else None
    return {
        "kind": "gpu" if server else "edge",
        "device": server.accelerator if server else getattr(each, "device", None),
        "model": server.model if server else None,
        "precision": server.precision if server else None,
        "engine": (server.engine or None) if server else None,
        "n_gpus": server.accelerators if server else 1,
        "tp": server.tensor_parallel if server else 1,
        "dp": server.data_parallel if server else 1,
        **{name: _factor_body(_factors(each).get(name)) for name in ("tpot", "ttft")},
        "low": each.low_factor,
        "high": each.high_factor,
        "calibrated_on": each.calibrated_on.isoformat(),
        "source": each.source,
        "basis": "measured",
    }


def _factor_body(factor: Factor | None) -> dict[str, Any] | None:
    if factor is None:
        return None
    return {
        "factor": factor.value,
        "points": factor.points,
        "error_before_frac": factor.error_before_frac,
        "error_after_frac": factor.error_after_frac,
    }
