"""Hand-made plans that the renderers' tests print."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np

from breakeven.catalog.evidence import Assumption
from breakeven.options.curve import CostCurve
from breakeven.options.option import Option, Quality
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.plan import (
    Choice,
    DecisionStep,
    Lever,
    MonthAhead,
    NearMiss,
    Plan,
    Purchase,
    Rejection,
    StaffThreshold,
    TreeDecision,
    Zone,
)
from breakeven.workload.workload import Workload

D = Decimal


def line(label: str, quantity: str, unit: str, usd_per_unit: str, basis: str = "quoted", source: str = "") -> CostLine:
    return CostLine(
        label=label, quantity=D(quantity), unit=unit, usd_per_unit=D(usd_per_unit), basis=basis, source=source
    )  # type: ignore[arg-type]


API = Option(
    kind="api",
    label="openai/gpt-4o-mini",
    statement=CostStatement(
        lines=(
            line("input tokens", "243333333.333333333", "token", "0.00000015", source="genai-prices 2026-11-01"),
            line("output tokens", "121666666.666666667", "token", "0.0000006", source="genai-prices 2026-11-01"),
        )
    ),
    curve=CostCurve(usd_per_month_per_daily_request=Fraction(1095, 100_000)),
    ttft_s=None,
    tpot_s=None,
    latency_note="hosted latency is unknown until measured or imported",
    quality=Quality(tier="good", score=82.0, benchmark="MMLU", source="model card 2024-07-18"),
    control="provider",
)

GPU = Option(
    kind="gpu",
    label="runpod H100 80GB x1 on-demand, Llama-3.1-8B fp8",
    statement=CostStatement(
        lines=(
            line("GPU instances, busy", "219", "instance-hour", "2.39", source="runpod.io 2026-11-02"),
            line("GPU instances, idle", "511", "instance-hour", "2.39", source="runpod.io 2026-11-02"),
            line("staff", "1", "engineer-month", "15000", basis="assumed", source="workload file"),
            line("egress", "0", "GB", "0.08", basis="assumed"),
        )
    ),
    curve=CostCurve(
        fixed_usd_per_month=Fraction(15_000),
        unit_usd_per_month=Fraction(17447, 10),
        unit_requests_per_day=(120_000,),
    ),
    ttft_s=0.182,
    tpot_s=0.0123,
    latency_note="modelled, +-30%",
    quality=Quality(tier="good", score=73.0, benchmark="MMLU", source="model card 2024-07-23"),
    control="you, rented hardware",
    note="1 replica: peak 0.34 requests/s over 1.9 requests/s a replica",
)

EDGE = Option(
    kind="edge",
    label="Mac Studio M3 Ultra, Qwen2.5-32B Q4_K_M",
    statement=CostStatement(
        lines=(
            line("device, spread over 36 months", "2", "device-month", "111.083333333", source="apple.com 2026-10-01"),
            line("power", "146.4", "kWh", "0.15", basis="assumed", source="workload file"),
            line("staff", "0.1", "engineer-month", "15000", basis="assumed", source="workload file"),
        )
    ),
    curve=CostCurve(
        fixed_usd_per_month=Fraction(1_500), unit_usd_per_month=Fraction(122), unit_requests_per_day=(6_000,)
    ),
    ttft_s=1.31,
    tpot_s=0.041,
    latency_note="modelled, +-25%",
    quality=Quality(tier="good"),
    control="you, own hardware",
)

OPTIONS = (API, EDGE, GPU)


def plan(**changes: object) -> Plan:
    """A plan with one option of each kind, the API chosen; ``changes`` replace its fields."""
    fields: dict[str, object] = {
        "workload": Workload(
            name="chat.toml",
            requests_per_day=10_000,
            input_tokens=np.array([400, 800, 1200], dtype=np.int64),
            output_tokens=np.array([200, 400, 600], dtype=np.int64),
            hourly_shape=(1 / 24,) * 24,
            growth_per_month_frac=0.1,
        ),
        "priced_on": date(2026, 11, 24),
        "assumptions": (
            Assumption(name="hours in a month", value=730, unit="hour", basis="assumed", source="365 / 12 days"),
            Assumption(name="electricity", value=D("0.15"), unit="USD/kWh", basis="assumed", source="workload file"),
            Assumption(name="data residency", value=False, unit="", basis="assumed"),
        ),
        "options": OPTIONS,
        "considered": 182_345,
        "chosen": Choice(label=API.label, why="cheapest option that meets every requirement"),
        "reference": None,
        "rejected": (
            Rejection(
                kind="api",
                reason="quality basic is below good",
                count=1_204,
                examples=("google/gemini-1.0-nano", "mistral/ministral-3b", "meta/llama-3.2-1b"),
                near_misses=(NearMiss(label="mistral/ministral-3b", usd_per_month=D("14.600000000")),),
            ),
            Rejection(
                kind="gpu", reason="does not fit in memory", count=20_114, examples=("T4 x1, Llama-3.1-70B fp16",)
            ),
        ),
        "breakeven": (
            Zone(from_requests_per_day=1, to_requests_per_day=1_528_999, options=(API.label,)),
            Zone(
                from_requests_per_day=1_529_000,
                to_requests_per_day=3_000_000,
                options=(API.label, GPU.label),
                count=24,
                step_requests_per_day=120_000,
            ),
            Zone(from_requests_per_day=3_000_001, to_requests_per_day=1_000_000_000, options=(GPU.label,)),
        ),
        "decision": TreeDecision(
            path=(
                DecisionStep(question="under 1,000 requests a day?", value="10,000", taken=False),
                DecisionStep(question="data residency required?", value="no", taken=False),
                DecisionStep(question="over 50,000 requests a day?", value="10,000", taken=False),
                DecisionStep(question="latency under 50 ms required?", value="2 s", taken=False),
            ),
            answer="API with routing and caching",
            answer_kind="api",
            agrees=True,
            staff_thresholds=(StaffThreshold(label=API.label, requests_per_day=1_369_864),),
        ),
        "levers": (
            Lever(
                name="response cache",
                usd_per_month_saved_low=D("1.095000000"),
                usd_per_month_saved_high=D("5.475000000"),
                basis="measured",
                note="1% exact repeats in the workload",
            ),
        ),
        "purchases": (
            Purchase(
                option="reserved_1y",
                usd_per_h=D("2.5"),
                low_usd_per_h=D("2.5"),
                high_usd_per_h=D("2.5"),
                usd_per_month=D("16825"),
                basis="assumed",
                refusal="",
            ),
            Purchase(
                option="spot",
                usd_per_h=D("1.5"),
                low_usd_per_h=D("1.25"),
                high_usd_per_h=D("1.75"),
                usd_per_month=D("16095"),
                basis="quoted",
                refusal="spot capacity can be withdrawn",
            ),
        ),
        "months": (
            MonthAhead(
                month=0,
                requests_per_day=10_000,
                chosen_usd_per_month=D("109.500000000"),
                cheapest_label=API.label,
                cheapest_usd_per_month=D("109.500000000"),
            ),
            MonthAhead(
                month=6,
                requests_per_day=17_716,
                chosen_usd_per_month=D("193.990200000"),
                cheapest_label=API.label,
                cheapest_usd_per_month=D("193.990200000"),
            ),
        ),
    }
    return Plan(**{**fields, **changes})  # type: ignore[arg-type]
