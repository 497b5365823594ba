"""A plan's JSON, checked with arithmetic of its own: nothing here uses the package but its command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from breakeven.cli.main import run
from conftest import REPOSITORY

DAYS_PER_MONTH = Fraction(365, 12)
NANO = 10**9
ON = ("--at", "2026-11-24")
CONSTANT = "[workload]\nrequests_per_day = 10_000\ninput_tokens = 800\noutput_tokens = 400\n"
LONG = """[workload]
requests_per_day = 777
input_tokens = { p50 = 8_000, p90 = 20_000 }
output_tokens = { p50 = 500, p90 = 1_500 }
hourly_shape = "consumer"
[requirements]
min_quality = "premium"
ttft_s = 20
"""
QUESTIONS = {
    "one hosted model": (CONSTANT, "--candidates gpt-4o"),
    "a model hosted and run": (CONSTANT, "--candidates gpt-oss-20b"),
    "a model run, another hosted": (CONSTANT, "--candidates Llama-3.3-70B,gpt-4o --allow-spot"),
    "no staff": (CONSTANT, "--candidates Llama-3.1-8B,gpt-4o-mini --min-quality basic --engineer-usd-per-month 0"),
    "devices": (CONSTANT, "--candidates edge --min-quality basic"),
    "one busy hour": (CONSTANT, f"--candidates gpt-oss-120b --hourly-shape {'0,' * 22}1,9"),
    "long requests": (LONG, "--candidates gpt-4o,gpt-oss-120b"),
    "the house": (CONSTANT, "--data-residency --candidates gpt-oss-20b,Llama-3.3-70B"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where workloads and plans are written."""
    return tmp_path


def planned(folder: Path, workload: Path, *flags: str) -> Any:
    """The plan as JSON, through the command line."""
    out = folder / "plan.json"
    assert run(["plan", str(workload), *ON, *flags, "--format", "json", "--out", str(out)]) == 0
    return json.loads(out.read_text("utf-8"))


def check(plan: Any) -> None:
    """Sums, products, unit costs, the choice and the zones of one plan."""
    volume = plan["workload"]["requests_per_day"]
    for option in plan["options"]:
        total = Decimal(option["usd_per_month"])
        assert sum((Decimal(line["usd_per_month"]) for line in option["lines"]), Decimal(0)) == total
        for line in option["lines"]:
            product = Fraction(line["quantity"]) * Fraction(line["usd_per_unit"])
            assert Fraction(line["usd_per_month"]) == Fraction(round(product * NANO), NANO)
            assert Decimal(line["quantity"]) >= 0
            assert line["basis"] in {"measured", "quoted", "modelled", "assumed"}
            assert line["source"]
        per_1k = Fraction(total) / (volume * DAYS_PER_MONTH) * 1_000
        assert abs(Fraction(option["usd_per_1k_requests"]) - per_1k) <= Fraction(1, NANO)
        assert (option["ttft_s"] is None) == (option["kind"] == "api")
    labels = [option["label"] for option in plan["options"]]
    assert len(set(labels)) == len(labels)
    costs = {o["label"]: Decimal(o["usd_per_month"]) for o in plan["options"] if not o["refused"]}
    # Costs are compared before their lines are rounded, so a tie may print a nano-dollar a line apart.
    assert costs[plan["chosen"]["label"]] <= min(costs.values()) + Decimal(2) / NANO
    assert len(costs) + sum(rejection["count"] for rejection in plan["rejected"]) <= plan["considered"]
    assert covers(plan["breakeven"])
    assert plan["chosen"]["label"] in options_at(plan, volume)


def covers(zones: Any) -> bool:
    """Whether the zones cover 1 to 10^9 requests a day without gap or overlap."""
    ends = [(zone["requests_per_day"]["from"], zone["requests_per_day"]["to"]) for zone in zones]
    starts = [1, *(last + 1 for _, last in ends)]
    return [first for first, _ in ends] == starts[:-1] and starts[-1] == 1_000_000_001


def options_at(plan: Any, volume: int) -> list[str]:
    """The options of the zone that has this volume."""
    (zone,) = [z for z in plan["breakeven"] if z["requests_per_day"]["from"] <= volume <= z["requests_per_day"]["to"]]
    return list(zone["options"])


def borders(plan: Any, most: int) -> list[int]:
    """Both ends of each zone, the volumes beside them and one inside, at most ``most`` of them, ascending."""

    def around() -> Iterator[int]:
        for zone in plan["breakeven"]:
            first, last = zone["requests_per_day"]["from"], zone["requests_per_day"]["to"]
            yield from (first - 1, first, (first + last) // 2, last, last + 1)

    volumes = sorted({volume for volume in around() if 1 <= volume <= 1_000_000_000})
    return volumes if len(volumes) <= most else [*volumes[: most - 1], volumes[-1]]


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_the_zones_are_what_a_plan_at_their_borders_says(folder: Path, name: str) -> None:
    text, flags = QUESTIONS[name]
    workload = folder / "workload.toml"
    workload.write_text(text, "utf-8")
    asked = planned(folder, workload, *flags.split())
    check(asked)
    dearest = Decimal(0)
    for volume in borders(asked, 12):
        there = planned(folder, workload, *flags.split(), "--requests-per-day", str(volume))
        check(there)
        assert there["chosen"]["label"] in options_at(asked, volume)
        assert there["breakeven"] == asked["breakeven"]
        chosen = next(option for option in there["options"] if option["label"] == there["chosen"]["label"])
        assert Decimal(chosen["usd_per_month"]) >= dearest  # more requests never cost less
        dearest = Decimal(chosen["usd_per_month"])


@pytest.mark.parametrize("example", sorted(path.name for path in (REPOSITORY / "examples").glob("*.toml")))
def test_each_example_adds_up(folder: Path, example: str) -> None:
    check(planned(folder, REPOSITORY / "examples" / example))


@pytest.mark.parametrize("trace", ["azure_llm_2023_conv.csv", "mooncake_conversation.jsonl"])
def test_each_trace_adds_up(folder: Path, shared_data: Path, trace: str) -> None:
    plan = planned(folder, shared_data / "traces" / trace)
    check(plan)
    for volume in borders(plan, 4)[-2:]:
        there = planned(folder, shared_data / "traces" / trace, "--requests-per-day", str(volume))
        assert there["chosen"]["label"] in options_at(plan, volume)


def test_a_month_has_730_hours_and_every_hour_of_it_is_busy_or_idle(folder: Path) -> None:
    workload = folder / "workload.toml"
    workload.write_text(CONSTANT, "utf-8")
    (fleet, *_) = planned(folder, workload, "--candidates", "gpu,Llama-3.3-70B", "--top", "1")["options"]
    hours = sum(Decimal(line["quantity"]) for line in fleet["lines"] if line["unit"] == "instance-hour")
    assert hours % 730 == 0
    assert hours > 0
