"""Another program is asked in its own words, quietly, and whatever it cannot answer is its reason."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from breakeven.cli.main import run
from breakeven.errors import Unavailable
from breakeven.render.json import published_schema
from breakeven.serving import second_opinion
from breakeven.serving.points import read_points

HEADER = "gpu,n_gpus,tp,model,precision,engine,isl,osl,concurrency,notes\n"
LLAMA = "h100_sxm,2,2,Llama-3.1-8B,fp8,vllm 0.19,1024,128,32,\n"


class Stand:
    """Stands in for aiconfigurator: records what it is asked, prints, and answers or fails."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def cli_estimate(self, **question: Any) -> Any:
        self.asked.append(question)
        sys.stdout.write("noise")
        if question["system_name"] == "l40s":
            raise RuntimeError("no data\nand more")
        return types.SimpleNamespace(ttft=100.0, tpot=10.0)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    made = Stand()
    fake = types.ModuleType("aiconfigurator.cli.api")
    fake.cli_estimate = made.cli_estimate  # type: ignore[attr-defined]
    for name in ("aiconfigurator", "aiconfigurator.cli"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "aiconfigurator.cli.api", fake)
    monkeypatch.setattr(second_opinion.metadata, "version", lambda name: f"0.0 of {name}")
    bundled = ("meta-llama/Meta-Llama-3.1-8B", "deepseek-ai/DeepSeek-R1", "nobody/unheard-of", "openai/gpt-oss-120b")
    monkeypatch.setattr(second_opinion, "_bundled", lambda: bundled)
    monkeypatch.setattr(second_opinion, "_systems", lambda: {"H100-SXM": "h100_sxm", "L40S": "l40s"})
    second_opinion._model_paths.cache_clear()
    yield made
    second_opinion._model_paths.cache_clear()


def opinions(folder: Path, *rows: str) -> tuple[second_opinion.SecondOpinion, ...]:
    path = folder / "points.csv"
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return second_opinion.second_opinions(read_points(path)).opinions


def test_a_point_is_put_in_its_words_and_the_throughput_follows_by_littles_law(stand: Stand, tmp_path: Path) -> None:
    (found,) = opinions(tmp_path, LLAMA)
    assert stand.asked == [
        {
            "model_path": "meta-llama/Meta-Llama-3.1-8B",
            "system_name": "h100_sxm",
            "backend_name": "vllm",
            "isl": 1024,
            "osl": 128,
            "batch_size": 32,
            "tp_size": 2,
            "pp_size": 1,
            "attention_dp_size": 1,
            "gemm_quant_mode": "fp8",
        }
    ]
    assert found.output_tokens_per_s_total == pytest.approx(32 * 128 / (0.1 + 127 * 0.01))
    assert (found.ttft_ms, found.tpot_ms, found.refused) == (100, 10, "")


def test_experts_are_split_and_published_formats_are_left_to_the_checkpoint(stand: Stand, tmp_path: Path) -> None:
    opinions(
        tmp_path,
        "h100_sxm,8,1,deepseek-ai/DeepSeek-R1,fp8,sglang,1024,1024,64,dp=8\n",
        "h100_sxm,1,1,openai/gpt-oss-120b,fp4,trtllm,1024,1024,64,\n",
    )
    first, second = stand.asked
    assert (first["tp_size"], first["attention_dp_size"], first["moe_tp_size"], first["moe_ep_size"]) == (1, 8, 1, 8)
    assert first["batch_size"] == 8
    assert not {"gemm_quant_mode", "moe_quant_mode"} & (first.keys() | second.keys())


def test_what_it_cannot_answer_is_refused_with_its_reason_in_order(
    stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = opinions(
        tmp_path,
        LLAMA.replace("h100_sxm", "L40S"),
        LLAMA.replace(",32,", ",,"),
        LLAMA.replace("h100_sxm", "A10G"),
        LLAMA.replace("Llama-3.1-8B", "Mistral-7B-v0.3"),
        LLAMA.replace("Llama-3.1-8B", "no-such-model"),
        LLAMA,
    )
    assert found[0].refused == "RuntimeError: no data"
    assert "all requests at once" in found[1].refused
    assert found[2].refused == "aiconfigurator has no data of A10G"
    assert found[3].refused == "aiconfigurator has no data of Mistral-7B-v0.3"
    assert "no-such-model" in found[4].refused
    assert found[5].refused == ""
    assert "noise" not in capsys.readouterr().out


def test_where_it_is_not_installed_the_part_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiconfigurator", None)
    with pytest.raises(Unavailable, match="not installed") as refused:
        opinions(tmp_path, LLAMA)
    assert "breakeven[aiconfigurator]" in str(refused.value.hint)


def test_the_command_shows_both_side_by_side(stand: Stand, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "points.csv"
    path.write_text(HEADER + LLAMA + LLAMA.replace("h100_sxm", "A10G"), encoding="utf-8")
    command = ["capacity", "--points", str(path), "--beside", "aiconfigurator"]
    assert run([*command, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, published_schema("capacity"))
    assert document["beside"] == "aiconfigurator 0.0 of aiconfigurator"
    assert document["points"][0]["beside"]["tpot_ms"] == 10
    assert document["points"][1]["beside"]["refused"] == "aiconfigurator has no data of A10G"
    assert run([*command, "--format", "csv"]) == 0
    assert "beside_tpot_ms" in capsys.readouterr().out.splitlines()[0]
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert "Beside aiconfigurator 0.0" in shown
    assert "no data" in shown


def test_only_points_of_servers_have_a_second_opinion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["capacity", "--edge-points", str(tmp_path / "x.csv"), "--beside", "aiconfigurator"]) == 2
    assert "--points FILE" in capsys.readouterr().err
