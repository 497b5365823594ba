"""``breakeven simulate`` as typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from breakeven.cli.main import run
from serving import reports

FLEET = '[fleet]\nmodel = "Llama-3.1-8B"\ngpu = "H100"\nprecision = "fp8"\nreplicas = 2\n'
TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2023-11-16 18:{second // 60:02}:{second % 60:02}.0000000,{500 + second},{20 + second}\n" for second in range(90)
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text(TRACE)
    Path("fleet.toml").write_text(FLEET)
    return tmp_path


def body(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["simulate", "trace.csv", "--fleet", "fleet.toml", "--format", "json", *arguments]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("folder")
def test_it_replays_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    told = body(capsys)
    assert told["schema"] == "breakeven/simulate/1"
    assert told["tokens"] == {"input": sum(range(500, 590)), "output": sum(range(20, 110)), "recomputed": 0}
    assert told["fleet"]["replicas"] == 2


@pytest.mark.usefixtures("folder")
def test_what_a_full_fleet_spills_is_priced_on_the_day_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("fleet.toml").write_text(
        FLEET
        + 'spill_above_requests_per_replica = 0\n[spill]\nmodel = "openai/gpt-4o"\n[cost]\nusd_per_replica_h = 2\n'
    )
    told = body(capsys, "--replicas", "1", "--arrivals", "poisson", "--at", "2026-11-24")
    assert told["requests"]["spilled"] + told["requests"]["served"] == 90
    assert told["spill"]["usd"] > "0"
    Path("fleet.toml").write_text(FLEET + 'spill_above_requests_per_replica = 0\n[spill]\nmodel = "no such model"\n')
    assert run(["simulate", "trace.csv", "--fleet", "fleet.toml"]) == 2


def test_numba_is_not_loaded_before_a_trace_is_replayed() -> None:
    code = "import sys, breakeven.api, breakeven.cli.simulate; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"


@pytest.mark.usefixtures("folder")
def test_flags_win_over_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    told = body(capsys, "--replicas", "3", "--arrivals", "gamma")
    assert told["fleet"]["replicas"] == 3
    assert told["trace"]["arrivals"] == "gamma"


@pytest.mark.usefixtures("folder")
def test_named_columns_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("trace.csv").write_text("at,in,out\n2024-01-01T00:00:00,10,5\n2024-01-01T00:00:03,20,6\n")
    told = body(capsys, "--columns", "timestamp=at,input_tokens=in,output_tokens=out")
    assert told["tokens"] == {"input": 30, "output": 11, "recomputed": 0}


@pytest.mark.usefixtures("folder")
def test_a_workload_file_brings_its_trace_or_a_day_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--fleet", "fleet.toml", "--format", "json"]
    Path("named.toml").write_text('[workload]\nrequests_per_day = 10\ntrace = "trace.csv"\n')
    Path("stated.toml").write_text(
        '[workload]\nrequests_per_day = 500\ninput_tokens = 800\noutput_tokens = 40\nhourly_shape = "office"\n'
    )
    assert run(["simulate", "named.toml", *asked]) == 0
    assert json.loads(capsys.readouterr().out)["trace"]["arrivals"] == "trace"
    assert run(["simulate", "stated.toml", *asked]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trace"]["arrivals"] == "poisson"
    assert told["requests"]["served"] == 500
    assert told["tokens"] == {"input": 400_000, "output": 20_000, "recomputed": 0}
    assert any("no trace" in note for note in told["notes"])
    assert run(["simulate", "stated.toml", *asked, "--arrivals", "gamma"]) == 2


def test_measurements_of_the_deployment_are_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = str(reports.write(folder, [reports.vllm(8), reports.vllm(32)]))
    stated = ["--gpu", "H100-SXM", "--precision", "fp8", "--store", "own.toml"]
    assert run(["calibrate", measured, *stated]) == 0
    capsys.readouterr()
    assert body(capsys)["basis"] == "modelled"
    told = body(capsys, "--calibration", "own.toml")
    assert told["basis"] == "measured"
    assert told["latency"]["tpot"] != body(capsys)["latency"]["tpot"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["trace.csv"], 2, "--fleet"),
        (["none.csv", "--fleet", "fleet.toml"], 2, "no such file"),
        (["trace.csv", "--fleet", "none.toml"], 2, "cannot be read"),
        (["trace.csv", "--fleet", "big.toml"], 1, "weights do not fit"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_fault_is_told_without_a_traceback(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("big.toml").write_text('[fleet]\nmodel = "Llama-3.1-405B"\ngpu = "H100"\n')
    assert run(["simulate", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
