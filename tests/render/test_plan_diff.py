"""Two saved plans, held against each other: nothing is invented, and the threshold is exact."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from breakeven.errors import InputError
from breakeven.options.statement import CostStatement
from breakeven.plan.plan import Plan
from breakeven.render.diff import render_diff
from breakeven.render.json import published_schema
from breakeven.render.plan_diff import AmountChange, PlanDiff, Threshold, diff_plans
from breakeven.render.plan_json import render
from breakeven.render.saved_plan import read_plan
from conftest import REPOSITORY
from render import plans

GOLDEN = REPOSITORY / "tests" / "golden"


def dearer_plan() -> Plan:
    """The API at a higher price and volume, one line gone and one new, and another assumption."""
    lines = (
        plans.line("input tokens", "486666666.666666667", "token", "0.00000015"),
        plans.line("output tokens", "121666666.666666667", "token", "0.0000012"),
        plans.line("support", "1", "month", "343"),
    )
    api = replace(plans.API, statement=CostStatement(lines=lines))
    workload = replace(plans.plan().workload, requests_per_day=20_000)
    return plans.plan(
        workload=workload,
        options=(api, plans.GPU),
        chosen=replace(plans.plan().chosen, label=api.label),
        assumptions=(),
    )


def diff(before: Plan, after: Plan, **limits: Decimal) -> PlanDiff:
    return diff_plans(read_plan(render(before), "a"), read_plan(render(after), "b"), Threshold(**limits))


def test_a_plan_does_not_differ_from_itself() -> None:
    found = diff(plans.plan(), plans.plan(), max_increase_usd=Decimal(0), max_increase_frac=Decimal(0))
    assert (found.lines, found.options, found.assumptions, found.exceeded) == ((), (), (), False)
    assert "Monthly cost stays at $109.50." in render_diff(found, "text")


@pytest.mark.parametrize(("output_format", "name"), [("text", "txt"), ("json", "json"), ("markdown", "md")])
def test_the_printed_diff_is_the_golden_one(output_format: str, name: str) -> None:
    golden = GOLDEN / f"diff.{name}"
    printed = render_diff(diff(plans.plan(), dearer_plan(), max_increase_usd=Decimal(100)), output_format)
    if os.environ.get("BREAKEVEN_UPDATE_GOLDEN") == "1":
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")


def test_every_change_has_its_sign_and_reason() -> None:
    found = {change.label: change for change in diff(plans.plan(), dearer_plan()).lines}
    assert found["support"].kind == "added"
    assert found["input tokens"].reason == "quantity 243,333,333.33 -> 486,666,666.67 token"
    assert found["output tokens"].reason == "unit price $0.00000015 -> $0.0000012".replace("0.00000015", "0.0000006")
    assert diff(dearer_plan(), plans.plan()).lines[-1].kind == "removed"


def test_json_is_what_the_published_schema_says() -> None:
    body = json.loads(render_diff(diff(plans.plan(), dearer_plan()), "json"))
    Draft202012Validator(published_schema("diff")).validate(body)
    changes = sum(Decimal(line["change_usd_per_month"]) for line in body["lines"])
    assert changes == Decimal(body["total"]["change_usd_per_month"])


money = st.decimals(min_value=0, max_value=10**6, places=2)


@given(before=money, after=money, limit=money)
def test_a_threshold_in_dollars_is_exact(before: Decimal, after: Decimal, limit: Decimal) -> None:
    total = AmountChange(label="x", before_usd_per_month=before, after_usd_per_month=after)
    assert Threshold(max_increase_usd=limit).exceeded_by(total) == (after - before > limit)


@given(before=money, after=money, limit=st.decimals(min_value=0, max_value=2, places=3))
def test_a_threshold_as_a_fraction_is_exact(before: Decimal, after: Decimal, limit: Decimal) -> None:
    total = AmountChange(label="x", before_usd_per_month=before, after_usd_per_month=after)
    assert Threshold(max_increase_frac=limit).exceeded_by(total) == (after > before * (1 + limit))


def edited(change: Any) -> str:
    document = json.loads(render(plans.plan()))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.json is not JSON"),
        ("[" * 100_000, "x.json is not JSON"),
        ("[]", "x.json is not a plan"),
        ('{"schema": "breakeven/plan/2"}', "x.json is not a plan"),
        ('{"schema": "breakeven/plan/1"}', "x.json is not a whole plan"),
        (edited(lambda plan: plan["chosen"].update(label="nobody")), "x.json is not a whole plan"),
        (edited(lambda plan: plan["options"][0].update(usd_per_month="NaN")), "x.json is not a whole plan"),
        (edited(lambda plan: plan["options"][0].update(usd_per_month="1.00")), "x.json does not add up"),
        (edited(lambda plan: plan.update(options={"a": 1})), "x.json is not a whole plan"),
    ],
)
def test_a_broken_file_is_an_error_with_a_hint(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_plan(text, "x.json")
    assert caught.value.message == message
    assert "breakeven plan" in (caught.value.hint or "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["options", "chosen", "workload", "assumptions", "label", "lines", "name"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_file_breaks_the_reader(body: object) -> None:
    document = {"schema": "breakeven/plan/1", **body} if isinstance(body, dict) else body
    with pytest.raises(InputError):
        read_plan(json.dumps(document), "x.json")
