"""One plan, five formats, the same numbers; and each printed output as it stands."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from breakeven.errors import InputError
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.plan import Plan, Zone
from breakeven.render.json import SCHEMA_NAMES, published_schema
from breakeven.render.plan_formats import PLAN_FORMATS, render_plan
from breakeven.render.plan_outlook import value_text
from breakeven.render.text import TextStyle
from conftest import REPOSITORY
from render import plans

GOLDEN = REPOSITORY / "tests" / "golden"
WIDE = TextStyle(width=1_000)


@pytest.mark.parametrize(
    ("output_format", "name"), [("text", "txt"), ("json", "json"), ("csv", "csv"), ("markdown", "md")]
)
def test_the_printed_plan_is_the_golden_one(output_format: str, name: str) -> None:
    golden = GOLDEN / f"plan.{name}"
    printed = render_plan(plans.plan(), output_format)
    if os.environ.get("BREAKEVEN_UPDATE_GOLDEN") == "1":
        golden.write_text(printed, encoding="utf-8")
    assert printed == golden.read_text(encoding="utf-8")


def test_json_is_what_the_published_schema_says() -> None:
    Draft202012Validator(published_schema("plan")).validate(json.loads(render_plan(plans.plan(), "json")))


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_a_published_schema_is_a_schema_and_bites(name: str) -> None:
    schema = published_schema(name)
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid({"schema": f"breakeven/{name}/1"})
    assert not Draft202012Validator(schema).is_valid({"schema": "breakeven/other/1"})


amounts = st.decimals(min_value=0, max_value=10**7, places=9, allow_nan=False)
statements = st.lists(st.tuples(amounts, amounts), min_size=1, max_size=5).map(
    lambda pairs: CostStatement(
        lines=tuple(
            CostLine(label=f"line {place}", quantity=quantity, unit="unit", usd_per_unit=price, basis="quoted")
            for place, (quantity, price) in enumerate(pairs)
        )
    )
)


@settings(max_examples=25, deadline=None)
@given(st.tuples(statements, statements, statements))
def test_all_formats_carry_the_same_totals(drawn: tuple[CostStatement, CostStatement, CostStatement]) -> None:
    options = [replace(option, statement=statement) for option, statement in zip(plans.OPTIONS, drawn, strict=True)]
    plan = plans.plan(options=tuple(sorted(options, key=lambda option: option.usd_per_month)))
    exact = {option.label: option.usd_per_month for option in plan.options}
    cents = {label: cents_of(amount) for label, amount in exact.items()}
    assert json_totals(plan) == csv_totals(plan) == exact
    assert {label: read(plan) for label, read in zip("tm", (text_totals, markdown_totals), strict=True)} == {
        "t": cents,
        "m": cents,
    }


def test_the_page_carries_the_same_totals() -> None:
    plan = plans.plan()
    exact = {option.label: cents_of(option.usd_per_month) for option in plan.options}
    rows = PageRows.of(render_plan(plan, "html"))
    assert {row[1]: row[2] for row in rows if row[0] in {"api", "gpu", "edge"} and row[1] in exact} == exact


def cents_of(amount: Decimal) -> str:
    cents = round(amount, 2)
    return "<$0.01" if amount and not cents else f"${cents:,.2f}"


def json_totals(plan: Plan) -> dict[str, Decimal]:
    options = json.loads(render_plan(plan, "json"))["options"]
    for option in options:
        assert sum(Decimal(line["usd_per_month"]) for line in option["lines"]) == Decimal(option["usd_per_month"])
    return {option["label"]: Decimal(option["usd_per_month"]) for option in options}


def csv_totals(plan: Plan) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for row in csv.DictReader(io.StringIO(render_plan(plan, "csv"))):
        totals[row["option"]] = totals.get(row["option"], Decimal(0)) + Decimal(row["usd_per_month"])
    return totals


def text_totals(plan: Plan) -> dict[str, str]:
    block = render_plan(plan, "text", WIDE).partition("\nCandidates\n")[2].partition("\n\n")[0]
    rows = [re.split(r"\s{2,}", line.removeprefix("✔").strip()) for line in block.splitlines()[2:]]
    return {row[1]: row[2] for row in rows if row[0] in {"api", "gpu", "edge"}}


def markdown_totals(plan: Plan) -> dict[str, str]:
    block = render_plan(plan, "markdown").partition("## Candidates\n\n")[2].partition("\n\n")[0]
    rows = [[cell.strip(" *") for cell in line.split(" | ")] for line in block.splitlines()[2:]]
    return {re.sub(r"\\(.)", r"\1", row[2]): re.sub(r"\\(.)", r"\1", row[3]) for row in rows}


class PageRows(HTMLParser):
    """The cells of every table row of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.in_cell = False

    @classmethod
    def of(cls, page: str) -> list[list[str]]:
        parser = cls()
        parser.feed(page)
        return parser.rows

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


