"""A workload file: read strictly, each value with its origin."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from breakeven.errors import WorkloadError
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import WorkloadOverrides
from breakeven.workload.workload import Workload
from conftest import REPOSITORY

CONTRACT = """
[workload]
requests_per_day = 10_000
input_tokens = { p50 = 800, p90 = 2_000, p99 = 4_000 }
output_tokens = { p50 = 400, p90 = 800, p99 = 1_200 }
hourly_shape = "office"
growth_per_month_frac = 0.10
duplicate_requests_frac = 0.01
shared_prefix_tokens = 600

[requirements]
min_quality = "good"
ttft_s = 2.0
tpot_s = 0.1
percentile = 95
data_residency = false

[costs]
engineer_usd_per_month = 15_000
engineer_share_frac = 1.0
electricity_usd_per_kwh = 0.15
"""


def loaded(folder: Path, text: str, overrides: WorkloadOverrides | None = None) -> Workload:
    path = folder / "work.toml"
    path.write_text(text, encoding="utf-8")
    return load_workload(path, overrides)


def test_the_contracts_file_is_read_as_stated(tmp_path: Path) -> None:
    workload = loaded(tmp_path, CONTRACT)
    assert workload.name == "work"
    assert workload.requests_per_day == 10_000
    assert np.percentile(workload.input_tokens, [50, 90, 99]).tolist() == [800, 2_000, 4_000]
    assert np.percentile(workload.output_tokens, [50, 90, 99]).tolist() == [400, 800, 1_200]
    assert sum(workload.hourly_shape) == pytest.approx(1)
    assert workload.growth_per_month_frac == 0.1
    assert workload.duplicate_requests_frac == 0.01
    assert workload.shared_prefix_tokens == 600
    assert workload.requirements.slo.percentile == 95
    assert workload.costs.engineer_usd_per_month == Decimal(15_000)
    assert workload.costs.electricity_usd_per_kwh == Decimal("0.15")


def test_the_shared_prefix_gives_the_share_of_tokens_sent_before(tmp_path: Path) -> None:
    text = CONTRACT.replace("{ p50 = 800, p90 = 2_000, p99 = 4_000 }", "2_400")
    assert loaded(tmp_path, text).prefix_reuse_frac == pytest.approx(600 / 2_400)


def test_every_value_says_where_it_came_from(tmp_path: Path) -> None:
    text = CONTRACT.replace("ttft_s = 2.0\n", "")
    workload = loaded(tmp_path, text, WorkloadOverrides(tpot_s=0.05, requests_per_day=7))
    origin = {found.name: (found.value, found.basis, found.source) for found in workload.assumptions}
    assert origin["percentile"] == (95.0, "quoted", "workload file")
    assert origin["tpot_s"] == (0.05, "quoted", "override")
    assert origin["ttft_s"] == (2.0, "assumed", "default")
    assert origin["requests_per_day"] == (7, "quoted", "override")
    assert origin["burst_frac"][1] == "assumed"
    assert "Azure" in origin["burst_frac"][2]
    assert origin["hourly_shape"][1] == "assumed"  # "office" is drawn, not measured, and says so
    assert workload.requests_per_day == 7
    assert workload.requirements.slo.tpot_s == 0.05


def test_each_name_is_an_assumption_once(tmp_path: Path) -> None:
    names = [found.name for found in loaded(tmp_path, CONTRACT).assumptions]
    assert len(names) == len(set(names))


def test_a_number_is_a_constant(tmp_path: Path) -> None:
    text = "[workload]\nrequests_per_day = 1\ninput_tokens = 800\noutput_tokens = { mean = 400 }\n"
    workload = loaded(tmp_path, text)
    assert workload.mean_input_tokens == 800
    assert workload.mean_output_tokens == 400
    assert workload.longest_request_tokens == 1_200


def test_a_constant_beside_a_distribution_has_as_many_rows(tmp_path: Path) -> None:
    text = "[workload]\nrequests_per_day = 1\ninput_tokens = 800\noutput_tokens = { p50 = 10, p90 = 90 }\n"
    workload = loaded(tmp_path, text)
    assert len(workload.input_tokens) == len(workload.output_tokens)
    assert set(workload.input_tokens.tolist()) == {800}


def test_a_file_may_leave_the_requirements_to_a_trace(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("when,in,out\n0,5,2\n10,7,4\n", encoding="utf-8")
    workload = loaded(
        tmp_path,
        '[workload]\ntrace = "log.csv"\ncolumns = { timestamp = "when", input_tokens = "in", output_tokens = "out" }\n'
        'hourly_shape = "flat"\n[requirements]\nmin_quality = "premium"\n',
    )
    assert workload.mean_input_tokens == 6
    assert workload.requests_per_day == 8_640
    assert workload.hourly_shape == pytest.approx((1 / 24,) * 24)
    assert workload.requirements.min_quality == "premium"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("requests_per_day = 10_000", "", "no requests_per_day"),
        ("= 10_000", "= 0", "requests_per_day must be a whole number from 1"),
        ("= 10_000", "= -3", "requests_per_day must be a whole number"),
        ("= 10_000", "= 10.5", "requests_per_day must be a whole number"),
        ("= 10_000", "= 1_000_000_001", "requests_per_day must be a whole number"),
        ("= 10_000", "= nan", "requests_per_day must be a finite number"),
        ("= 10_000", "= inf", "requests_per_day must be a finite number"),
        ("= 10_000", "= true", "requests_per_day must be a number"),
        ("= 10_000", '= "many"', "requests_per_day must be a number"),
        ("= 10_000", "= 10_000\nrequest_per_day = 1", "unknown key request_per_day"),
        ("p50 = 800", "p50 = 8_000", "input_tokens: p90 is below p50"),
        ("p50 = 800", "p50 = 0", "input_tokens p50 must be a whole number from 1"),
        ("p50 = 800", "p0 = 800", "unknown quantile p0"),
        ("p50 = 800", "mean = 900, p50 = 800", "unknown quantile mean"),
        ("{ p50 = 800, p90 = 2_000, p99 = 4_000 }", "{ p50 = 800 }", "two quantiles or more"),
        ("{ p50 = 800, p90 = 2_000, p99 = 4_000 }", "{}", "two quantiles or more"),
        ("{ p50 = 800, p90 = 2_000, p99 = 4_000 }", "[800]", "input_tokens must be a number"),
        ("shared_prefix_tokens = 600", "shared_prefix_tokens = 900", "longer than the median input"),
        ('"office"', '"ofice"', "hourly_shape 'ofice' is unknown"),
        ('"office"', "[1, 2, 3]", "24 numbers"),
        ('"office"', f"{[0] * 24}", "no requests in any hour"),
        ('"office"', f"{[1] * 23 + [-1]}", "-1 at hour 23"),
        ('"office"', "[" + "nan," * 24 + "]", "at hour 0"),
        ('"office"', "3", "24 numbers"),
        ("percentile = 95", "percentile = 100", "percentile must be a number above 0 and below 100"),
        ("percentile = 95", "percentile = 0", "percentile must be a number above 0 and below 100"),
        ("ttft_s = 2.0", "ttft_s = 0", "ttft_s must be a number above 0"),
        ("ttft_s = 2.0", "ttft_s = -1", "ttft_s must be a number above 0"),
        ("duplicate_requests_frac = 0.01", "duplicate_requests_frac = 1.01", "duplicate_requests_frac must be"),
        ("growth_per_month_frac = 0.10", "growth_per_month_frac = -1", "growth_per_month_frac must be"),
        ('min_quality = "good"', 'min_quality = "great"', "min_quality must be one of basic, good, premium"),
        ("data_residency = false", "data_residency = 0", "data_residency must be true or false"),
        ("engineer_usd_per_month = 15_000", "engineer_usd_per_month = -1", "engineer_usd_per_month must be"),
        ("[costs]", "[cost]", "unknown table cost"),
        ("[workload]", "[workload", "not valid TOML"),
        ("[workload]\n", '[workload]\ntrace = "a.csv"\n', "both trace and input_tokens"),
        ("[workload]\n", "[workload]\nname = 3\n", "name must be a text"),
        ("[workload]\n", "[workload]\ntrace = 3\n", "trace must be a path"),
        ("input_tokens = {", "input_token = {", "unknown key input_token"),
        ("output_tokens = { p50 = 400, p90 = 800, p99 = 1_200 }", "", "has no output_tokens"),
        ("[costs]", "[costs]\nname = 1", "unknown key name"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in CONTRACT
    with pytest.raises(WorkloadError, match=r"work\.toml") as refused:
        loaded(tmp_path, CONTRACT.replace(old, new, 1))
    assert told in refused.value.message


def test_an_unknown_key_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError) as refused:
        loaded(tmp_path, CONTRACT.replace("ttft_s", "ttft"))
    assert refused.value.hint == "did you mean ttft_s?"
    assert "[requirements]" in refused.value.message


@pytest.mark.parametrize(
    "overrides",
    [
        WorkloadOverrides(requests_per_day=0),
        WorkloadOverrides(ttft_s=float("nan")),
        WorkloadOverrides(percentile=float("inf")),
        WorkloadOverrides(hourly_shape="weekend"),
        WorkloadOverrides(min_quality="superb"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_override_is_refused_by_name(tmp_path: Path, overrides: WorkloadOverrides) -> None:
    with pytest.raises(WorkloadError, match="override"):
        loaded(tmp_path, CONTRACT, overrides)


@pytest.mark.parametrize("raw", [b"\xff\xfe[\0w\0", b"[workload]\nname = '\xe9'", b"", b"x" * (1 << 21)])
def test_bytes_that_are_no_workload_file(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "work.toml"
    path.write_bytes(raw)
    with pytest.raises(WorkloadError):
        load_workload(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="cannot be read"):
        load_workload(tmp_path / "none.toml")


def test_the_example_has_the_means_of_the_trace_that_it_quotes() -> None:
    workload = load_workload(REPOSITORY / "examples" / "chat.toml")
    assert workload.requests_per_day == 10_000
    assert workload.mean_input_tokens == pytest.approx(1_154.7, rel=0.02)  # Azure 2023 conversation
    assert workload.mean_output_tokens == pytest.approx(211.1, rel=0.02)
    assert max(workload.hourly_shape) * 24 == pytest.approx(1.456, abs=0.001)


@pytest.mark.parametrize("text", ["workload = 3\n", "[requirements]\nttft_s = 1.0\n"])
def test_a_file_without_its_workload_table(tmp_path: Path, text: str) -> None:
    with pytest.raises(WorkloadError, match="table"):
        loaded(tmp_path, text)


def test_wrong_columns_beside_a_trace(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="columns must be a table"):
        loaded(tmp_path, '[workload]\ntrace = "a.csv"\ncolumns = 3\n')
    with pytest.raises(WorkloadError, match="unknown key time"):
        loaded(tmp_path, '[workload]\ntrace = "a.csv"\ncolumns = { time = "x" }\n')


def test_a_file_without_a_shape_says_which_one_is_assumed(tmp_path: Path) -> None:
    workload = loaded(tmp_path, CONTRACT.replace('hourly_shape = "office"\n', ""))
    found = next(row for row in workload.assumptions if row.name == "hourly_shape")
    assert found.basis == "assumed"
    assert str(found.value).startswith("consumer")
    assert found.source.startswith("the file states none; shape from alibaba/ServeGen")


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_every_example_can_be_read(example: Path) -> None:
    assert load_workload(example).name == example.stem
