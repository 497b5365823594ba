"""The arithmetic behind a number: quantity times price is the amount that the plan printed."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from breakeven.errors import InputError, UnknownName
from breakeven.render.explain import find, render_explanation
from breakeven.render.json import published_schema
from breakeven.render.text import TextStyle
from render import plans

WIDE = TextStyle(width=300)


def test_an_option_is_explained_line_by_line() -> None:
    text = render_explanation(plans.plan(), plans.GPU.label, "text", WIDE)
    assert "1 replica: peak 0.34 requests/s over 1.9 requests/s a replica" in text
    row = next(line for line in text.splitlines() if line.startswith("GPU instances, idle"))
    assert " ".join(row.split()) == (
        "GPU instances, idle 511 instance-hour $2.39 $1,221.29 quoted runpod.io 2026-11-02"
    )
    assert "total" in text


def test_a_line_is_explained_in_every_option_that_has_it() -> None:
    found = find(plans.plan(), "STAFF")
    assert [(each.option.label, len(each.lines)) for each in found] == [(plans.EDGE.label, 1), (plans.GPU.label, 1)]
    assert "Part of $16,744.70 a month." in render_explanation(plans.plan(), "staff", "text", WIDE)


def test_json_is_what_the_published_schema_says() -> None:
    body = json.loads(render_explanation(plans.plan(), "staff", "json"))
    Draft202012Validator(published_schema("explain")).validate(body)
    assert [[line["label"] for line in option["lines"]] for option in body["options"]] == [["staff"], ["staff"]]


def test_markdown_carries_the_table() -> None:
    assert "| output tokens | 121,666,666.666666667 | token | $0.0000006 | $73.00 |" in render_explanation(
        plans.plan(), "openai/gpt-4o-mini", "markdown"
    )


def test_an_unknown_label_names_near_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        find(plans.plan(), "gpt-4o")
    assert "openai/gpt-4o-mini" in (caught.value.hint or "")


def test_a_format_that_cannot_carry_it_is_refused() -> None:
    with pytest.raises(InputError, match="--explain has no format 'csv'"):
        render_explanation(plans.plan(), "staff", "csv")
