"""How to buy a fleet as JSON, schema ``breakeven/fleet/1`` (``schemas/fleet-1.json``)."""

from __future__ import annotations

from math import isfinite
from typing import Any

from breakeven.catalog.offers import PurchasePrice
from breakeven.options.statement import CostStatement
from breakeven.plan.commitments import Alternative, CommitmentPlan
from breakeven.plan.fleet_advice import ApiAdvice, FleetAdvice, SpotAdvice
from breakeven.plan.hybrid_replay import HybridReplay
from breakeven.plan.mix import MixPlan
from breakeven.render.money import decimal_text
from breakeven.render.plan_json import assumption_body, line_body, workload_body


def fleet_body(advice: FleetAdvice) -> dict[str, Any]:
    """The advice as JSON values; money is decimal text, so that lines sum to totals exactly."""
    return {
        "workload": workload_body(advice.workload),
        "model": advice.model,
        "instance": advice.instance,
        "carried_requests_per_s": advice.carried_requests_per_s,
        "rates_per_s": list(advice.rates_per_s),
        "commitments": _commitments_body(advice.commitments),
        "spot": None if advice.spot is None else _spot_body(advice.spot),
        "api": None if advice.api is None else _api_body(advice.api),
        "mix": None if advice.mix is None else _mix_body(advice.mix),
        "assumptions": [assumption_body(fact) for fact in advice.assumptions],
        "notes": list(advice.notes),
    }


def _commitments_body(plan: CommitmentPlan) -> dict[str, Any]:
    return {
        **_statement_body(plan.statement),
        "proved_usd_per_month": decimal_text(plan.proved_usd_per_month),
        "bought": [
            {
                "instance": each.supply,
                "option": each.price.option,
                "instances": each.instances,
                "instance_hours_per_month": float(each.instance_hours_per_month),
                "owed_usd": decimal_text(each.owed_usd),
            }
            for each in plan.bought
        ],
        "alternatives": _alternatives_body(plan.alternatives),
        "one_more_reserved": [
            {
                "instance": each.supply,
                "reserved_instances": each.reserved_instances,
                "usd_per_month_saved": decimal_text(each.usd_per_month_saved),
            }
            for each in plan.marginals
        ],
        "if_volume_halves": {
            "usd_per_month": decimal_text(plan.if_halved.usd_per_month),
            "best_usd_per_month": decimal_text(plan.if_halved.best_usd_per_month),
            "usd_per_month_lost": decimal_text(plan.if_halved.usd_per_month_lost),
        },
    }


def _spot_body(spot: SpotAdvice) -> dict[str, Any]:
    outcome = spot.outcome
    return {
        "zones": [
            {"zone": zone, "available_frac": share}
            for zone, share in zip(outcome.zones, outcome.available_frac, strict=True)
        ],
        "instances": outcome.policy.instances,
        "replacement_delay_h": outcome.policy.delay_h,
        "same_region_correlation": outcome.policy.correlation,
        "ready_frac": outcome.ready_frac,
        "below_target_frac": outcome.below_target_frac,
        "interruptions_per_year": outcome.interruptions_per_year,
        "cost_of_on_demand_frac": float(spot.price.usd_per_h / spot.on_demand.usd_per_h),
        "quoted_usd_per_h": _range_body(spot.quoted),
        "usd_per_h": _range_body(spot.price),
        "on_demand_usd_per_h": decimal_text(spot.on_demand.usd_per_h),
    }


def _range_body(price: PurchasePrice) -> dict[str, str]:
    return {
        "low": decimal_text(price.low_usd_per_h),
        "middle": decimal_text(price.usd_per_h),
        "high": decimal_text(price.high_usd_per_h),
    }


def _api_body(api: ApiAdvice) -> dict[str, Any]:
    return {
        **_statement_body(api.spill.statement),
        "label": api.label,
        "instances": api.spill.instances,
        "spilled_requests_frac": api.spill.spilled_requests_frac,
        "spilling_intervals_frac": api.spill.spilling_intervals_frac,
        "alternatives": _alternatives_body(api.spill.alternatives),
        "replay": None if api.replay is None else _replay_body(api.replay),
    }


def _replay_body(replay: HybridReplay) -> dict[str, Any]:
    return {
        **_statement_body(replay.statement),
        "requests": replay.requests,
        "replicas": replay.replicas,
        "above_requests_per_replica": replay.above_requests_per_replica,
        "spilled_requests_frac": replay.spilled_requests_frac,
        "ttft_p99_s": _known(replay.ttft_p99_s),
        "tpot_p99_s": _known(replay.tpot_p99_s),
        "within_slo_frac": _known(replay.within_slo_frac),
    }


def _known(value: float) -> float | None:
    """A figure, or None where no request was served on own instances."""
    return value if isfinite(value) else None


def _mix_body(plan: MixPlan) -> dict[str, Any]:
    return {
        **_statement_body(plan.statement),
        "proved_usd_per_month": decimal_text(plan.proved_usd_per_month),
        "buckets": [{"name": each.name, "requests_per_s": each.requests_per_s} for each in plan.buckets],
        "parts": [
            {"instance": part.name, "instances": part.instances, "served_frac": list(part.served_frac)}
            for part in plan.parts
        ],
        "single": None
        if plan.single_usd_per_month is None
        else {
            "instance": plan.single_name,
            "instances": plan.single_instances,
            "usd_per_month": decimal_text(plan.single_usd_per_month),
        },
    }


def _statement_body(statement: CostStatement) -> dict[str, Any]:
    return {
        "usd_per_month": decimal_text(statement.usd_per_month),
        "lines": [line_body(line) for line in statement.lines],
    }


def _alternatives_body(alternatives: tuple[Alternative, ...]) -> list[dict[str, str]]:
    return [{"name": each.name, "usd_per_month": decimal_text(each.usd_per_month)} for each in alternatives]
