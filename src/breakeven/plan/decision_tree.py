"""The article's decision tree as data, and its answer beside what the numbers say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from breakeven.options.option import Option, OptionKind
from breakeven.options.staff import staff_usd_per_month
from breakeven.plan.plan import DecisionStep, StaffThreshold, TreeDecision
from breakeven.workload.workload import Workload


@dataclass(frozen=True, slots=True)
class Question:
    """One node: a question, the value it looks at, when the answer is yes, and where yes leads."""

    text: str
    value: Callable[[Workload], str]
    is_yes: Callable[[Workload], bool]
    answer: str
    answer_kind: OptionKind


TREE = (
    Question(
        "fewer than 1,000 requests a day?",
        lambda w: f"{w.requests_per_day:,} requests a day",
        lambda w: w.requests_per_day < 1_000,
        "API",
        "api",
    ),
    Question(
        "data residency required?",
        lambda w: "yes" if w.requirements.data_residency else "no",
        lambda w: w.requirements.data_residency,
        "self-host",
        "gpu",
    ),
    Question(
        "more than 50,000 requests a day?",
        lambda w: f"{w.requests_per_day:,} requests a day",
        lambda w: w.requests_per_day > 50_000,
        "self-host (H100/A100)",
        "gpu",
    ),
    Question(
        "latency below 50 ms required?",
        lambda w: f"TTFT {w.requirements.slo.ttft_s * 1_000:,.0f} ms",
        lambda w: w.requirements.slo.ttft_s < 0.05,
        "edge (quantized)",
        "edge",
    ),
)

OTHERWISE: tuple[str, OptionKind] = ("API with model routing and caching", "api")


def decide(workload: Workload, chosen: Option, best_of_kind: Sequence[Option], shown: Sequence[Option]) -> TreeDecision:
    """Walk the tree, and hold its answer against the chosen option.

    ``best_of_kind`` are the cheapest admissible options of the kinds that have one; ``shown`` the options of the plan,
    for each hosted one of which the volume is stated at which its bill alone would pay the self-hosting staff.
    """
    path: list[DecisionStep] = []
    answer, kind = OTHERWISE
    for question in TREE:
        taken = question.is_yes(workload)
        path.append(DecisionStep(question=question.text, value=question.value(workload), taken=taken))
        if taken:
            answer, kind = question.answer, question.answer_kind
            break
    agrees = kind == chosen.kind
    return TreeDecision(
        path=tuple(path),
        answer=answer,
        answer_kind=kind,
        agrees=agrees,
        why_not="" if agrees else _why_not(kind, chosen, best_of_kind),
        staff_thresholds=tuple(t for option in shown if (t := staff_threshold(workload, option)) is not None),
    )


def _why_not(kind: str, chosen: Option, best_of_kind: Sequence[Option]) -> str:
    rival = next((option for option in best_of_kind if option.kind == kind), None)
    if rival is None:
        return f"no {kind} option meets the requirements"
    gap = rival.usd_per_month - chosen.usd_per_month
    staff = sum((line.usd_per_month for line in rival.statement.lines if line.label == "staff"), Decimal(0))
    share = f", of which ${staff:,.0f} is staff" if staff else ""
    return (
        f"the cheapest {kind} option that qualifies, {rival.label}, costs ${rival.usd_per_month:,.2f} a month{share}: "
        f"${gap:,.2f} more than {chosen.label}"
    )


def staff_threshold(workload: Workload, option: Option) -> StaffThreshold | None:
    """The requests a day, rounded up, at which a hosted bill equals the self-hosting staff alone."""
    slope = option.curve.usd_per_month_per_daily_request
    staff = staff_usd_per_month(workload.costs, workload.costs.engineer_share_frac)
    if option.kind != "api" or not slope or not staff:
        return None
    return StaffThreshold(label=option.label, requests_per_day=math.ceil(staff / slope))
