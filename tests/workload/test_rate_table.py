"""Rates of equal intervals are read as they are, and what is no such table is refused by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from breakeven.errors import TraceError
from breakeven.workload.rate_table import read_rates


def written(folder: Path, text: str) -> Path:
    path = folder / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_one_pool_needs_no_name(tmp_path: Path) -> None:
    path = written(tmp_path, "t_s,rate_rps\n0,1.5\n600,0\n1200,2\n")
    assert read_rates(path).tolist() == [1.5, 0.0, 2.0]


def test_a_pool_is_read_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "pool,t_s,rate_rps\na,0,1\nb,0,5\na,600,2\nb,600,6\n")
    assert read_rates(path, "b").tolist() == [5.0, 6.0]


def test_the_real_rates_are_two_weeks(shared_data: Path) -> None:
    rates = read_rates(shared_data / "traces/servegen_rate_10min.csv", "m-large")
    assert len(rates) == 14 * 24 * 6
    assert rates.mean() == pytest.approx(196, abs=1)


@pytest.mark.parametrize(
    ("text", "pool", "said"),
    [
        ("", None, "has no rates"),
        ("time,rate\n0,1\n", None, "has no rates"),
        ("t_s,rate_rps\n0,1\n600,many\n", None, "line 3"),
        ("t_s,rate_rps\n0,-1\n", None, "line 2"),
        ("t_s,rate_rps\n0\n", None, "line 2"),
        ("t_s,rate_rps\n0,1\n600,1\n1300,1\n", None, "not equal"),
        ("t_s,rate_rps\n600,1\n0,1\n", None, "not equal"),
        ("pool,t_s,rate_rps\na,0,1\nb,0,5\n", None, "which pool"),
        ("pool,t_s,rate_rps\na,0,1\nb,0,5\n", "c", "no pool 'c'"),
    ],
)
def test_what_is_no_table_of_rates_is_refused(tmp_path: Path, text: str, pool: str | None, said: str) -> None:
    with pytest.raises(TraceError, match=said):
        read_rates(written(tmp_path, text), pool)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        read_rates(tmp_path / "none.csv")
