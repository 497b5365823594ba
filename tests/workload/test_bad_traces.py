"""A faulty trace is refused with its line; no input whatever gives a traceback."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from breakeven.errors import BreakevenError, TraceError
from breakeven.workload.loading import load_workload

HEADER = b"time,input_tokens,output_tokens\n"
GOOD = HEADER + b"2024-01-01T00:00:00,5,7\n2024-01-01T00:00:10,6,8\n"
VALID = {
    "a.csv": GOOD,
    "b.csv": b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
    b"5,G,4,1,5,API log\n9,G,4,1,5,API log\n",
    "c.jsonl": b'{"timestamp": 0, "input_length": 6, "output_length": 5, "hash_ids": [0, 1]}\n'
    b'{"timestamp": 9, "input_length": 7, "output_length": 5, "hash_ids": [0, 2]}\n',
    "d.csv.gz": gzip.compress(GOOD, mtime=0),
    "e.toml": b"[workload]\nrequests_per_day = 10\ninput_tokens = { p50 = 8, p90 = 20 }\noutput_tokens = 4\n"
    b'hourly_shape = "flat"\n[requirements]\nttft_s = 2.0\n[costs]\nelectricity_usd_per_kwh = 0.15\n',
}


def refused(folder: Path, raw: bytes, name: str = "trace.csv") -> TraceError:
    path = folder / name
    path.write_bytes(raw)
    with pytest.raises(TraceError) as caught:
        load_workload(path)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the trace is empty"),
        (b" \n\n", "the trace is empty"),
        (HEADER, "no rows"),
        (HEADER + b"\n\n", "no rows"),
        (b"\n" + GOOD, ":1: no header"),
        (b"a,b,c\n1,2,3\n", ":1: no timestamp, input and output token columns"),
        (GOOD + b"2024-01-01T00:00:20,,8\n", ":4: input_tokens is missing"),
        (GOOD + b"2024-01-01T00:00:20,-1,8\n", ":4: input_tokens is -1"),
        (GOOD + b"2024-01-01T00:00:20,5,nan\n", ":4: output_tokens is NaN"),
        (GOOD + b"2024-01-01T00:00:20,5,inf\n", ":4: output_tokens is Infinity"),
        (GOOD + b"2024-01-01T00:00:20,5,1.5\n", ":4: output_tokens is 1.5"),
        (GOOD + b"2024-01-01T00:00:20,5,ten\n", ":4: output_tokens is not a number"),
        (GOOD + b"2024-01-01T00:00:20,5,99999999999999999999999\n", ":4: output_tokens is 9999"),
        (GOOD + b"\n2024-01-01T00:00:20,5,100000001\n", ":5: output_tokens is 100000001"),
        (GOOD + b"2024-01-01T00:00:20,5\n", ":4: 2 cells where the header has 3"),
        (GOOD + b"2024-01-01T00:00:20,5,6,7\n", ":4: 4 cells where the header has 3"),
        (GOOD + b",5,6\n", ":4: timestamp is missing"),
        (GOOD + b"NaT,5,6\n", ":4: timestamp is unreadable"),
        (GOOD + b"now,5,6\n", ":4: timestamp is unreadable"),
        (GOOD + b"12,5,6\n", ":4: timestamp is unreadable"),
        (GOOD + b"2024-02-30T00:00:00,5,6\n", ":4: timestamp is unreadable"),
        (GOOD + b"0001-01-01T00:00:00,5,6\n", ":4: timestamp is unreadable"),
        (GOOD + b"2024-01-01T00:00:20Z,5,6\n", ":4: some timestamps have a time zone"),
        (HEADER + b"1,5,6\nnan,5,6\n", ":3: timestamp is unreadable"),
        (HEADER + b"1,5,6\n2024-01-01,5,6\n", ":3: timestamp is unreadable"),
        (HEADER + b"0,5,6\n1704067200,5,6\n", "timestamps of different units"),
        (GOOD + b"2024-01-01T00:00:20,5,\xe9\n", ":4: not UTF-8"),
        (GOOD + b"2024-01-01T00:00:20,5\x00,6\n", ":4: a NUL byte"),
        (GOOD.decode().encode("utf-16"), ":1: UTF-16"),
        (GOOD + b"x" * (3 << 20), ":4: a line of more than 1 MiB"),
        (GOOD + b"x" * (1 << 20) + b"y\n", ":4: a line of more than 1 MiB"),
        (b"x" * (3 << 20), ":1: a line of more than 1 MiB"),
        (GOOD.replace(b"\n", b"\r"), ":1: not a CSV header"),
        (gzip.compress(GOOD)[:-9], "cannot be read further"),
        (HEADER + b"5,0,0\n6,0,0\n", "no request has tokens"),
        (HEADER + b"5,1,1\n", "the trace shows no rate"),
        (HEADER + b"5,1,1\n5,1,1\n", "the trace shows no rate"),
        (HEADER + b"0,1,1\n0.00000001,1,1\n", "requests a day"),
        (b"[{}]", "not a JSON object"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": 5}\n{"time": 2, "input_', ":2: not valid JSON"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": 5}\n\n{"time": 2}', ":3: no input_tokens"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": 5}\n[1]', ":2: not a JSON object"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": 5}\n{},{}', ":2: not valid JSON"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": true}', ":1: output_tokens is not a number"),
        (b'{"time": 1, "input_tokens": 5, "output_tokens": NaN}', ":1: output_tokens is NaN"),
        (b'{"time": null, "input_tokens": 5, "output_tokens": 1}', ":1: timestamp is missing"),
        (b'{"time": [1], "input_tokens": 5, "output_tokens": 1}', ":1: timestamp is unreadable"),
        (b'{"a":' * 100_000, ":1: not valid JSON"),
        (b'{"timestamp":0,"input_length":6,"output_length":5,"hash_ids":3}', ":1: hash_ids is not a list"),
        (b'{"timestamp":0,"input_length":6,"output_length":5,"hash_ids":[[]]}', ":1: hash_ids is not a list"),
        (b"PAR1 and no more", "not readable as Parquet"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, raw: bytes, told: str) -> None:
    assert told in refused(tmp_path, raw).message


def test_a_fault_far_down_is_named_with_its_line(tmp_path: Path) -> None:
    rows = [f"{second},5,6\n" for second in range(50_000)]
    rows[40_000] = "40000,5,minus one\n"
    assert ":40002:" in refused(tmp_path, HEADER + "".join(rows).encode()).message
    lines = [f'{{"time":{second},"input_tokens":5,"output_tokens":6}}\n' for second in range(50_000)]
    lines[40_000] = '{"time":1,"input_tokens":5,"output_tokens":}\n'
    assert ":40001:" in refused(tmp_path, "".join(lines).encode()).message


@pytest.mark.parametrize(("name", "told"), [("none.csv", "no such file"), ("folder", "not a regular file")])
def test_no_such_file(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(TraceError, match=told):
        load_workload(tmp_path / name)


def read_or_refuse(folder: Path, name: str, raw: bytes) -> None:
    path = folder / name
    path.write_bytes(raw)
    with contextlib.suppress(BreakevenError):
        load_workload(path)


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(raw=st.binary(max_size=400), name=st.sampled_from(["x.csv", "x.toml", "x.jsonl"]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, raw: bytes, name: str) -> None:
    read_or_refuse(tmp_path, name, raw)


@FUZZ
@given(rows=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=12), st.text(max_size=12)), max_size=5))
def test_any_cells_are_read_or_refused(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    raw = HEADER + "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")
    read_or_refuse(tmp_path, "x.csv", raw)


@FUZZ
@given(
    name=st.sampled_from(sorted(VALID)),
    edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_any_mutation_is_read_or_refused(tmp_path: Path, name: str, edits: list[tuple[int, int, bytes]]) -> None:
    raw = VALID[name]
    for at, cut, put in edits:
        raw = raw[: at % (len(raw) + 1)] + put + raw[at % (len(raw) + 1) + cut :]
    read_or_refuse(tmp_path, name, raw)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@FUZZ
@given(rows=st.lists(st.tuples(JSON_VALUES, JSON_VALUES, JSON_VALUES, JSON_VALUES), min_size=1, max_size=4))
def test_any_json_values_are_read_or_refused(tmp_path: Path, rows: list[tuple[object, ...]]) -> None:
    keys = ("timestamp", "input_length", "output_length", "hash_ids")
    text = "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows)
    read_or_refuse(tmp_path, "x.jsonl", text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", sorted(VALID))
def test_the_unmutated_files_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(VALID[name])
    assert load_workload(path).requests_per_day >= 1
