"""A page needs nothing but itself: no script, no request, no network to draw it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from breakeven.plan.plan import Plan
from breakeven.render.charts import PALETTE, svg
from breakeven.render.curve import curve_section
from breakeven.render.plan_formats import render_plan
from breakeven.render.plan_html import chart_volumes, leading_options, volume_report
from breakeven.render.plan_latency import timed_options
from conftest import REPOSITORY
from render import plans

DRAW = """
from render import plans
from breakeven.render.plan_formats import render_plan
print(render_plan(plans.plan(), "html"))
"""


def test_the_page_loads_nothing() -> None:
    page = render_plan(plans.plan(), "html")
    assert not re.search(r"<(script|link|img|iframe|image)\b|@import|\bsrc=|\bhref=|\burl\((?!#)", page)
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"https?://[^\"\s<]+", page)) <= namespaces


def test_each_chart_has_a_name_a_description_and_a_table() -> None:
    page = render_plan(plans.plan(), "html")
    figures = re.findall(r'<figure role="group" aria-label="([^"]+)">(.*?)</figure>\s*<div class="scroll"', page, re.S)
    assert [name for name, _ in figures] == ["Cost against volume", "Cost against latency"]
    assert all("<figcaption>" in body and "<svg" in body for _, body in figures)


def test_ids_on_a_page_are_unique_and_references_resolve() -> None:
    page = render_plan(plans.plan(), "html")
    ids = re.findall(r'<[^>]*\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_the_same_chart_is_the_same_bytes() -> None:
    chart = curve_section(volume_report(plans.plan()), title="x").chart
    assert chart is not None
    assert svg(chart, "a") == svg(chart, "a")
    assert "currentColor" in svg(chart, "a")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_a_page_is_drawn_without_a_network() -> None:
    isolated = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*isolated, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not allow network namespaces")
    result = subprocess.run(
        [*isolated, sys.executable, "-c", DRAW], cwd=REPOSITORY / "tests", check=True, capture_output=True, text=True
    )
    assert result.stdout.count("<svg") == 2


def test_the_chart_shows_the_chosen_option_and_the_best_of_each_kind() -> None:
    many = tuple(sorted([*plans.OPTIONS, *cheaper_apis(8)], key=lambda option: option.usd_per_month))
    drawn = leading_options(plans.plan(options=many, chosen=plans.plan().chosen))
    assert len(drawn) == 6
    assert drawn[0].label == plans.plan().chosen.label
    assert {"api", "gpu", "edge"} == {option.kind for option in drawn}


def cheaper_apis(count: int) -> list[plans.Option]:
    return [replace(plans.API, label=f"api {place}") for place in range(count)]


@pytest.mark.parametrize("volume", [1, 7, 10_000, 1_000_000_000])
def test_volumes_surround_today_and_stay_in_bounds(volume: int) -> None:
    volumes = chart_volumes(volume)
    assert volume in volumes
    assert volumes == sorted(set(volumes))
    assert volumes[0] >= 1
    assert volumes[-1] <= 1_000_000_000


def test_a_whole_answer_is_the_first_token_and_those_after_it() -> None:
    timed = {each.option.label: each.answer_s for each in timed_options(plans.plan())}
    assert timed == {
        plans.EDGE.label: pytest.approx(1.31 + 0.041 * 399),
        plans.GPU.label: pytest.approx(0.182 + 0.0123 * 399),
    }


def test_a_modelled_option_lies_on_a_band_of_its_own_colour() -> None:
    options = tuple(
        replace(option, capacity_band=(0.8, 1.25)) if option.kind == "gpu" else option for option in plans.OPTIONS
    )
    assert areas(plans.plan()) == []
    plan = plans.plan(options=options)
    place = [option.kind for option in leading_options(plan)].index("gpu")
    (drawn,) = areas(plan)
    assert f'fill="{PALETTE[place]}"' in drawn


def areas(plan: Plan) -> list[str]:
    """Areas in the page's drawing of cost against volume."""
    return re.findall(r'<path [^>]*aria-roledescription="area mark"[^>]*>', render_plan(plan, "html"))
