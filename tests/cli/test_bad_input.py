"""A hostile or careless user gets one error with a line to run, never a traceback and never a fault of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from breakeven.cli import main

WORKLOAD = """[workload]
requests_per_day = 10_000
input_tokens = 800
output_tokens = 400
"""
BAD_FILES = {
    "header.csv": b"TIMESTAMP,ContextTokens,GeneratedTokens\n",
    "negative.csv": b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,374,-4\n",
    "nan.csv": b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,nan,4\n",
    "binary.csv": bytes(range(256)) * 64,
    "empty.csv": b"",
    "utf16.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n".encode("utf-16"),
    "short.csv": b"gpu,n_gpus,tp,model,precision,engine,isl,osl\nH100,1\n",
    "zero.csv": b"gpu,n_gpus,tp,model,precision,engine,isl,osl\nH100,0,1,Llama-3-8B,fp8,vllm,9,9\n",
    "device.csv": b"device,mem_bw_gbs,model,quant,ctx_tokens\nX,nan,Llama-3-8B,Q4_K_M,1000\n",
}
HOURS_23 = "1," * 22 + "1"

Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good workload and bad files, without variables of ours."""
    for name in [name for name in os.environ if name.startswith("BREAKEVEN_") and name != "BREAKEVEN_PRICE_LIST"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.toml").write_text(WORKLOAD, "utf-8")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, raw in BAD_FILES.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


@pytest.fixture
def typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command line in the folder: its code, what it printed, and what it said of errors."""
    assert folder.is_dir()

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.run(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def refused(answer: tuple[int, str, str], code: int = 2) -> str:
    """The error of a command that printed nothing else, in its form: error, perhaps a cause, and always a hint."""
    found, printed, error = answer
    assert (found, printed) == (code, ""), error
    lines = error.splitlines()
    assert [line.partition(": ")[0] for line in lines] in (["error", "hint"], ["error", "cause", "hint"]), error
    assert "Traceback" not in error
    assert all(len(line) <= 1_010 for line in lines)
    return error


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        ("header.csv", "no rows"),
        ("negative.csv", "negative.csv:2: GeneratedTokens is -4"),
        ("nan.csv", "nan.csv:2: ContextTokens is NaN"),
        ("binary.csv", "a NUL byte"),
        ("empty.csv", "the trace is empty"),
        ("utf16.csv", "iconv -f UTF-16"),
        ("folder", "not a regular file"),
        ("pipe", "a pipe or a device"),
        ("none.csv", "no such file"),
        ("none.toml", "cannot be read"),
    ],
)
def test_a_bad_trace(typed: Typed, trace: str, told: str) -> None:
    assert told in refused(typed("plan", trace))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--requests-per-day 0", "from 1 to 1,000,000,000"),
        ("--requests-per-day -1", "from 1 to 1,000,000,000"),
        ("--requests-per-day 1000000001", "from 1 to 1,000,000,000"),
        ("--ttft 0", "above 0"),
        ("--ttft nan", "not a finite number"),
        ("--tpot -1", "above 0"),
        ("--percentile 100", "above 0 and below 100"),
        ("--percentile 0", "above 0 and below 100"),
        ("--min-quality great", "basic, good, premium"),
        ("--hourly-shape offce", "flat, consumer, office"),
        (f"--hourly-shape {HOURS_23}", "24 numbers"),
        ("--growth-per-month-frac -1", "above -1"),
        ("--growth-per-month-frac 1e9", "at most 10"),
        ("--device-life-months 0", "from 1 to 600"),
        ("--duplicate-requests-frac 2", "at most 1"),
        ("--shared-prefix-tokens 100000", "longer than the median input"),
        ("--electricity-usd-per-kwh 1e999999", "at most 1000"),
        ("--top 0", "not in the range"),
        ("--at 1900-01-01", "no prices are known on 1900-01-01"),
        ("--at 9999-12-31 --candidates edge", "no prices are known on 9999-12-31"),
        ("--at 2024-02-30", "does not match the format"),
        ("--format nope", "is not one of"),
        ("--out none/x.txt", "cannot write none/x.txt"),
        ("--out folder", "is a directory"),
        ("--columns timestamp=a", "columns are named, but no trace"),
        ("--candidates gpt-5o", "nearest names: openai/gpt-5"),
        ("--candidates モデル", "unknown model 'モデル'"),
        ("--reference whisper-1", "billed by the hour of audio"),
        ("--explain nosuch", "no option is labelled 'nosuch'"),
    ],
)
def test_a_bad_flag(typed: Typed, flags: str, told: str) -> None:
    code = 1 if "whisper" in flags else 2
    assert told in refused(typed("plan", "w.toml", *flags.split()), code)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--candidates Kimi-K2,edge", "weights do not fit in memory"),
        ("--candidates api --data-residency", "the provider would hold the data"),
        ("--candidates gpt-4o --data-residency", "the provider would hold the data"),
        ("--candidates gpt-4o,edge", "hosted models run at their provider only"),
        ("--candidates gpt-4o,gpu --data-residency", "hosted models run at their provider only"),
        ("--candidates gpu --ttft 0.000000001", "TTFT requirement cannot be met"),
    ],
)
def test_what_cannot_be_is_said_to_be_so(typed: Typed, flags: str, told: str) -> None:
    assert told in refused(typed("plan", "w.toml", *flags.split()), 1)


@pytest.mark.parametrize(
    "label",
    ["Llama-2-70B Q8_0 on Raspberry Pi 5 8GB", "openai/whisper-1"],
)
def test_what_cannot_serve_is_not_priced(typed: Typed, label: str) -> None:
    assert "cannot serve this workload" in refused(typed("plan", "w.toml", "--explain", label), 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("price gpt-4o --input 8 --output 4 --cache-read 9", "cached tokens (9) exceed input_tokens (8)"),
        ("price gpt-4o --input 8 --output 4 --reasoning 9", "reasoning_tokens (9) exceed"),
        ("price gpt-4o --input 8 --output 4 --output-audio 5", "exceed output_tokens (4)"),
        ("price gpt-4o --input 8 --output 4 --input-audio 5", "no published input audio price"),
        ("price gpt-4o --input -1 --output 4", "cannot be negative"),
        ("price gpt-4o --input 1 --output 1 --requests 0", "at least 1"),
        ("price gpt-4o --input 1 --output 1 --processing flex", "no published flex price"),
        ("price gpt-4o --input 1 --output 1 --at 1900-01-01", "no prices are known"),
        (f"price {'a' * 9_999} --input 1 --output 1", "unknown model"),
        ("curve w.toml --pair gpt-4o nosuch", "no option is labelled 'gpt-4o'"),
        ("capacity", "give either"),
        ("capacity --points short.csv", "line 2: more or fewer cells"),
        ("capacity --points zero.csv", "n_gpus must be a number of at least 1"),
        ("capacity --points binary.csv", "not UTF-8"),
        ("capacity --edge-points device.csv", "mem_bw_gbs must be a number"),
        ("capacity --points none.csv", "cannot read none.csv"),
    ],
)
def test_other_commands(typed: Typed, arguments: str, told: str) -> None:
    assert told in refused(typed(*arguments.split()))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[[negotiated]]\n", "no table 'negotiated' is read"),
        ("[nonsense]\n", "no table 'nonsense' is read"),
        ("[plan]\ntop = 1e400", "'inf' is not a valid integer"),
        ("[plan]\ntop = 3.5", "'3.5' is not a valid integer"),
        ("[plan]\nhourly-shape = [1, 2]", "24 numbers"),
        ("[plan]\nat = 1900-01-01", "no prices are known on 1900-01-01"),
        ("[[prices]]\n", "no price is stated"),
    ],
)
def test_a_bad_configuration(typed: Typed, folder: Path, content: str, told: str) -> None:
    (folder / "breakeven.toml").write_text(content, "utf-8")
    assert told in refused(typed("plan", "w.toml"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[gatewy]\n", "did you mean gateway"),
        ("[gateway]\nretention_day = 4", "`[gateway]` has no key `retention_day`; did you mean `retention_days`?"),
        ("[gateway]\nretention_days = 'long'", "$.gateway.retention_days"),
        ("[[upstreams]]\nname = 'a'\nurl = 'http://127.0.0.1:9'\nmodel = ['m']", "did you mean `models`"),
    ],
)
def test_a_bad_configuration_of_the_gateway(typed: Typed, folder: Path, content: str, told: str) -> None:
    (folder / "breakeven.toml").write_text(content, "utf-8")
    assert told in refused(typed("serve", "--port", "0"))


@pytest.mark.parametrize(
    ("name", "told"),
    [("TOPP", "did you mean BREAKEVEN_PLAN_TOP"), ("TTFT", "not a number"), ("HOURLY_SHAPE", "is unknown")],
)
def test_a_bad_variable(typed: Typed, monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    monkeypatch.setenv(f"BREAKEVEN_PLAN_{name}", "soon")
    assert told in refused(typed("plan", "w.toml"))


@pytest.fixture(scope="module")
def saved() -> dict[str, Any]:
    """A small plan as it is saved."""
    line = {"label": "l", "quantity": "1", "unit": "u", "usd_per_unit": "2", "usd_per_month": "2"}
    option = {"label": "o", "usd_per_month": "2", "lines": [line]}
    return {
        "schema": "breakeven/plan/1",
        "workload": {"name": "w", "requests_per_day": 5},
        "chosen": {"label": "o"},
        "options": [option],
        "assumptions": [],
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": "breakeven/plan/0"}, "not a plan"),
        ({"options": []}, "not among its options"),
        ({"options": None}, "not a whole plan"),
        ({"options": "abc"}, "not a whole plan"),
        ({"chosen": []}, "not a whole plan"),
        ({"assumptions": [1]}, "not a whole plan"),
        ({"workload": {"name": "w", "requests_per_day": 1e400}}, "not a whole plan"),
        ({"options": [{"label": "o", "usd_per_month": "3", "lines": []}]}, "does not add up"),
        ({"options": [{"label": "o", "usd_per_month": "NaN", "lines": []}]}, "not a whole plan"),
    ],
)
def test_a_bad_saved_plan(
    typed: Typed, folder: Path, saved: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    (folder / "a.json").write_text(json.dumps(saved), "utf-8")
    (folder / "b.json").write_text(json.dumps({**saved, **changes}), "utf-8")
    assert typed("diff", "a.json", "a.json")[0] == 0
    assert told in refused(typed("diff", "a.json", "b.json"))
    assert told in refused(typed("diff", "b.json", "a.json"))


def test_a_line_of_gigabytes_is_not_read(folder: Path) -> None:
    with (folder / "long.csv").open("wb") as stream:
        stream.truncate(2 << 30)  # NUL bytes that take no space on the disk
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom breakeven.cli.main import run\n"
        "lines = ('plan long.csv', 'capacity --points long.csv', 'diff long.csv w.toml')\n"
        "codes = [run(line.split()) for line in lines]\n"
        "assert codes == [2, 2, 2], codes\n"
        # getrusage would count the memory of the process that started this one, so Linux is asked elsewhere.
        "status = Path('/proc/self/status')\n"
        "held = [int(line.split()[1]) for line in status.open() if 'VmHWM' in line] if status.exists() else []\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == 'darwin' else 1)\n"
        "most_kib = held[0] if held else used\n"
        "assert most_kib < 400 * 1024, most_kib\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("closing", [">&-", "2>&-", "> /dev/full"])
def test_closed_and_full_outputs_are_no_fault(folder: Path, closing: str) -> None:
    if "full" in closing and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    command = f"{sys.executable} -m breakeven price gpt-4o --input 1 --output 1 --processing standrad {closing}"
    wanted = f"{sys.executable} -m breakeven price gpt-4o --input 1 --output 1 {closing}"
    assert subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False).returncode == 2
    printed = subprocess.run(["sh", "-c", wanted], cwd=folder, capture_output=True, check=False, text=True)
    assert printed.returncode == (0 if closing == "2>&-" else 2)
    assert "internal error" not in printed.stderr


def test_the_largest_volume_is_planned_with_growth(typed: Typed) -> None:
    volume = ("--requests-per-day", "1000000000", "--growth-per-month-frac", "1")
    code, printed, error = typed("plan", "w.toml", *volume, "--candidates", "api", "--format", "json")
    assert (code, error) == (0, "")
    assert json.loads(printed)["months"] == []


def test_a_hosted_model_alone_is_planned(typed: Typed) -> None:
    code, printed, error = typed("plan", "w.toml", "--candidates", "gpt-4o", "--format", "json", "--at", "2026-11-24")
    assert (code, error) == (0, "")
    plan = json.loads(printed)
    assert plan["chosen"]["label"] == "openai/gpt-4o"
    # 10,000 x 365/12 requests x (800 x $2.50 + 400 x $10) / 1,000,000, and $15,000 / (365/12 x $0.006).
    assert plan["options"][0]["usd_per_month"] == "1825.000000000"
    assert plan["decision"]["staff_thresholds"] == [{"label": "openai/gpt-4o", "requests_per_day": 82_192}]


def test_a_refused_option_that_is_named_says_so(typed: Typed) -> None:
    question = ("plan", "w.toml", "--at", "2026-11-24", "--candidates", "api", "--reference", "openrouter/lfm-7b")
    code, printed, _ = typed(*question, "--format", "json")
    assert code == 0
    options = json.loads(printed)["options"]
    refusals = {option["label"]: option["refused"] for option in options if option["refused"]}
    assert list(refusals) == ["openrouter/lfm-7b"]
    assert "unrated" in refusals["openrouter/lfm-7b"]
    assert "refused" in typed(*question)[1]


def test_an_unknown_context_window_is_not_endless(typed: Typed, folder: Path) -> None:
    tokens = "input_tokens = 90_000_000\noutput_tokens = 90_000_000\n"
    (folder / "endless.toml").write_text(f"[workload]\nrequests_per_day = 10\n{tokens}", "utf-8")
    assert "context window" in refused(typed("plan", "endless.toml", "--candidates", "api"), 1)


@pytest.mark.parametrize("output_format", ["text", "markdown", "html"])
def test_a_name_steers_no_terminal_and_no_browser(typed: Typed, folder: Path, output_format: str) -> None:
    evil = r"<script>alert(1)</script> | \u001b[31m\n"
    (folder / "evil.toml").write_text(f'{WORKLOAD}name = "{evil}"\n', "utf-8")
    code, printed, _ = typed("plan", "evil.toml", "--candidates", "gpt-4o", "--format", output_format)
    assert code == 0
    assert "\x1b" not in printed
    assert output_format == "text" or "<script>alert" not in printed
