"""A plan chooses the cheapest admissible option, and says the same thing in each of its parts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from breakeven.errors import NothingFits, UnknownName
from breakeven.options.curve import CostCurve
from breakeven.plan.compare import compare
from breakeven.plan.market import Contenders, Market
from breakeven.plan.plan import Plan
from breakeven.workload.workload import Requirements, Workload
from plan.tables import Table

DAY = date(2026, 11, 24)


def workload(requests_per_day: int = 100, **changes: object) -> Workload:
    base = Workload(
        name="w",
        requests_per_day=requests_per_day,
        input_tokens=np.array([800]),
        output_tokens=np.array([400]),
        hourly_shape=(1 / 24,) * 24,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def plan_of(asked: Workload, *tables: Table, **flags: object) -> Plan:
    for table in tables:
        table.requests_per_day = asked.requests_per_day
    return compare(asked, tables, priced_on=DAY, **flags)  # type: ignore[arg-type]


def api(usd: int | Fraction) -> CostCurve:
    return CostCurve(usd_per_month_per_daily_request=Fraction(usd))


def fleet(fixed: int, unit: int, capacity: int) -> CostCurve:
    return CostCurve(
        fixed_usd_per_month=Fraction(fixed), unit_usd_per_month=Fraction(unit), unit_requests_per_day=(capacity,)
    )


def test_the_cheapest_admissible_option_is_chosen_and_a_cheaper_refused_one_is_a_near_miss() -> None:
    apis = Table("api", {"dear": api(10), "cheap": api(2), "poor": api(1)}, {"poor": "quality tier basic"})
    plan = plan_of(workload(), apis, Table("gpu", {"fleet": fleet(500, 100, 1_000)}))
    assert plan.chosen.label == "cheap"
    assert [option.label for option in plan.options] == ["cheap", "fleet", "dear"]
    (rejection,) = plan.rejected
    assert (rejection.kind, rejection.reason, rejection.count) == ("api", "quality tier basic", 1)
    assert [(miss.label, miss.usd_per_month) for miss in rejection.near_misses] == [("poor", Decimal(100))]
    assert plan.considered == 4


def test_the_flip_is_where_the_numbers_say() -> None:
    plan = plan_of(workload(), Table("api", {"api": api(2)}), Table("gpu", {"fleet": fleet(500, 100, 10**9)}))
    assert [(z.from_requests_per_day, z.to_requests_per_day, z.options) for z in plan.breakeven] == [
        (1, 300, ("api",)),
        (301, 10**9, ("fleet",)),
    ]


@pytest.mark.parametrize(
    ("requests_per_day", "answer"), [(999, "api"), (1_000, "api"), (50_000, "api"), (50_001, "gpu")]
)
def test_the_articles_tree_is_walked_and_its_answer_compared(requests_per_day: int, answer: str) -> None:
    plan = plan_of(
        workload(requests_per_day), Table("api", {"api": api(2)}), Table("gpu", {"fleet": fleet(10**9, 1, 5)})
    )
    assert plan.decision.answer_kind == answer
    assert plan.decision.agrees == (answer == "api")
    assert ("more than api" in plan.decision.why_not) == (answer == "gpu")


def test_data_residency_leads_the_tree_to_self_hosting_and_low_latency_to_the_edge() -> None:
    asked = workload(5_000, requirements=Requirements(data_residency=True))
    tables = Table("api", {"api": api(2)}), Table("gpu", {"fleet": fleet(0, 1, 5)})
    assert plan_of(asked, *tables).decision.answer_kind == "gpu"
    fast = replace(asked, requirements=Requirements(slo=replace(asked.requirements.slo, ttft_s=0.049)))
    assert plan_of(fast, *tables).decision.answer_kind == "edge"


def test_staff_alone_needs_this_many_requests_of_gpt_4o() -> None:
    per_request_usd = Fraction(800 * Fraction("2.5") + 400 * 10, 1_000_000)
    plan = plan_of(workload(), Table("api", {"gpt-4o": api(per_request_usd * Fraction(365, 12))}))
    (threshold,) = plan.decision.staff_thresholds
    assert threshold.requests_per_day == 82_192


def test_nothing_admissible_is_an_honest_answer() -> None:
    with pytest.raises(NothingFits) as caught:
        plan_of(workload(), Table("api", {"a": api(1), "b": api(2)}, {"a": "too slow", "b": "too slow"}))
    assert "2 api: too slow" in str(caught.value.cause)
    assert caught.value.exit_code == 1


def test_a_label_that_no_option_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no option is labelled"):
        plan_of(workload(), Table("api", {"openai/gpt-4o": api(1)}), show=["openai/gpt-4"])


def test_growth_says_what_is_cheapest_later() -> None:
    asked = workload(200, growth_per_month_frac=0.5)
    plan = plan_of(asked, Table("api", {"api": api(2)}), Table("gpu", {"fleet": fleet(500, 100, 10**9)}))
    assert [month.requests_per_day for month in plan.months] == [300, 450, 675, 1_012, 1_519, 2_278]
    assert [month.cheapest_label for month in plan.months] == ["api", *["fleet"] * 5]
    assert plan.months[1].chosen_usd_per_month == 900
    assert plan.months[1].cheapest_usd_per_month == 600


def test_duplicates_are_a_lever_at_the_volume_that_is_left() -> None:
    plan = plan_of(workload(1_000, duplicate_requests_frac=0.1), Table("api", {"api": api(2)}))
    (lever,) = plan.levers
    assert (lever.usd_per_month_saved_low, lever.usd_per_month_saved_high) == (0, 200)


curves = st.builds(
    CostCurve,
    fixed_usd_per_month=st.sampled_from([Fraction(0), Fraction(100)]),
    usd_per_month_per_daily_request=st.sampled_from([Fraction(0), Fraction(1, 7)]),
    unit_usd_per_month=st.integers(0, 9).map(Fraction),
    unit_requests_per_day=st.integers(100, 60_000).map(lambda c: (c,)),
)


@settings(deadline=None)
@given(st.lists(curves, min_size=1, max_size=12), st.integers(1, 500_000))
def test_screening_never_loses_the_cheapest(many: list[CostCurve], requests_per_day: int) -> None:
    table = Table("gpu", {str(index): curve for index, curve in enumerate(many)})
    market = Market([table], requests_per_day)
    kept = [market.curve(int(row)).usd_per_month(requests_per_day) for row in Contenders(market).rows]
    assert min(kept) == min(curve.usd_per_month(requests_per_day) for curve in many)


@settings(deadline=None, max_examples=50)
@given(st.lists(curves, min_size=1, max_size=8), st.integers(1, 500_000))
def test_the_chosen_option_is_the_cheapest_and_its_zone_names_it(many: list[CostCurve], requests_per_day: int) -> None:
    asked = workload(requests_per_day)
    plan = plan_of(asked, Table("gpu", {str(index): curve for index, curve in enumerate(many)}), top=20)
    assert plan.options[0].label == plan.chosen.label
    assert plan.chosen_option.curve.usd_per_month(requests_per_day) == min(
        curve.usd_per_month(requests_per_day) for curve in many
    )
    zone = next(z for z in plan.breakeven if z.from_requests_per_day <= requests_per_day <= z.to_requests_per_day)
    assert plan.chosen.label in zone.options
