"""A plan as JSON, schema ``breakeven/plan/1`` (``schemas/plan-1.json``)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from breakeven.catalog.evidence import Assumption
from breakeven.options.option import Option
from breakeven.options.statement import CostLine
from breakeven.plan.fleet_replay import FleetReplay, ReplayedFleet
from breakeven.plan.plan import Plan, Rejection, TreeDecision, Zone
from breakeven.render import json
from breakeven.render.money import decimal_text, usd_per_1k_requests
from breakeven.render.plan_outlook import known
from breakeven.workload.workload import Workload


def render(plan: Plan) -> str:
    """The whole plan as JSON text."""
    return json.render("plan", plan_body(plan))


def plan_body(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; money is decimal text, so the lines of an option sum to it exactly."""
    return {
        "workload": workload_body(plan.workload),
        "priced_on": plan.priced_on.isoformat(),
        "considered": plan.considered,
        "chosen": {"label": plan.chosen.label, "why": plan.chosen.why},
        "reference": plan.reference,
        "options": [option_body(option, plan.workload.requests_per_day) for option in plan.options],
        "rejected": [_rejection_body(rejection) for rejection in plan.rejected],
        "breakeven": [zone_body(zone) for zone in plan.breakeven],
        "decision": _decision_body(plan.decision),
        "levers": [
            {
                "name": lever.name,
                "usd_per_month_saved": {
                    "low": decimal_text(lever.usd_per_month_saved_low),
                    "high": decimal_text(lever.usd_per_month_saved_high),
                },
                "basis": lever.basis,
                "note": lever.note,
            }
            for lever in plan.levers
        ],
        "purchases": [
            {
                "option": purchase.option,
                "usd_per_h": decimal_text(purchase.usd_per_h),
                "usd_per_h_range": {
                    "low": decimal_text(purchase.low_usd_per_h),
                    "high": decimal_text(purchase.high_usd_per_h),
                },
                "usd_per_month": decimal_text(purchase.usd_per_month),
                "basis": purchase.basis,
                "refusal": purchase.refusal,
            }
            for purchase in plan.purchases
        ],
        "replay": None if plan.replay is None else _replay_body(plan.replay),
        "months": [
            {
                "month": month.month,
                "requests_per_day": month.requests_per_day,
                "chosen_usd_per_month": decimal_text(month.chosen_usd_per_month),
                "cheapest": {
                    "label": month.cheapest_label,
                    "usd_per_month": decimal_text(month.cheapest_usd_per_month),
                },
            }
            for month in plan.months
        ],
        "assumptions": [assumption_body(assumption) for assumption in plan.assumptions],
    }


def option_body(option: Option, requests_per_day: int) -> dict[str, Any]:
    """One option with its lines."""
    return {
        "kind": option.kind,
        "label": option.label,
        "usd_per_month": decimal_text(option.usd_per_month),
        "usd_per_1k_requests": decimal_text(usd_per_1k_requests(option.usd_per_month, requests_per_day)),
        "ttft_s": option.ttft_s,
        "tpot_s": option.tpot_s,
        "latency_note": option.latency_note,
        "quality": option.quality.tier,
        "quality_evidence": {
            "score": option.quality.score,
            "benchmark": option.quality.benchmark,
            "source": option.quality.source,
        },
        "control": option.control,
        "note": option.note,
        "refused": option.refused,
        "lines": [line_body(line) for line in option.statement.lines],
    }


def line_body(line: CostLine) -> dict[str, Any]:
    """One line of a statement."""
    return {
        "label": line.label,
        "quantity": decimal_text(line.quantity),
        "unit": line.unit,
        "usd_per_unit": decimal_text(line.usd_per_unit),
        "usd_per_month": decimal_text(line.usd_per_month),
        "basis": line.basis,
        "source": line.source,
    }


