"""``calibrate`` as typed: what is stored, what is printed, and that ``capacity`` and ``plan`` use it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from breakeven import api
from breakeven.cli.main import run
from breakeven.errors import ConfigError, InputError
from breakeven.options.gpu_grid import gpu_grid
from breakeven.render.json import published_schema
from breakeven.serving.correction_store import read_corrections
from breakeven.workload.loading import load_workload
from serving import reports

STATED = ["--gpu", "H100-SXM", "--precision", "fp8"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_json_follows_its_schema_and_holds_the_errors(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = reports.write(folder, [reports.vllm(8), reports.vllm(32), reports.vllm(64)])
    assert run(["calibrate", str(path), *STATED, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, published_schema("calibrate"))
    assert document["points"] == 3
    assert document["error_before"]["tpot"] > 0
    assert document["error_after"]["ttft"] is not None
    (correction,) = document["corrections"]
    assert (correction["model"], correction["device"], correction["precision"]) == ("Llama-3.1-8B", "H100-SXM", "fp8")
    assert document["store"] == str(folder / "config" / "breakeven" / "calibration.toml")
    assert Path(document["store"]).is_file()


def test_text_says_where_it_is_stored_and_what_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = reports.write(folder, reports.vllm(8), "a.json")
    second = reports.write(folder, reports.vllm(64), "b.json")
    assert run(["calibrate", str(first), str(second), *STATED, "--store", "mine.toml"]) == 0
    shown = capsys.readouterr().out
    assert "breakeven plan WORKLOAD --calibration mine.toml" in shown
    assert "before" in shown
    assert "a.json, b.json" in Path("mine.toml").read_text("utf-8")


def test_devices_are_calibrated_from_llama_bench(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = reports.write(folder, reports.llama_bench())
    command = ["calibrate", str(path), "--gpu", "RTX 4080", "--mem-bw-gbs", "717", "--format", "json"]
    assert run([*command, "--store", "mine.toml"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, published_schema("calibrate"))
    assert (document["corrections"][0]["kind"], document["corrections"][0]["model"]) == ("edge", None)


def test_capacity_answers_measured_deployments_with_the_correction(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", str(reports.write(folder, reports.vllm(32))), *STATED, "--store", "mine.toml"]) == 0
    points = folder / "points.csv"
    points.write_text(
        "gpu,n_gpus,tp,model,precision,engine,isl,osl,concurrency\n"
        "H100-SXM,1,1,Llama-3.1-8B,fp8,vllm,512,128,16\nL40S,1,1,Llama-3.1-8B,fp8,vllm,512,128,16\n",
        encoding="utf-8",
    )
    capsys.readouterr()
    command = ["capacity", "--points", str(points), "--calibration", "mine.toml", "--format", "json"]
    assert run(command) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, published_schema("capacity"))
    assert [point["basis"] for point in document["points"]] == ["measured", "modelled"]


def test_the_plan_says_that_it_is_calibrated(folder: Path) -> None:
    path = reports.write(folder, [reports.vllm(8), reports.vllm(32)])
    assert run(["calibrate", str(path), *STATED, "--store", "mine.toml"]) == 0
    workload = folder / "chat.toml"
    stated = "[workload]\nrequests_per_day = 500_000\ninput_tokens = 512\noutput_tokens = 128\n"
    workload.write_text(f'{stated}[requirements]\nmin_quality = "basic"\n', "utf-8")
    grid = gpu_grid(load_workload(workload), billing="hour", corrections=read_corrections(Path("mine.toml")))
    assert set(grid.capacity.measured_points.tolist()) == {0, 2}
    asked = {"candidates": ("Llama-3.1-8B",), "top": 50}
    plain = api.plan(workload, **asked)  # type: ignore[arg-type]
    found = api.plan(workload, config={"calibration": "mine.toml"}, **asked)  # type: ignore[arg-type]
    assert "calibrated_deployments" in {each.name for each in found.assumptions}
    assert "calibrated_deployments" not in {each.name for each in plain.assumptions}
    with pytest.raises(ConfigError, match="calibration"):
        api.plan(workload, config={"calibration": 3})
    with pytest.raises(InputError, match=r"no\.toml"):
        api.plan(workload, config={"calibration": "no.toml"})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "MEASURED"), (["none.json", *STATED], "cannot read"), (["report.json"], "--gpu NAME")],
)
def test_what_cannot_be_read_is_an_error_with_a_hint(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    reports.write(folder, reports.vllm())
    assert run(["calibrate", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_measurements_of_unknown_models_store_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = reports.write(folder, reports.vllm(model_id="nobody/knows-this"))
    assert run(["calibrate", str(path), *STATED, "--store", "mine.toml"]) == 2
    assert "no measurement can be used" in capsys.readouterr().err
    assert not Path("mine.toml").exists()
