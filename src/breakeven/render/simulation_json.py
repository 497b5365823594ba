"""The fields of ``breakeven/simulate/1``."""

from __future__ import annotations

from math import isfinite
from typing import Any

from breakeven.plan.fleet_report import Alternative, FleetReport
from breakeven.render.money import decimal_text
from breakeven.serving.fleet import Fleet
from breakeven.serving.simulation_result import Percentiles, SimulationResult, Timeline


def simulation_body(report: FleetReport) -> dict[str, Any]:
    """A replay as JSON values; a latency of which there is none is null."""
    result, file = report.result, report.file
    return {
        "trace": {"name": report.trace_name, "arrivals": report.arrivals, "span_s": result.span_s},
        "fleet": {
            "label": file.label,
            "model": file.model.name,
            "gpu": file.accelerator.name,
            "precision": file.precision.name,
            "tensor_parallel": file.tensor_parallel,
            "dispatch": file.fleet.dispatch,
            "admission": file.admission,
            **_replicas_body(file.fleet),
        },
        "requirements": {
            "ttft_s": file.fleet.slo.ttft_s,
            "tpot_s": file.fleet.slo.tpot_s,
            "percentile": file.fleet.slo.percentile,
        },
        **_result_body(result),
        "spill": _spill_body(report),
        "tokens": {
            "input": result.input_tokens,
            "output": result.output_tokens,
            "recomputed": result.recomputed_tokens,
        },
        "preemptions": result.preemptions,
        "steps": result.steps,
        "cost": _cost_body(report),
        "alternatives": [_alternative_body(each) for each in report.alternatives],
        "timeline": _timeline_body(result.timeline),
        "band": {"low_factor": report.engine.low_factor, "high_factor": report.engine.high_factor},
        "basis": report.engine.basis,
        "compiled": result.compiled,
        "assumptions": [
            {"name": a.name, "value": a.value, "unit": a.unit, "basis": a.basis, "source": a.source}
            for a in report.assumptions
        ],
        "notes": list(report.notes),
    }


def _result_body(result: SimulationResult) -> dict[str, Any]:
    return {
        "requests": {
            "received": result.requests,
            "served": result.served_requests,
            "refused": result.refused_requests,
            "spilled": result.spilled_requests,
        },
        "latency": {
            "ttft": _percentiles_body(result.ttft),
            "tpot": _percentiles_body(result.tpot),
            "e2e": _percentiles_body(result.e2e),
        },
        "within_slo_frac": _number(result.within_slo_frac),
        "utilization_frac": _number(result.utilization_frac),
        "idle_frac": _number(1 - result.utilization_frac),
        "replica_h": result.replica_h,
        "busy_h": result.busy_h,
        "idle_h": result.idle_h,
        "waiting": {
            "mean_s": _number(result.mean_wait_s),
            "mean_requests": _number(result.mean_waiting_requests),
            "most_requests": result.most_waiting_requests,
        },
        "cold_starts": result.cold_starts,
        "interruptions": {"replicas": result.interruptions, "requests": result.interrupted_requests},
    }


def _replicas_body(fleet: Fleet) -> dict[str, Any]:
    scaling = fleet.autoscaling
    if scaling is None:
        return {"replicas": fleet.replicas, "autoscaling": None}
    stated = {"policy": scaling.policy, "min_replicas": scaling.min_replicas, "max_replicas": scaling.max_replicas}
    return {"replicas": None, "autoscaling": stated}


def _percentiles_body(told: Percentiles) -> dict[str, float | None]:
    return {name: _number(getattr(told, name)) for name in ("p50_s", "p90_s", "p95_s", "p99_s")}


def _spill_body(report: FleetReport) -> dict[str, Any] | None:
    """What went to the API; None where the fleet spills nothing whatever happens."""
    spill, result = report.file.fleet.spill, report.result
    if spill is None:
        return None
    usd = report.alternatives[0].spilled_usd
    return {
        "above_requests_per_replica": spill.above_requests_per_replica,
        "model": None if report.api is None else report.api.label,
        "requests_frac": _number(result.spilled_frac),
        "input_tokens": int(result.spilled_input_tokens.sum()),
        "output_tokens": int(result.spilled_output_tokens.sum()),
        "is_timed": result.spilled_is_timed,
        "usd": None if usd is None else decimal_text(usd),
        "source": None if report.api is None else f"{report.api.source}, checked {report.api.checked_on}",
    }


def _cost_body(report: FleetReport) -> dict[str, Any] | None:
    if report.usd is None or report.price is None:
        return None
    month, each = report.usd_per_month, report.usd_per_1k_requests
    return {
        "usd": decimal_text(report.usd),
        "usd_per_month": None if month is None else decimal_text(month),
        "usd_per_1k_requests": None if each is None else decimal_text(each),
        "usd_per_replica_h": decimal_text(report.price.usd_per_replica_h),
        "basis": report.price.basis,
        "source": report.price.source,
    }


def _alternative_body(each: Alternative) -> dict[str, Any]:
    body = _result_body(each.result)
    kept = ("requests", "latency", "within_slo_frac", "utilization_frac", "replica_h", "cold_starts", "interruptions")
    return {
        "label": each.label,
        "usd": None if each.usd is None else decimal_text(each.usd),
        **{name: body[name] for name in kept},
    }


def _timeline_body(line: Timeline) -> dict[str, Any]:
    return {
        "bin_s": line.bin_s,
        "replicas": line.replicas.tolist(),
        "busy_frac": line.busy_frac.tolist(),
        "requests_per_s": line.requests_per_s.tolist(),
        "waiting_requests": line.waiting_requests.tolist(),
    }


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
