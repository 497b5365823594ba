"""The command line's promises: it opens fast, it names what it means, and it fails in one form with a stable code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from breakeven.cli import errors, main, options
from breakeven.cli.config import option_defaults
from breakeven.errors import InputError, NothingFits, Unavailable

HEAVY = ("numpy", "genai_prices", "vl_convert", "pyarrow", "jinja2", "breakeven.api", "breakeven.catalog")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command line left behind."""

    returncode: int
    stdout: str
    stderr: str


Typed = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Run a command line in an empty folder, without variables of ours."""
    for name in [name for name in os.environ if name.startswith("BREAKEVEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def typed(*arguments: str) -> Result:
        code = main.run(arguments)
        printed = capsys.readouterr()
        return Result(returncode=code, stdout=printed.out, stderr=printed.err)

    return typed


def test_help_lists_every_command_under_its_heading(run: Typed) -> None:
    result = run("--help")
    assert result.returncode == 0
    for name, door in main.DOORS.items():
        assert f"  {name} " in result.stdout
        assert f"{door.heading}:" in result.stdout
    assert "Exit codes: 0 ok, 1 a threshold or check failed, 2 bad input or usage" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plan", "--help"], ["diff", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom breakeven.cli.main import run\n"
        f"code = run({arguments!r})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not heavy, heavy\nassert code == 0, code\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("name", list(main.DOORS))
def test_every_door_opens_on_a_command_with_help(name: str) -> None:
    command = main.DOORS[name].open()
    assert command.name == name
    assert command.help


@pytest.mark.parametrize("arguments", [[], ["catalog"]])
def test_a_group_alone_shows_its_help(run: Typed, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: breakeven")
    assert "error:" not in result.stderr


def test_version_is_the_package_version(run: Typed) -> None:
    assert run("--version").stdout.startswith("breakeven 0.")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["plna"], "error: no command 'plna': did you mean plan or replay?", "hint: breakeven --help"),
        (["xyz"], "error: no command 'xyz': there are plan, curve", "hint: breakeven --help"),
        (["plan"], "error: missing argument 'WORKLOAD'", "hint: breakeven plan --help"),
        (["plan", "x", "--fromat", "json"], "error: no such option '--fromat'", "hint: breakeven plan --help"),
        (["plan", "x", "--ttft", "nan"], "error: invalid value for '--ttft': 'nan' is not a finite number", "hint:"),
        (["plan", "x", "--format", "xml"], "error: invalid value for '--format': 'xml' is not one of", "hint:"),
        (["plan", "x", "--candidates", "a,,b"], "error: invalid value for '--candidates'", "hint:"),
        (["plan", "x.toml", "--hourly-shape", "1,x"], "error: --hourly-shape has a part that is no number", "hint:"),
        (["plan", "x.toml", "--columns", "a=b"], "error: --columns cannot use 'a=b'", "hint: --columns timestamp="),
        (["plan", "no/such/file.toml"], "error: ", "hint: "),
        (["diff", "no/such.json", "nor/this.json"], "error: cannot read no/such.json", "hint: write a plan with"),
        (["--config", "no/such.toml", "plan", "x"], "error: cannot read configuration file no/such.toml", "hint:"),
    ],
)
def test_bad_usage_is_code_2_in_one_form(run: Typed, arguments: list[str], message: str, hint: str) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0].startswith(message)
    assert lines[-1].startswith(hint)
    assert all(line.startswith(("error: ", "cause: ", "hint: ")) for line in lines)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (NothingFits("x"), 1),
        (Unavailable("x"), 3),
        (click.UsageError("x"), 2),
        (click.ClickException("x"), 2),
        (click.exceptions.Abort(), 130),
        (BrokenPipeError(), 141),
        (ZeroDivisionError("x"), 70),
    ],
)
def test_each_failure_has_its_code(error: Exception, code: int) -> None:
    assert errors.report(raised(error)) == code


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_fault_of_ours_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BREAKEVEN_DEBUG", raising=False)
    errors.report(raised(ZeroDivisionError("division\nby zero")))
    printed = capsys.readouterr().err
    assert printed.startswith("error: internal error: ZeroDivisionError: division by zero\ncause: a fault in Breakeven")
    assert "hint: set BREAKEVEN_DEBUG=1" in printed
    assert "Traceback" not in printed


def test_the_traceback_is_there_for_who_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKEVEN_DEBUG", "1")
    errors.report(raised(ZeroDivisionError("x")))
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_error_is_one_line_a_part_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    errors.report(InputError("a\x1b[31m\nb", cause="c\nd", hint="e"))
    assert capsys.readouterr().err == "error: a?[31m b\ncause: c d\nhint: e\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"plan = 1", "error: plan in breakeven.toml must be a table"),
        (b"[plan", "error: configuration file breakeven.toml is not TOML in UTF-8"),
        (b"\xff", "error: configuration file breakeven.toml is not TOML in UTF-8"),
        (b"[plan]\ntop = 0", "error: invalid value for '--top': 0 is not in the range"),
        (b"[plan]\ntopp = 3", "error: no option 'topp' of plan: did you mean top"),
        (b"[plan]\nttft = 'soon'", "error: invalid value for '--ttft'"),
    ],
)
def test_a_wrong_configuration_is_code_2(run: Typed, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "breakeven.toml").write_bytes(content)
    result = run("plan", "x.toml")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(message)


def test_a_configuration_that_is_too_large_is_refused_unread(run: Typed, tmp_path: Path) -> None:
    with (tmp_path / "big.toml").open("wb") as stream:
        stream.truncate(64 * 1024 * 1024)
    result = run("--config", "big.toml", "plan", "x.toml")
    assert result.stderr.startswith("error: configuration file big.toml is larger than 16,777,216 bytes")


def test_the_table_of_a_group_holds_tables_of_its_commands() -> None:
    table = {"show": {"format": "json"}}
    assert option_defaults(main.DOORS["catalog"].open(), table) == {"show": {"output_format": "json"}}


def test_the_script_ends_with_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["breakeven", "nonsense"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2


def test_an_interrupt_is_quiet(run: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main.Door, "open", interrupted)
    result = run("plan", "x.toml")
    assert (result.returncode, result.stdout, result.stderr.strip()) == (130, "", "")


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert options.text_style(None).coloured is coloured
    assert options.text_style(Path("file")).coloured is False


def test_text_is_as_wide_as_the_terminal_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "133")
    assert options.text_style(None).width == 133
    assert options.text_style(Path("file")).width == 100


def test_columns_of_a_trace_reach_its_reader() -> None:
    stated = options.overrides({"columns": ("timestamp=when", "output_tokens=made")})
    assert (stated.columns.timestamp, stated.columns.input_tokens) == ("when", None)  # type: ignore[union-attr]


def test_a_shape_may_be_numbers() -> None:
    assert options.overrides({"hourly_shape": "1,2.5"}).hourly_shape == (1.0, 2.5)
    assert options.overrides({"hourly_shape": "office"}).hourly_shape == "office"


def test_every_workload_flag_is_a_parameter_of_plan_and_curve() -> None:
    for name in ("plan", "curve"):
        assert set(options.WORKLOAD_PARAMETERS) <= {parameter.name for parameter in main.DOORS[name].open().params}
