"""``plan``, ``curve`` and ``diff`` as typed: what reaches the api, what is printed, which code comes back."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import breakeven
from breakeven.cli.main import run
from breakeven.cli.progress import counting
from breakeven.errors import NothingFits, UnknownName
from breakeven.plan.curve_report import CurveReport
from breakeven.render.plan_formats import PLAN_FORMATS, render_plan
from render import plans
from render.test_curve_formats import REPORT

WORKLOAD = """[workload]
requests_per_day = 10_000
input_tokens = 800
output_tokens = 400
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An api that records what it was asked and answers with the hand-made plan."""
    record: dict[str, Any] = {}

    def plan(workload: Any, **question: Any) -> Any:
        record.update(workload=workload, **question)
        if "no-such-model" in question["candidates"]:
            raise UnknownName("no model 'no-such-model'", hint="breakeven catalog show")
        if question["candidates"] == ("too-slow",):
            raise NothingFits("nothing fits", cause="TTFT")
        return plans.plan()

    def curve(workload: Any, **question: Any) -> CurveReport:
        record.update(workload=workload, **question)
        return REPORT

    fake = types.ModuleType("breakeven.api")
    fake.plan, fake.curve = plan, curve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "breakeven.api", fake)
    monkeypatch.setattr(breakeven, "api", fake, raising=False)
    return record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a workload file, and no variables of ours."""
    for name in [name for name in os.environ if name.startswith("BREAKEVEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat.toml").write_text(WORKLOAD, "utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder", "asked")
def test_the_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "chat.toml"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (render_plan(plans.plan(), "text"), "")


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("output_format", PLAN_FORMATS)
def test_a_file_holds_what_the_terminal_would_show(
    folder: Path, output_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "chat.toml", "--format", output_format, "--out", "out"]) == 0
    assert capsys.readouterr().out == ""
    assert (folder / "out").read_text("utf-8") == render_plan(plans.plan(), output_format)


@pytest.mark.usefixtures("folder")
def test_flags_reach_the_api(asked: dict[str, Any]) -> None:
    flags = (
        "--candidates gpt-4o,api --reference gpt-4o --top 3 --at 2026-01-31 --min-quality premium --ttft 0.5 "
        "--tpot 0.02 --percentile 99 --data-residency --requests-per-day 5000 --growth-per-month-frac 0.2 "
        "--engineer-usd-per-month 12345.67 --hourly-shape flat --allow-spot --max-commitment-months 36"
    )
    assert run(["plan", "chat.toml", *flags.split()]) == 0
    workload, need = asked["workload"], asked["workload"].requirements
    assert (asked["candidates"], asked["reference"], asked["top"]) == (("gpt-4o", "api"), "gpt-4o", 3)
    assert (asked["at"], asked["show"], asked["config"]) == (date(2026, 1, 31), (), {})
    assert (need.min_quality, need.slo.ttft_s, need.slo.tpot_s, need.slo.percentile) == ("premium", 0.5, 0.02, 99)
    assert (need.data_residency, need.allow_spot, need.max_commitment_months) == (True, True, 36)
    assert (workload.requests_per_day, workload.growth_per_month_frac) == (5_000, 0.2)
    assert workload.costs.engineer_usd_per_month == Decimal("12345.67")
    assert set(workload.hourly_shape) == {1 / 24}


def test_the_command_line_wins_then_the_variable_then_the_file(
    folder: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "breakeven.toml").write_text("[plan]\ntop = 5\nttft = 1.5\n[prices]\na = 1\n", "utf-8")
    assert run(["plan", "chat.toml"]) == 0
    assert (asked["top"], asked["workload"].requirements.slo.ttft_s) == (5, 1.5)
    assert asked["config"] == {"prices": {"a": 1}}
    monkeypatch.setenv("BREAKEVEN_PLAN_TOP", "6")
    run(["plan", "chat.toml"])
    assert asked["top"] == 6
    run(["plan", "chat.toml", "--top", "7"])
    assert asked["top"] == 7


