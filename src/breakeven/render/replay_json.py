"""The fields of ``breakeven/replay/1``."""

from __future__ import annotations

from math import isinf
from typing import Any

from breakeven.options.replayed_bills import CONFIDENCE, Interval, Saving
from breakeven.plan.lever_report import LeverReport, LeverResult, PrefixShare, Repetition
from breakeven.render.money import decimal_text
from breakeven.units import usd


def replay_body(report: LeverReport) -> dict[str, Any]:
    """A replay as JSON values. Where one lever was asked for, its fields also stand at the top."""
    asked = next((lever for lever in report.levers if lever.name == report.asked), None)
    return {
        "trace": {
            "name": report.trace_name,
            "requests": report.requests,
            "span_s": report.span_s,
            "input_tokens": report.input_tokens,
            "output_tokens": report.output_tokens,
        },
        "model": report.card.label,
        **({} if asked is None else lever_body(asked)),
        "levers": [lever_body(lever) for lever in report.levers],
        "repetition": None if report.repetition is None else _repetition_body(report.repetition),
        "prefixes": None if report.prefixes is None else [_prefix_body(each) for each in report.prefixes],
        "prefix_min_tokens": report.prefix_min_tokens,
        "price": {
            "label": report.card.label,
            "source": report.card.source,
            "checked_on": report.card.checked_on.isoformat(),
        },
        "assumptions": [
            {"name": a.name, "value": a.value, "unit": a.unit, "basis": a.basis, "source": a.source}
            for a in report.assumptions
        ],
        "notes": list(report.notes),
    }


def lever_body(lever: LeverResult) -> dict[str, Any]:
    """One lever; what is unknown is null, and ``unknown`` says why."""
    found = lever.saving
    if found is None:
        names = ("bill_ratio", "input_bill_ratio", "usd", "usd_saved", "nano_usd_saved")
        figures = dict.fromkeys((*names, "usd_per_month", "usd_saved_per_month", "interval"))
    else:
        figures = _saving_body(found)
    return {
        "lever": lever.name,
        "rule": lever.rule,
        "ttl_s": lever.ttl_s,
        "hits": lever.hits,
        **figures,
        "compared": dict(lever.compared),
        "unknown": lever.unknown or None,
    }


def _saving_body(found: Saving) -> dict[str, Any]:
    month, saved = found.usd_per_month, found.usd_saved_per_month
    return {
        "bill_ratio": found.bill_ratio,
        "input_bill_ratio": found.input_bill_ratio,
        "usd": decimal_text(usd(found.without_nano_usd)),
        "usd_saved": decimal_text(usd(found.saved_nano_usd)),
        "nano_usd_saved": found.saved_nano_usd,
        "usd_per_month": None if month is None else decimal_text(month),
        "usd_saved_per_month": None if saved is None else decimal_text(saved),
        "interval": _interval_body(found),
    }


def _interval_body(found: Saving) -> dict[str, Any] | None:
    saved, month, ratio = found.saved_usd_interval, found.usd_saved_per_month_interval, found.bill_ratio_interval
    if saved is None or month is None or ratio is None:
        return None
    return {
        "confidence": CONFIDENCE,
        "usd_saved": _ends(saved),
        "usd_saved_per_month": _ends(month),
        "bill_ratio": {"low": float(ratio.low), "high": float(ratio.high)},
    }


def _ends(interval: Interval) -> dict[str, str]:
    return {"low": decimal_text(interval.low), "high": decimal_text(interval.high)}


def _repetition_body(found: Repetition) -> dict[str, Any]:
    return {
        "requests_frac": found.requests_frac,
        "input_tokens_frac": found.input_tokens_frac,
        "usd_frac": found.usd_frac,
        "ttl_s": found.ttl_s,
        "within_ttl_frac": found.within_ttl_frac,
        "single_flight_frac": found.single_flight_frac,
        "unknown_requests": found.unknown_requests,
    }


def _prefix_body(share: PrefixShare) -> dict[str, Any]:
    return {"ttl_s": None if isinf(share.ttl_s) else share.ttl_s, "input_tokens_frac": share.input_tokens_frac}
