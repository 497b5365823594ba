"""A plan read back from its own JSON: what ``breakeven diff`` needs of it, checked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from breakeven.errors import InputError
from breakeven.render.json import schema_id
from breakeven.render.plan_outlook import value_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLine:
    """A cost line as it was saved."""

    label: str
    quantity: Decimal
    unit: str
    usd_per_unit: Decimal
    usd_per_month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedOption:
    """An option as it was saved; its lines sum to ``usd_per_month``."""

    label: str
    usd_per_month: Decimal
    lines: tuple[SavedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """The parts of a saved plan that are compared; ``assumptions`` are values with units, by name."""

    workload_name: str
    requests_per_day: int
    chosen: SavedOption
    options: tuple[SavedOption, ...]
    assumptions: dict[str, str]


def read_plan(text: str, name: str) -> SavedPlan:
    """Parse the output of ``breakeven plan --format json``; ``name`` is what errors call it.

    Raises:
        InputError: not JSON, not a plan of this version, or lines that do not sum to their option's cost.
    """
    document = _document(text, name)
    try:
        options = tuple(_option(body) for body in document["options"])
        chosen_label = document["chosen"]["label"]
        plan = SavedPlan(
            workload_name=str(document["workload"]["name"]),
            requests_per_day=int(document["workload"]["requests_per_day"]),
            chosen=next(option for option in options if option.label == chosen_label),
            options=options,
            assumptions={fact["name"]: _fact_text(fact) for fact in document["assumptions"]},
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, StopIteration) as error:
        raise InputError(
            f"{name} is not a whole plan",
            cause=f"{type(error).__name__} at {error}" if str(error) else "the chosen option is not among its options",
            hint="write it again with: breakeven plan WORKLOAD --format json --out FILE",
        ) from error
    _check_sums(plan, name)
    return plan


def _document(text: str, name: str) -> dict[str, Any]:
    hint = "write a plan with: breakeven plan WORKLOAD --format json --out FILE"
    try:
        document = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not JSON", cause=str(error), hint=hint) from error
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema_id("plan"):
        raise InputError(
            f"{name} is not a plan", cause=f"its schema is {found!r}, not {schema_id('plan')!r}", hint=hint
        )
    return dict(document)


def _option(body: dict[str, Any]) -> SavedOption:
    lines = tuple(
        SavedLine(
            label=str(line["label"]),
            quantity=_finite(line["quantity"]),
            unit=str(line["unit"]),
            usd_per_unit=_finite(line["usd_per_unit"]),
            usd_per_month=_finite(line["usd_per_month"]),
        )
        for line in body["lines"]
    )
    return SavedOption(label=str(body["label"]), usd_per_month=_finite(body["usd_per_month"]), lines=lines)


def _finite(value: Any) -> Decimal:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value!r}, which is not a finite number")
    return number


def _fact_text(fact: dict[str, Any]) -> str:
    return f"{value_text(fact['value'])} {fact['unit']}".strip()


def _check_sums(plan: SavedPlan, name: str) -> None:
    for option in plan.options:
        total = sum((line.usd_per_month for line in option.lines), Decimal(0))
        if total != option.usd_per_month:
            raise InputError(
                f"{name} does not add up",
                cause=f"the lines of {option.label} sum to {total}, its usd_per_month is {option.usd_per_month}",
                hint="the file was edited; write it again with: breakeven plan WORKLOAD --format json --out FILE",
            )