def workload_body(workload: Workload) -> dict[str, Any]:
    """The workload as it was priced: volume, token quantiles, shape, requirements and costs."""
    slo = workload.requirements.slo
    costs = workload.costs
    return {
        "name": workload.name,
        "requests_per_day": workload.requests_per_day,
        "sampled_requests": int(workload.input_tokens.size),
        "input_tokens": _token_body(workload.input_tokens),
        "output_tokens": _token_body(workload.output_tokens),
        "longest_request_tokens": workload.longest_request_tokens,
        "hourly_shape": list(workload.hourly_shape),
        "peak_requests_per_s": workload.peak_requests_per_s,
        "burst_frac": workload.burst_frac,
        "growth_per_month_frac": workload.growth_per_month_frac,
        "duplicate_requests_frac": workload.duplicate_requests_frac,
        "shared_prefix_tokens": workload.shared_prefix_tokens,
        "prefix_reuse_frac": workload.prefix_reuse_frac,
        "requirements": {
            "min_quality": workload.requirements.min_quality,
            "ttft_s": slo.ttft_s,
            "tpot_s": slo.tpot_s,
            "percentile": slo.percentile,
            "data_residency": workload.requirements.data_residency,
            "allow_spot": workload.requirements.allow_spot,
            "max_commitment_months": workload.requirements.max_commitment_months,
        },
        "costs": {
            "engineer_usd_per_month": decimal_text(costs.engineer_usd_per_month),
            "engineer_share_frac": decimal_text(costs.engineer_share_frac),
            "edge_engineer_share_frac": decimal_text(costs.edge_engineer_share_frac),
            "electricity_usd_per_kwh": decimal_text(costs.electricity_usd_per_kwh),
            "device_life_months": costs.device_life_months,
            "peak_load_frac": costs.peak_load_frac,
        },
    }


def _replay_body(replay: FleetReplay) -> dict[str, Any]:
    return {
        "label": replay.label,
        "replicas": replay.replicas,
        "replicas_per_instance": replay.replicas_per_instance,
        "usd_per_instance_h": decimal_text(replay.usd_per_instance_h),
        "requests": replay.requests,
        "fixed": _replayed_body(replay.fixed),
        "autoscaled": _replayed_body(replay.autoscaled),
        "scaled_to_zero": _replayed_body(replay.scaled_to_zero),
        "usd_per_month_saved": decimal_text(replay.usd_per_month_saved),
        "notes": list(replay.notes),
    }


def _replayed_body(way: ReplayedFleet) -> dict[str, Any]:
    return {
        "label": way.label,
        "replica_h_per_month": decimal_text(way.replica_h_per_month),
        "usd_per_month": decimal_text(way.usd_per_month),
        "ttft_p99_s": known(way.ttft_p99_s),
        "tpot_p99_s": known(way.tpot_p99_s),
        "within_slo_frac": way.within_slo_frac,
        "cold_starts": way.cold_starts,
    }


def _token_body(tokens: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, float]:
    p50, p90, p99 = (float(value) for value in np.percentile(tokens, (50, 90, 99)))
    return {"mean": float(tokens.mean()), "p50": p50, "p90": p90, "p99": p99}


def zone_body(zone: Zone) -> dict[str, Any]:
    """A break-even zone; ``count`` and ``step`` only where its options alternate."""
    body: dict[str, Any] = {
        "requests_per_day": {"from": zone.from_requests_per_day, "to": zone.to_requests_per_day},
        "options": list(zone.options),
    }
    return {**body, "count": zone.count, "step": zone.step_requests_per_day} if zone.count else body


def _rejection_body(rejection: Rejection) -> dict[str, Any]:
    return {
        "kind": rejection.kind,
        "reason": rejection.reason,
        "count": rejection.count,
        "examples": list(rejection.examples),
        "near_misses": [
            {"label": miss.label, "usd_per_month": decimal_text(miss.usd_per_month)} for miss in rejection.near_misses
        ],
    }


def _decision_body(decision: TreeDecision) -> dict[str, Any]:
    return {
        "path": [{"question": step.question, "value": step.value, "taken": step.taken} for step in decision.path],
        "answer": decision.answer,
        "answer_kind": decision.answer_kind,
        "agrees": decision.agrees,
        "why_not": decision.why_not,
        "staff_thresholds": [
            {"label": threshold.label, "requests_per_day": threshold.requests_per_day}
            for threshold in decision.staff_thresholds
        ],
    }


def assumption_body(assumption: Assumption) -> dict[str, Any]:
    """One assumption, with its basis and source."""
    value = assumption.value
    return {
        "name": assumption.name,
        "value": decimal_text(value) if isinstance(value, Decimal) else value,
        "unit": assumption.unit,
        "basis": assumption.basis,
        "source": assumption.source,
    }
