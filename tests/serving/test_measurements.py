"""Reports of benchmark tools become points: the right field under each tool's own name, and never a guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breakeven.errors import InputError
from breakeven.serving.benchmark_reports import StatedDeployment
from breakeven.serving.measurements import points_from_columns, read_measurements
from breakeven.serving.points import Point
from serving import reports

H100 = StatedDeployment(gpu="H100-SXM", tensor_parallel=2, precision="fp8", engine="vllm 0.19")


def only(folder: Path, document: Any, stated: StatedDeployment = H100) -> Point:
    (point,) = read_measurements(reports.write(folder, document), stated).servers
    return point


def test_vllm_reports_give_lengths_load_and_medians(tmp_path: Path) -> None:
    point = only(tmp_path, reports.vllm())
    assert (point.input_tokens, point.output_tokens, point.concurrency) == (512, 128, 32)
    assert point.measured == {"ttft_ms": 100.0, "tpot_ms": 14.0}
    assert (point.model, point.gpu, point.gpus, point.tensor_parallel) == (
        "meta-llama/Llama-3.1-8B-Instruct",
        "H100-SXM",
        2,
        2,
    )


def test_the_engine_comes_from_the_report_where_it_names_one(tmp_path: Path) -> None:
    stated = StatedDeployment(gpu="H100-SXM")
    assert only(tmp_path, reports.vllm(), stated).engine == "vllm"
    assert only(tmp_path, reports.vllm(backend="sglang"), stated).engine == "sglang"
    assert only(tmp_path, reports.vllm(backend="openai-chat"), stated).engine == ""


def test_a_paced_run_has_as_many_in_flight_as_littles_law_says(tmp_path: Path) -> None:
    point = only(tmp_path, reports.vllm(None, request_rate=10.0))
    # 10 requests/s, each 130 ms + 127 x 14 ms in the system.
    assert point.concurrency == pytest.approx(10 * (0.130 + 127 * 0.014))
    assert "ttft_ms" in point.measured


def test_a_burst_says_nothing_about_the_steady_time_to_first_token(tmp_path: Path) -> None:
    assert "ttft_ms" not in only(tmp_path, reports.vllm(None)).measured


def test_guidellm_reports_give_the_successful_requests_without_the_first_token(tmp_path: Path) -> None:
    point = only(tmp_path, reports.guidellm())
    assert (point.input_tokens, point.output_tokens, point.concurrency) == (1_000, 500, 8)
    assert point.measured == {"ttft_ms": 200.0, "tpot_ms": 21.5}
    assert point.model == "Qwen/Qwen3-32B"


def test_guidellm_strategies_without_streams_have_their_measured_concurrency(tmp_path: Path) -> None:
    assert only(tmp_path, reports.guidellm(type_="constant", streams=None)).concurrency == 7.6
    assert only(tmp_path, reports.guidellm(type_="synchronous", streams=None)).concurrency == 1
    assert "ttft_ms" not in only(tmp_path, reports.guidellm(type_="throughput", streams=None)).measured


@pytest.mark.parametrize("document", [reports.aiperf(), reports.genai_perf()], ids=["aiperf", "genai-perf"])
def test_nvidia_reports_give_the_same_point_in_either_unit(tmp_path: Path, document: dict[str, Any]) -> None:
    point = only(tmp_path, document)
    assert (point.input_tokens, point.output_tokens, point.concurrency) == (256, 64, 10)
    assert point.measured["ttft_ms"] == pytest.approx(175.0)
    assert point.measured["tpot_ms"] == pytest.approx(34.7)
    assert point.model.endswith("gpt-oss-20b")


def test_json_lines_and_lists_are_several_runs(tmp_path: Path) -> None:
    runs = [reports.vllm(8), reports.vllm(64)]
    lines = tmp_path / "runs.jsonl"
    lines.write_text("\n".join(json.dumps(run) for run in runs) + "\n", encoding="utf-8")
    for path in (lines, reports.write(tmp_path, runs)):
        found = read_measurements(path, H100).servers
        assert [point.concurrency for point in found] == [8, 64]
        assert [point.line for point in found] == [1, 2]


def test_llama_bench_gives_the_decode_test_of_the_device(tmp_path: Path) -> None:
    (point,) = read_measurements(reports.write(tmp_path, reports.llama_bench()), StatedDeployment()).devices
    assert (point.device, point.model, point.quant) == ("NVIDIA GeForce RTX 4080", "Llama-3.1-8B", "Q4_K_M")
    assert (point.decode_tokens_per_s, point.context_tokens) == (105.0, 64)
    on_cpu = reports.llama_bench(n_gpu_layers=0)
    (point,) = read_measurements(reports.write(tmp_path, on_cpu), StatedDeployment()).devices
    assert point.device == "AMD Ryzen 7 7800X3D 8-Core Processor"


def test_tables_are_read_by_their_columns(tmp_path: Path) -> None:
    servers = tmp_path / "servers.csv"
    servers.write_text(
        "gpu,n_gpus,tp,model,precision,engine,isl,osl,concurrency,ttft_ms,tpot_ms\n"
        "H100-SXM,1,1,Llama-3.1-8B,fp8,,512,128,16,50,8\n",
        encoding="utf-8",
    )
    (point,) = read_measurements(servers, StatedDeployment(engine="vllm 0.19")).servers
    assert (point.gpus, point.engine, point.measured["tpot_ms"]) == (1, "vllm 0.19", 8)
    with pytest.raises(InputError, match="columns say what was measured"):
        read_measurements(servers, H100)
    devices = tmp_path / "devices.csv"
    devices.write_text(
        "device,mem_bw_gbs,model,quant,ctx_tokens,tg_tok_s\nM4,120,Llama-3.1-8B,Q4_K_M,128,21\n", "utf-8"
    )
    (device,) = read_measurements(devices, H100).devices
    assert device.decode_tokens_per_s == 21


def test_plain_columns_are_points_too() -> None:
    columns = {"input_tokens": [512, 512], "output_tokens": [128, 128], "concurrency": [4, 8]}
    columns |= {"ttft_ms": [40, 50], "tpot_ms": [7, 8]}
    stated = StatedDeployment(model="Llama-3.1-8B", gpu="L40S")
    first, second = points_from_columns(columns, stated, origin="the ledger")
    assert (first.concurrency, second.measured) == (4, {"ttft_ms": 50, "tpot_ms": 8})
    assert first.gpus == first.tensor_parallel == 1


@pytest.mark.parametrize(
    ("document", "stated", "says", "hint"),
    [
        (reports.vllm(), StatedDeployment(), "on which GPU", "--gpu"),
        (reports.vllm(model_id=None, tokenizer_id=None), H100, "which model", "--model"),
        (reports.vllm(completed=0), H100, "no run with lengths", "streaming"),
        (reports.vllm(median_tpot_ms=0, mean_tpot_ms=0), H100, "no run with lengths", "streaming"),
        ({"results": []}, H100, "no known tool", "CSV"),
        ([], H100, "holds no results", "GuideLLM"),
        ("text", H100, "holds no results", "GuideLLM"),
        (reports.llama_bench(model_filename="", model_type=""), H100, "does not name", "--model"),
        (reports.llama_bench()[:1], H100, "no decode test", "llama-bench -n"),
    ],
)
def test_what_is_missing_is_named_with_what_helps(
    tmp_path: Path, document: Any, stated: StatedDeployment, says: str, hint: str
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        read_measurements(reports.write(tmp_path, document), stated)
    assert hint in str(refused.value.hint)


def test_files_that_are_no_reports_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000, encoding="utf-8")
    for path in (broken, binary, deep, tmp_path / "missing.json", tmp_path / "missing.csv"):
        with pytest.raises(InputError):
            read_measurements(path, H100)


values = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(field=st.sampled_from(sorted(reports.vllm())), value=values)
def test_no_value_of_a_field_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: Any
) -> None:
    path = reports.write(tmp_path_factory.mktemp("reports"), reports.vllm(**{field: value}))
    try:
        points = read_measurements(path, H100).servers
    except InputError:
        return
    assert all(point.concurrency and point.concurrency >= 1 for point in points)