@pytest.mark.usefixtures("folder", "asked")
def test_a_variable_sets_the_format(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKEVEN_FORMAT", "json")
    run(["plan", "chat.toml"])
    assert json.loads(capsys.readouterr().out)["schema"] == "breakeven/plan/1"


@pytest.mark.usefixtures("folder")
def test_explaining_an_option_beyond_the_shown_asks_for_it(
    asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "chat.toml", "--explain", "staff"]) == 0
    assert asked["show"] == ()
    assert "Part of $16,744.70 a month." in capsys.readouterr().out
    assert run(["plan", "chat.toml", "--explain", "another option"]) == 2
    assert asked["show"] == ("another option",)


@pytest.mark.usefixtures("folder", "asked")
def test_failures_of_the_api_have_their_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "chat.toml", "--candidates", "no-such-model"]) == 2
    assert capsys.readouterr() == ("", "error: no model 'no-such-model'\nhint: breakeven catalog show\n")
    assert run(["plan", "chat.toml", "--candidates", "too-slow"]) == 1
    assert capsys.readouterr() == ("", "error: nothing fits\ncause: TTFT\nhint: breakeven plan --help\n")


@pytest.mark.usefixtures("folder", "asked")
def test_a_place_that_cannot_be_written_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "chat.toml", "--out", "no/such/folder/plan.txt"]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write no/such/folder/plan.txt\ncause: No such file")


@pytest.mark.usefixtures("folder")
def test_the_curve_of_a_pair(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["curve", "chat.toml", "--pair", "a", "b", "--format", "json"]) == 0
    assert asked["labels"] == ("a", "b")
    assert len(json.loads(capsys.readouterr().out)["crossings"]) == 2


@pytest.fixture
def saved(folder: Path) -> Callable[..., Path]:
    """Writes a plan whose chosen option is the one of that name."""

    def save(name: str, chosen: str) -> Path:
        choice = next(option for option in plans.OPTIONS if option.kind == chosen)
        plan = plans.plan(chosen=type(plans.plan().chosen)(label=choice.label, why="test"))
        path = folder / name
        path.write_text(render_plan(plan, "json"), "utf-8")
        return path

    return save


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ([], 0),
        (["--max-increase-usd", "1634.626666665"], 1),
        (["--max-increase-usd", "1634.626666666"], 0),
        (["--max-increase-frac", "14"], 1),
        (["--max-increase-frac", "15"], 0),
    ],
)
def test_diff_fails_exactly_past_the_threshold(saved: Callable[..., Path], limits: list[str], code: int) -> None:
    assert run(["diff", str(saved("a.json", "api")), str(saved("b.json", "edge")), *limits]) == code
    assert run(["diff", str(saved("b.json", "edge")), str(saved("a.json", "api")), *limits]) == 0


def test_diff_reads_what_plan_writes_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "x.json").write_bytes(b"\xff\xfe")
    assert run(["diff", "x.json", "x.json"]) == 2
    assert capsys.readouterr().err.startswith("error: x.json is not UTF-8 text")
    assert run(["diff", ".", "x.json"]) == 2


def test_a_reader_that_goes_away_is_no_error(saved: Callable[..., Path]) -> None:
    late = f"(sleep 0.2; exec {sys.executable} -m breakeven diff {saved('a', 'api')} {saved('b', 'gpu')})"
    script = f"{late} | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("141\n", "")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def ticking(step_s: float) -> Iterator[float]:
    now_s = 0.0
    while True:
        yield now_s
        now_s += step_s


def test_progress_is_drawn_on_a_terminal_and_wiped() -> None:
    clock, stream = ticking(1.0), Terminal()
    with counting("reading x.csv", "rows", stream, lambda: next(clock)) as progress:
        progress(1_000)
        progress(500)
    drawn = stream.getvalue().split("\r")
    assert drawn[1:3] == ["reading x.csv: 1,000 rows, 1.0 s", "reading x.csv: 1,500 rows, 2.0 s"]
    assert drawn[-2].strip() == ""


def test_progress_is_silent_for_short_work_and_off_a_terminal() -> None:
    clock, terminal, pipe = ticking(0.01), Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        with counting("reading x.csv", "rows", stream, lambda: next(clock)) as progress:
            progress(1_000)
    assert (terminal.getvalue(), pipe.getvalue()) == ("", "")