def test_an_unknown_latency_is_a_word_and_never_a_zero() -> None:
    plan = plans.plan()
    assert json.loads(render_plan(plan, "json"))["options"][0]["ttft_s"] is None
    row = next(csv.DictReader(io.StringIO(render_plan(plan, "csv"))))
    assert (row["ttft_s"], row["tpot_s"]) == ("", "")
    assert row["latency_note"] == "hosted latency is unknown until measured or imported"
    assert re.search(r"openai/gpt-4o-mini.*unknown +unknown", render_plan(plan, "text", WIDE))


def test_text_fits_the_width() -> None:
    for width in (100, 120, 160):
        lines = render_plan(plans.plan(), "text", TextStyle(width=width)).splitlines()
        assert max(len(line) for line in lines) <= width


def test_colours_change_nothing_but_colours() -> None:
    coloured = render_plan(plans.plan(), "text", TextStyle(coloured=True))
    assert re.sub(r"\x1b\[\d+m", "", coloured) == render_plan(plans.plan(), "text")
    assert coloured != render_plan(plans.plan(), "text")


HOSTILE = "<script>alert(1)</script>|`x`\x1b[31m\n=cmd"


def hostile_plan() -> Plan:
    option = replace(plans.API, label=HOSTILE, control=HOSTILE, latency_note=HOSTILE, note=HOSTILE)
    return plans.plan(options=(option, plans.EDGE), chosen=replace(plans.plan().chosen, label=HOSTILE), breakeven=())


@pytest.mark.parametrize("output_format", PLAN_FORMATS)
def test_a_hostile_name_stays_text(output_format: str) -> None:
    printed = render_plan(hostile_plan(), output_format)
    promises: dict[str, Callable[[], bool]] = {
        "text": lambda: "\x1b" not in printed,
        "json": lambda: json.loads(printed)["options"][0]["label"] == HOSTILE,
        "csv": lambda: next(csv.DictReader(io.StringIO(printed)))["option"] == HOSTILE,
        "markdown": lambda: "<script>" not in printed.replace("\\<", ""),
        "html": lambda: "<script" not in printed,
    }
    assert promises[output_format]()


def test_a_formula_in_csv_is_defused() -> None:
    option = replace(plans.API, label='=HYPERLINK("x")')
    plan = plans.plan(options=(option,), chosen=replace(plans.plan().chosen, label=option.label))
    assert next(csv.DictReader(io.StringIO(render_plan(plan, "csv"))))["option"] == '\'=HYPERLINK("x")'


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        render_plan(plans.plan(), "xml")
    assert caught.value.hint == "use one of: text, json, csv, markdown, html"


def test_a_reference_is_held_against_the_chosen_option() -> None:
    text = render_plan(plans.plan(reference=plans.GPU.label), "text", WIDE)
    assert f"Against {plans.GPU.label} at $16,744.70 a month: -$16,635.20 (-99.3%)." in text


def test_where_tree_and_numbers_part_both_are_printed() -> None:
    decision = replace(plans.plan().decision, agrees=False, answer="self-host", why_not="staff costs more than the API")
    text = render_plan(plans.plan(decision=decision), "text", WIDE)
    assert "The tree says self-host; the numbers say openai/gpt-4o-mini: staff costs more than the API." in text


def test_sections_without_content_are_left_out() -> None:
    nothing = dict.fromkeys(("rejected", "breakeven", "levers", "purchases", "months", "assumptions"), ())
    bare = render_plan(plans.plan(**nothing), "text")
    for title in ("Refused", "Break-even", "Levers", "Months ahead", "Assumptions"):
        assert f"\n{title}\n" not in bare


def test_a_free_choice_is_compared_in_dollars() -> None:
    free = replace(plans.API, statement=CostStatement(lines=(plans.line("tokens", "5", "Mtok", "0"),)))
    text = render_plan(plans.plan(options=(free, plans.GPU), reference=free.label), "text", WIDE)
    assert re.search(r"gpu .* \$16,744.70 +\+\$16,744.70 ", text)
    assert "Against openai/gpt-4o-mini at $0.00 a month: $0.00." in text


@pytest.mark.parametrize(
    ("requests_per_day", "zones", "sentence"),
    [
        (10, plans.plan().breakeven[:1], "The answer never changes between 1 and 1,528,999 requests a day"),
        (9_000_000, plans.plan().breakeven, "above the last volume at which the answer changes"),
        (10, plans.plan().breakeven, "next changes at 1,529,000 (x152,900 today's volume)"),
    ],
)
def test_the_break_even_line_says_where_today_stands(
    requests_per_day: int, zones: tuple[Zone, ...], sentence: str
) -> None:
    workload = replace(plans.plan().workload, requests_per_day=requests_per_day)
    assert sentence in render_plan(plans.plan(workload=workload, breakeven=zones), "text", WIDE)


def test_a_plan_without_any_latency_has_one_chart() -> None:
    assert render_plan(plans.plan(options=(plans.API,)), "html").count("<svg") == 1


def test_values_are_written_for_people() -> None:
    values = (True, 1_000_000, 0.123456789, Decimal("15000"), "flat")
    assert [value_text(value) for value in values] == ["yes", "1,000,000", "0.123457", "15,000", "flat"]
