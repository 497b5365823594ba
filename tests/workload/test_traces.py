"""Each trace format is recognised by its columns and read as what it is."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from breakeven.errors import TraceError, Unavailable
from breakeven.workload.loading import load_workload
from breakeven.workload.overrides import TraceColumns
from breakeven.workload.trace import Trace
from breakeven.workload.trace_reading import read_trace

OTEL = """
{"ts":0,"gen_ai.usage.input_tokens":5,"gen_ai.usage.output_tokens":7}
{"ts":10,"gen_ai.usage.input_tokens":6,"gen_ai.usage.output_tokens":8}
"""
OPENAI = """{"created":1704067200,"usage":{"prompt_tokens":5,"completion_tokens":7}}

{"created":1704067210,"usage":{"prompt_tokens":6,"completion_tokens":8}}
"""


def read(folder: Path, text: str, name: str = "trace.csv", columns: TraceColumns | None = None) -> Trace:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_trace(path, columns)


def test_azure_2023_as_published(shared_data: Path) -> None:
    """Counts and means as research on the public file found them."""
    trace = read_trace(shared_data / "traces" / "azure_llm_2023_conv.csv")
    assert trace.format_name == "Azure LLM inference"
    assert trace.rows == 19_366
    assert round(trace.input_tokens.mean()) == 1_155
    assert round(trace.output_tokens.mean()) == 211
    assert np.percentile(trace.input_tokens, [50, 99]).tolist() == [1_020, 4_142]
    assert trace.span_s / 60 == pytest.approx(58.4, abs=0.05)
    assert trace.starts_at_clock_s == pytest.approx(18 * 3_600 + 15 * 60 + 46.68059, abs=1e-3)
    assert trace.notes == ()


def test_mooncake_as_published(shared_data: Path) -> None:
    trace = read_trace(shared_data / "traces" / "mooncake_conversation.jsonl")
    assert trace.format_name == "Mooncake"
    assert trace.rows == 12_031
    assert round(trace.input_tokens.mean()) == 12_035
    assert round(trace.output_tokens.mean()) == 343
    assert trace.span_s / 60 == pytest.approx(59.0, abs=0.05)
    assert trace.prefix_reuse_frac == pytest.approx(0.374, abs=0.0005)


def test_azure_2024_has_a_zone_and_seconds_without_decimals(tmp_path: Path) -> None:
    trace = read(
        tmp_path,
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-05-10 00:00:00.009930+00:00,100,10\n2024-05-10 00:00:01+00:00,200,20\n",
    )
    assert trace.format_name == "Azure LLM inference"
    assert trace.arrivals_s.tolist() == pytest.approx([0, 0.99007])
    assert trace.clock == "the trace's own clock (UTC+00:00)"


@pytest.mark.parametrize(
    "header",
    [
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type",
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type",
    ],
)
def test_burstgpt_leaves_out_failures_and_says_so(tmp_path: Path, header: str) -> None:
    wide = "x,1," if "Session" in header else ""
    rows = (
        f"86405,{wide}ChatGPT,472,18,490,API log\n"
        f"86445,{wide}GPT-4,1087,0,1087,API log\n"
        f"86505,{wide}GPT-4,417,276,693,Conversation log\n"
    )
    trace = read(tmp_path, f"{header}\n{rows}")
    assert trace.format_name == "BurstGPT"
    assert trace.input_tokens.tolist() == [472, 417]
    assert trace.arrivals_s.tolist() == [0, 100]
    assert trace.starts_at_clock_s == 5  # seconds count from a midnight
    assert trace.notes == ("1 of 3 rows left out: no tokens, so the request failed",)


def test_bailian_differs_from_mooncake_in_block_and_clock(tmp_path: Path) -> None:
    row = {"timestamp": 1.5, "input_length": 32, "output_length": 5, "hash_ids": [1, 2]}
    mooncake = read(tmp_path, "".join(json.dumps(row | {"timestamp": at}) + "\n" for at in (0, 1_000)), "m.jsonl")
    assert mooncake.arrivals_s.tolist() == [0, 1]
    bailian = read(
        tmp_path, "".join(json.dumps(row | {"timestamp": at, "chat_id": at}) + "\n" for at in (0, 1_000)), "b.jsonl"
    )
    assert bailian.format_name == "Qwen-Bailian"
    assert bailian.arrivals_s.tolist() == [0, 1_000]
    assert bailian.prefix_reuse_frac == 0.5


def test_reuse_counts_leading_blocks_only(tmp_path: Path) -> None:
    blocks = [[1, 2], [1, 3], [9, 2, 3]]
    rows = [{"timestamp": 0, "input_length": 1_000, "output_length": 1, "hash_ids": ids} for ids in blocks]
    trace = read(tmp_path, "\n".join(map(json.dumps, rows)), "m.jsonl")
    assert trace.prefix_reuse_frac == pytest.approx(512 / 3_000)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "created_at,prompt_tokens,completion_tokens\n2024-01-01T00:00:00Z,5,7\n2024-01-01T00:00:10Z,6,8\n"),
        ("a.tsv", "id\ttime\tinput_tokens\toutput_tokens\n1\t1704067200\t5\t7\n2\t1704067210\t6\t8\n"),
        ("ms.csv", "timestamp;Input Tokens;Output Tokens\n1704067200000;5;7\n1704067210000;6;8\n"),
        ("us.csv", "ts,tokens_in,tokens_out\n1704067200000000,5,7\n1704067210000000,6,8\n"),
        ("ns.csv", "startTimeUnixNano,inputTokens,outputTokens\n1704067200000000000,5,7\n1704067210000000000,6,8\n"),
        ("rel.csv", "start_time_ms,num_prefill_tokens,num_decode_tokens\n500,5,7\n10500,6,8\n"),
        ("zone.csv", "time,input_tokens,output_tokens\n2024-01-01T00:00:00+01:00,5,7\n2024-01-01T00:00:10+01:00,6,8\n"),
        ("mixed.csv", "time,input_tokens,output_tokens\n2024-01-01T00:00:00+01:00,5,7\n2023-12-31T23:00:10Z,6,8\n"),
        ("quoted.csv", 'time,prompt,input_tokens,output_tokens\n0,"a,\nb",5,7\n\n10,"c",6.0, 8 \n'),
        ("crlf.csv", "time,input_tokens,output_tokens\r\n0,5,7\r\n10,6,8\r\n"),
        ("bom.csv", "\ufefftime,input_tokens,output_tokens\n0,5,7\n10,6,8\n"),
        ("open.csv", "time,input_tokens,output_tokens\n0,5,7\n10,6,8"),
        ("otel.jsonl", OTEL),
        ("openai.jsonl", OPENAI),
    ],
)  # fmt: skip
def test_named_columns_in_their_many_spellings(tmp_path: Path, name: str, text: str) -> None:
    trace = read(tmp_path, text, name)
    assert trace.format_name == "named columns"
    assert trace.arrivals_s.tolist() == [0, 10]
    assert trace.input_tokens.tolist() == [5, 6]
    assert trace.output_tokens.tolist() == [7, 8]


def test_columns_may_be_named_by_the_caller(tmp_path: Path) -> None:
    text = "when,in,out,timestamp\n0,5,7,x\n10,6,8,x\n"
    wanted = TraceColumns(timestamp="when", input_tokens="in", output_tokens="out")
    assert read(tmp_path, text, columns=wanted).arrivals_s.tolist() == [0, 10]
    with pytest.raises(TraceError, match="no column 'whem'") as refused:
        read(tmp_path, text, columns=TraceColumns(timestamp="whem", input_tokens="in", output_tokens="out"))
    assert refused.value.hint == "did you mean 'when'?"


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(b"time,input_tokens,output_tokens\n0,5,7\n10,6,8\n"))
    trace = read_trace(path)
    assert trace.rows == 2
    assert trace.name == "trace"


def test_rows_out_of_order_are_sorted_and_equal_stamps_kept_both_said(tmp_path: Path) -> None:
    trace = read(tmp_path, "time,input_tokens,output_tokens\n20,3,3\n0,1,1\n10,2,2\n10,9,9\n")
    assert trace.arrivals_s.tolist() == [0, 10, 10, 20]
    assert trace.input_tokens.tolist() == [1, 2, 9, 3]
    assert [note.split(":")[0] for note in trace.notes] == [
        "timestamps read as seconds without a date",
        "1 rows stand before an earlier one",
        "1 rows have the timestamp of the row before",
    ]


@pytest.mark.parametrize("kind", ["timestamp", "zoned", "text", "number"])
def test_parquet(tmp_path: Path, kind: str) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    stamps = {
        "timestamp": pa.array([1_704_067_200_000, 1_704_067_210_000], pa.timestamp("ms")),
        "zoned": pa.array([1_704_067_200_000, 1_704_067_210_000], pa.timestamp("ms", tz="Europe/Paris")),
        "text": pa.array(["2024-01-01 00:00:00", "2024-01-01 00:00:10"]),
        "number": pa.array([1_704_067_200.0, 1_704_067_210.0]),
    }
    table = pa.table({"time": stamps[kind], "input_tokens": [5, 6], "output_tokens": [7, 8]})
    path = tmp_path / "trace.parquet"
    parquet.write_table(table, path)
    trace = read_trace(path)
    assert trace.arrivals_s.tolist() == [0, 10]
    assert trace.input_tokens.tolist() == [5, 6]


def test_a_null_in_parquet_names_its_row(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    path = tmp_path / "trace.parquet"
    parquet.write_table(pa.table({"time": [0, 1], "input_tokens": [5, None], "output_tokens": [7, 8]}), path)
    with pytest.raises(TraceError, match="row 2: input_tokens is missing"):
        read_trace(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "trace.parquet"
    path.write_bytes(b"PAR1....PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(Unavailable) as refused:
        load_workload(path)
    assert "pip install 'breakeven[parquet]'" in str(refused.value.hint)


def test_progress_is_told_of_every_row(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(
        "time,input_tokens,output_tokens\n" + "".join(f"{at},1,1\n" for at in range(20_000)), encoding="utf-8"
    )
    told: list[int] = []
    assert load_workload(path, progress=told.append).requests_per_day == 86_400
    assert sum(told) == 20_000
    assert len(told) > 1
