"""Tables of deployments: what is read, what is answered, what is refused, and which line is wrong."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from breakeven.cli.main import run
from breakeven.errors import InputError
from breakeven.render.json import published_schema
from breakeven.serving.answers import PointAnswer, answer_points
from breakeven.serving.edge_points import answer_edge_points, read_edge_points
from breakeven.serving.points import read_points

HEADER = "gpu,n_gpus,tp,model,precision,engine,isl,osl,concurrency,notes"
GOOD = "H100-SXM,1,1,Llama-3.1-8B,fp8,vllm 0.19,1024,1024,16,"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "points.csv"
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def answers(folder: Path, *rows: str) -> list[PointAnswer]:
    return answer_points(read_points(written(folder, *rows)))


def test_each_row_is_answered_in_order_and_refusals_stay_in_their_row(tmp_path: Path) -> None:
    unknown_gpu = GOOD.replace("H100-SXM", "H100-MAX")
    unknown_model = GOOD.replace("Llama-3.1-8B", "Llama-9-8B")
    found = answers(tmp_path, GOOD, unknown_gpu, GOOD.replace(",16,", ",32,"), unknown_model)
    assert [each.line for each in found] == [2, 3, 4, 5]
    assert [bool(each.refused) for each in found] == [False, True, False, True]
    assert "H100-SXM" in found[1].refused
    assert "Llama-3.1-8B" in found[3].refused
    first, second = found[0].output_tokens_per_s_total, found[2].output_tokens_per_s_total
    assert first is not None
    assert second is not None
    assert first < second


def test_both_names_of_a_gpu_and_of_a_model_mean_the_same(tmp_path: Path) -> None:
    other = GOOD.replace("H100-SXM", "h100_sxm").replace("Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct")
    first, second = answers(tmp_path, GOOD, other)
    assert first.output_tokens_per_s_total == second.output_tokens_per_s_total


def test_no_concurrency_means_all_at_once_and_an_unknown_engine_is_answered(tmp_path: Path) -> None:
    offline = "H100-SXM,1,1,Llama-3.1-8B,fp8,someone's engine 3,1000,1000,,"
    found, written_by_pandas = answers(tmp_path, offline, offline.replace("1000,,", "1000,nan,nan"))
    assert found.output_tokens_per_s_total == written_by_pandas.output_tokens_per_s_total
    assert found.output_tokens_per_s_total is not None
    assert found.output_tokens_per_s_total > 5_000
    assert found.ttft_ms is None
    assert found.tpot_ms is not None


def test_spare_gpus_are_pipeline_stages_and_notes_carry_attention_replicas(tmp_path: Path) -> None:
    one, staged, replicas, inside, odd = answers(
        tmp_path,
        "H100-SXM,2,2,Llama-3.1-70B,fp8,trtllm,1000,1000,,",
        "H100-SXM,4,2,Llama-3.1-70B,fp8,trtllm,1000,1000,,",
        "h200_sxm,8,1,deepseek-ai/DeepSeek-R1,fp8,sglang,1024,1024,64,agg; dp=8; moe_tp=1.0; moe_ep=8.0",
        "h200_sxm,8,8,deepseek-ai/DeepSeek-R1,fp8,sglang,1024,1024,64,dp=8",
        "H100-SXM,3,2,Llama-3.1-70B,fp8,trtllm,1000,1000,,",
    )
    assert one.output_tokens_per_s_total is not None
    assert staged.output_tokens_per_s_total is not None
    assert staged.output_tokens_per_s_total > 1.3 * one.output_tokens_per_s_total
    assert not replicas.refused
    assert inside.output_tokens_per_s_total == replicas.output_tokens_per_s_total
    assert odd.refused == "n_gpus is not a multiple of tp x dp"


def test_offline_mixtures_on_the_pytorch_backend_keep_each_sequence_on_one_gpu(tmp_path: Path) -> None:
    rows = "RTX-PRO-6000,8,8,Qwen3-30B-A3B,fp4,{},1000,1000,,{}"
    engine = "trtllm 1.0 pytorch backend"
    hidden, stated, split, dense, served = answers(
        tmp_path,
        rows.format(engine, ""),
        rows.format("trtllm", "dp=8"),
        rows.format("trtllm", ""),
        f"H100-SXM,2,2,Llama-3.1-70B,fp8,{engine},1000,1000,,",
        rows.format(engine, "").replace(",1000,1000,,", ",1000,1000,16,"),
    )
    assert hidden.output_tokens_per_s_total == stated.output_tokens_per_s_total
    assert hidden.output_tokens_per_s_total is not None
    assert split.output_tokens_per_s_total is not None
    assert hidden.output_tokens_per_s_total > 1.2 * split.output_tokens_per_s_total  # half of the exchanges
    assert not dense.refused
    assert served.tpot_ms is not None


def test_the_engine_decides_the_first_token_of_mixtures_and_an_unknown_one_lies_between(tmp_path: Path) -> None:
    row = "b200_sxm,8,8,deepseek-ai/DeepSeek-R1,fp8,{},1024,1024,16,"
    vllm, unknown, sglang = answers(tmp_path, *(row.format(name) for name in ("vllm 0.19.0", "other", "sglang 0.5.9")))
    assert vllm.ttft_ms is not None
    assert unknown.ttft_ms is not None
    assert sglang.ttft_ms is not None
    assert vllm.ttft_ms < unknown.ttft_ms < sglang.ttft_ms
    assert vllm.tpot_ms == sglang.tpot_ms


@pytest.mark.parametrize("precision", ["nan", "", "NaN"])
def test_a_missing_precision_is_the_models_own_and_said_so(tmp_path: Path, precision: str) -> None:
    rows = [GOOD.replace("fp8", precision), "b200_sxm,8,8,deepseek-ai/DeepSeek-R1,nan,sglang,1024,1024,64,"]
    llama, deepseek = answers(tmp_path, *rows)
    assert "fp16 assumed" in llama.notes[0]
    assert "fp8 assumed" in deepseek.notes[0]


def test_what_cannot_fit_is_refused_and_what_ran_with_few_sequences_is_not(tmp_path: Path) -> None:
    too_big, tight = answers(
        tmp_path,
        "H100-SXM,1,1,Llama-3.1-70B,fp16,trtllm,128,128,,",
        "H100-SXM,1,1,Llama-3.1-70B,fp8,trtllm,1000,1000,,",  # measured at 410 tokens/s by NVIDIA
    )
    assert too_big.refused == "weights do not fit in memory"
    assert tight.output_tokens_per_s_total == pytest.approx(410, rel=0.35)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (GOOD.replace("1024,1024", "many,1024"), "line 3: isl must be a number"),
        (GOOD.replace("1024,1024", "1024,0"), "line 3: osl must be a number of at least 1"),
        (GOOD.replace("1024,1024", "1024,nan"), "line 3: osl"),
        (GOOD.replace("1024,1024", "1024,inf"), "line 3: osl"),
        (GOOD.replace(",16,", ",-1,"), "line 3: concurrency"),
        (GOOD.replace("H100-SXM,1", "H100-SXM,1.5"), "line 3: n_gpus must be a whole number"),
        (GOOD.replace("H100-SXM", " "), "line 3: gpu is blank"),
        (GOOD + ",more,cells", "line 3: more or fewer cells"),
        ("H100-SXM,1", "line 3: more or fewer cells"),
        ("x" * 70_000, "line 3: too long"),
    ],
)
def test_a_malformed_row_is_named_by_line(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_points(written(tmp_path, GOOD, row))
    assert said in caught.value.message


def test_a_file_without_a_column_or_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing column osl"):
        read_points(written(tmp_path, header=HEADER.replace(",osl", "")))
    with pytest.raises(InputError, match="cannot read"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "points.csv").write_bytes(b"gpu,\xff\xfe\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_points(tmp_path / "points.csv")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{text}", encoding="utf-8", newline="")
    with contextlib.suppress(InputError):
        answer_points(read_points(path))


def test_edge_rows_take_the_catalogues_bandwidth_or_are_refused(tmp_path: Path) -> None:
    header = "device,mem_bw_gbs,model,quant,ctx_tokens"
    path = written(
        tmp_path,
        "Raspberry Pi 5 16GB CPU,17.1,Llama-3.2-3B,Q4_K_M,",
        "Mac mini M4 16GB,,Llama-3.1-8B,Q4_K_M,512",
        "AmpereOne A192-32X CPU,,Llama-3.2-3B,Q4_K_M,",
        "3080 10GB,760,Llama-3.1-70B,Q4_K_M,512",
        "toaster,17.1,Llama-3.2-3B,Q4_K_M,",
        "toaster,,Llama-3.2-3B,Q4_K_M,",
        "Jetson Thor,273,Llama-3.1-8B,NVFP4,128",
        header=header,
    )
    pi, mac, ampere, small, toaster, nameless, thor = answer_edge_points(read_edge_points(path))
    assert pi.decode_tokens_per_s == pytest.approx(4.9, rel=0.25)  # measured 4.88 by geerlingguy
    assert mac.decode_tokens_per_s == pytest.approx(20.9, rel=0.25)  # measured 20.87
    assert "bandwidth not stated" in ampere.refused
    assert "do not fit in memory" in small.refused
    assert toaster.decode_tokens_per_s == pytest.approx(pi.decode_tokens_per_s, rel=0.4)
    assert "constants of all devices" in toaster.notes[0]
    assert "toaster" in nameless.refused
    assert thor.decode_tokens_per_s is not None
    assert 20 < thor.decode_tokens_per_s < 60


@pytest.mark.parametrize("output_format", ["text", "json", "csv"])
def test_the_command_prints_all_formats(tmp_path: Path, output_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, GOOD, GOOD.replace("H100-SXM", "H100-MAX"))
    assert run(["capacity", "--points", str(path), "--format", output_format]) == 0
    printed = capsys.readouterr().out
    if output_format == "json":
        body = json.loads(printed)
        Draft202012Validator(published_schema("capacity")).validate(body)
        assert (body["answered"], body["refused"]) == (1, 1)
        assert body["points"][0]["refused"] is None
        assert body["points"][1]["output_tokens_per_s_total"] is None
    elif output_format == "csv":
        rows = list(csv.DictReader(printed.splitlines()))
        assert [bool(row["refused"]) for row in rows] == [False, True]
    else:
        assert "1 answered, 1 refused" in printed


def test_the_command_needs_exactly_one_file_and_names_a_wrong_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["capacity"]) == 2
    assert "either --points FILE or --edge-points FILE" in capsys.readouterr().err
    assert run(["capacity", "--points", str(tmp_path / "none.csv")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_published_tables_are_answered(shared_data: Path) -> None:
    bench = read_points(shared_data / "perf" / "offline_max_throughput_dev.csv")
    found = answer_points(bench)
    errors = [
        1.0
        if each.output_tokens_per_s_total is None
        else abs(each.output_tokens_per_s_total / point.measured["output_tokens_per_s_total"] - 1)
        for each, point in zip(found, bench, strict=True)
    ]
    assert sum(not each.refused for each in found) >= 0.95 * len(bench)
    assert np.median(errors) <= 0.12
    assert np.quantile(errors, 0.9) <= 0.35
    served = answer_points(read_points(shared_data / "perf" / "closed_loop_dev.csv"))
    assert sum(not each.refused for each in served) >= 0.98 * len(served)
    devices = answer_edge_points(read_edge_points(shared_data / "perf" / "edge_tokens_per_s_dev.csv"))
    assert sum(not each.refused for each in devices) >= 0.95 * len(devices)
