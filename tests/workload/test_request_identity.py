"""Which requests of a trace are the same, from whichever columns the trace has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breakeven.errors import TraceError
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.request_identity import NO_CONTENT
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace

HEADER = "timestamp,input_tokens,output_tokens"


def csv(folder: Path, header: str, *rows: str, columns: TraceColumns | None = None) -> Trace:
    path = folder / "trace.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_trace(path, columns)


def jsonl(folder: Path, *rows: dict[str, Any], keep_blocks: bool = False) -> Trace:
    path = folder / "trace.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_trace(path, keep_blocks=keep_blocks)


def same(trace: Trace) -> list[list[int]]:
    """The rows of each content, in order of its first row."""
    assert trace.contents is not None
    groups: dict[int, list[int]] = {}
    for row, content in enumerate(trace.contents.tolist()):
        groups.setdefault(content, []).append(row)
    return list(groups.values())


def mooncake(at_ms: int, tokens: int, *blocks: int) -> dict[str, Any]:
    return {"timestamp": at_ms, "input_length": tokens, "output_length": 9, "hash_ids": list(blocks)}


@pytest.mark.parametrize("name", ["request_hash", "content_hash", "Prompt Hash"])
def test_a_digest_tells_requests_apart(tmp_path: Path, name: str) -> None:
    assert same(csv(tmp_path, f"{HEADER},{name}", "0,5,7,a", "1,5,7,b", "2,5,9,a")) == [[0, 2], [1]]


def test_the_column_of_digests_can_be_named(tmp_path: Path) -> None:
    rows = f"{HEADER},h", "0,5,7,a", "1,5,7,a"
    assert csv(tmp_path, *rows).contents is None
    assert same(csv(tmp_path, *rows, columns=TraceColumns(request_hash="h"))) == [[0, 1]]
    with pytest.raises(TraceError, match="no column 'hh'"):
        csv(tmp_path, *rows, columns=TraceColumns(request_hash="hh"))


def test_blocks_and_length_make_a_request_but_not_the_answers_length(tmp_path: Path) -> None:
    longer = {**mooncake(3, 600, 1, 2), "output_length": 50}
    trace = jsonl(tmp_path, mooncake(0, 600, 1, 2), mooncake(1, 601, 1, 2), mooncake(2, 600, 1, 3), longer)
    assert same(trace) == [[0, 3], [1], [2]]


@pytest.mark.parametrize("column", ["tenant", "model"])
def test_another_tenant_or_model_makes_another_request(tmp_path: Path, column: str) -> None:
    rows = "0,5,7,a,x", "1,5,7,a,y", "2,5,7,a,x"
    assert same(csv(tmp_path, f"{HEADER},request_hash,{column}", *rows)) == [[0, 2], [1]]


def test_a_row_without_a_digest_equals_no_other(tmp_path: Path) -> None:
    trace = jsonl(
        tmp_path,
        {"ts": 0, "input_tokens": 5, "output_tokens": 7, "request_hash": "a"},
        {"ts": 1, "input_tokens": 5, "output_tokens": 7, "request_hash": None},
        {"ts": 2, "input_tokens": 5, "output_tokens": 7},
    )
    assert trace.contents is not None
    assert trace.contents.tolist()[1:] == [NO_CONTENT, NO_CONTENT]
    assert trace.contents[0] != NO_CONTENT


def test_no_digest_in_any_row_is_unknown_not_distinct(tmp_path: Path) -> None:
    assert csv(tmp_path, f"{HEADER},request_hash", "0,5,7,", "1,5,7,").contents is None
    assert csv(tmp_path, HEADER, "0,5,7", "1,5,7").contents is None


def test_a_digest_that_is_an_object_is_refused_by_its_line(tmp_path: Path) -> None:
    row = {"ts": 0, "input_tokens": 5, "output_tokens": 7}
    with pytest.raises(TraceError, match=r"trace.jsonl:2: a hash"):
        jsonl(tmp_path, {**row, "request_hash": "a"}, {**row, "request_hash": {"sha": "b"}})


@pytest.mark.parametrize(
    ("name", "cells", "seconds"),
    [("duration_ms", "1500", 1.5), ("latency_s", "2", 2.0), ("Elapsed time", "3", 3.0), ("latency", "4", None)],
)
def test_a_duration_is_read_in_the_unit_that_its_name_says(
    tmp_path: Path, name: str, cells: str, seconds: float | None
) -> None:
    trace = csv(tmp_path, f"{HEADER},{name}", f"0,5,7,{cells}", "1,5,7,-1")
    if seconds is None:
        assert trace.durations_s is None
    else:
        assert trace.durations_s is not None
        assert trace.durations_s.tolist()[0] == seconds
        assert np.isnan(trace.durations_s[1])


def test_what_belongs_to_a_request_moves_with_it_when_rows_are_sorted(tmp_path: Path) -> None:
    late = mooncake(9, 1_024, 1, 2), mooncake(0, 700, 3), {**mooncake(5, 0), "output_length": 0}, mooncake(7, 700, 3)
    trace = jsonl(tmp_path, *late, keep_blocks=True)
    assert trace.input_tokens.tolist() == [700, 700, 1_024]
    assert same(trace) == [[0, 1], [2]]
    assert trace.blocks is not None
    assert [trace.blocks.of(row) for row in range(3)] == [[3], [3], [1, 2]]


def test_blocks_of_64_bits_are_told_apart(tmp_path: Path) -> None:
    trace = jsonl(tmp_path, mooncake(0, 600, 2**64 - 1, 7), mooncake(1, 600, 2**64 - 2, 7), keep_blocks=True)
    assert trace.blocks is not None
    assert trace.blocks.of(0)[0] != trace.blocks.of(1)[0]
    assert trace.blocks.of(0)[1] == trace.blocks.of(1)[1]


def test_parquet_carries_digests_too(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table(
        {"ts": [0, 1, 2], "input_tokens": [5, 5, 5], "output_tokens": [7, 7, 7], "request_hash": ["a", None, "a"]}
    )
    parquet.write_table(table, tmp_path / "trace.parquet")
    trace = read_trace(tmp_path / "trace.parquet")
    assert same(trace) == [[0, 2], [1]]
