"""The advice on buying a fleet, and fleets side by side, as people read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import nan

import numpy as np
import pytest

from breakeven import api
from breakeven.errors import InputError
from breakeven.options.statement import CostLine, CostStatement
from breakeven.plan.commitments import Marginal
from breakeven.plan.fleet_advice import FleetAdvice, FleetLimits
from breakeven.plan.fleet_comparison import FleetResult
from breakeven.render import markdown
from breakeven.render.charts import svg
from breakeven.render.fleet import render_fleet
from breakeven.render.fleet_days import days_chart, days_table
from breakeven.serving.simulation_result import Timeline
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def advice() -> FleetAdvice:
    chat = REPOSITORY / "examples/chat.toml"
    return api.fleet(chat, "Gemma-4-31B", limits=FleetLimits(provider="aws"), at=date(2026, 11, 24))


def text(advice: FleetAdvice) -> str:
    return " ".join(render_fleet(advice, "text").split())


def test_an_unknown_format_is_refused(advice: FleetAdvice) -> None:
    with pytest.raises(InputError, match="no format 'pdf'"):
        render_fleet(advice, "pdf")


def test_what_one_more_reservation_does_is_said_either_way(advice: FleetAdvice) -> None:
    def with_marginal(usd: int) -> FleetAdvice:
        marginal = Marginal(supply="a", reserved_instances=3, usd_per_month_saved=Decimal(usd))
        return replace(advice, commitments=replace(advice.commitments, marginals=(marginal,)))

    assert "(number 3) would save $40.00 a month." in text(with_marginal(40))
    assert "(number 3) would cost $40.00 a month more than it saves." in text(with_marginal(-40))


def test_parts_that_are_not_there_are_not_printed(advice: FleetAdvice) -> None:
    bare = text(replace(advice, spot=None, api=None, mix=None))
    assert "Spot, with" not in bare
    assert "API for the peak" not in bare
    assert "mixed by request size" not in bare


def test_a_mix_without_a_single_type_says_so(advice: FleetAdvice) -> None:
    assert advice.mix is not None
    alone = replace(advice.mix, single_name=None, single_usd_per_month=None)
    assert "No single type serves all sizes." in text(replace(advice, mix=alone))
    dearer = replace(advice.mix, single_usd_per_month=advice.mix.statement.usd_per_month + 5)
    assert "costs $5.00 more." in text(replace(advice, mix=dearer))


def test_no_own_instance_is_an_answer(advice: FleetAdvice) -> None:
    assert advice.api is not None
    assert "No own instance pays for itself beside cerebras/gemma-4-31b" in text(advice)
    some = replace(advice.api, spill=replace(advice.api.spill, instances=2, spilled_requests_frac=0.25))
    assert "Cheapest with 2 own, always on, and 25.0% of the requests sent to" in text(replace(advice, api=some))


def result(name: str, usd: int, ttft_s: float, within: float = 0.999) -> FleetResult:
    line = CostLine(label="h", quantity=Decimal(usd), unit="h", usd_per_unit=Decimal(1), basis="quoted")
    empty = np.zeros(1)
    return FleetResult(
        name=name,
        statement=CostStatement(lines=(line,)),
        ttft_p99_s=ttft_s,
        tpot_p99_s=ttft_s / 10,
        within_slo_frac=within,
        mean_instances=1.5,
        cold_starts=12,
        interruptions=3,
        interrupted_requests=1_400,
        spilled_requests_frac=0.01,
        timeline=Timeline(
            bin_s=1.0, replicas=empty, busy_frac=empty, requests_per_s=empty, waiting_requests=empty.astype(np.int64)
        ),
    )


DAYS = {
    "busy": [result("fixed", 900, 0.5), result("<all> on the API", 100, nan, nan)],
    "quiet": [result("fixed", 9, 2.0)],
}


def test_fleets_side_by_side() -> None:
    table = markdown.table_text(days_table(DAYS)).splitlines()
    assert table[2] == "| busy | fixed | $900 | 500 ms | 50 ms | 99.90% | 1.50 | 12 | 3 | 1,400 | 1.00% |"
    assert (
        table[3]
        == r"| busy | \<all\> on the API | $100 | unknown | unknown | unknown | 1.50 | 12 | 3 | 1,400 | 1.00% |"
    )
    assert len(table) == 5


def test_the_chart_has_a_panel_for_each_traffic_and_no_point_without_a_latency() -> None:
    drawn = svg(days_chart(DAYS), "days")
    assert "busy" in drawn
    assert "quiet" in drawn
    assert "on the API" not in drawn
    assert "#010203" not in drawn
