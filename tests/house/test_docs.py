"""The documentation is whole, current, and claims nothing that evidence.md does not show."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import pytest

from breakeven import errors
from breakeven.catalog.negotiated import read_price_config
from breakeven.cli import main as front_door
from breakeven.gateway.config import read_config
from breakeven.serving.fleet_file import fleet_of
from breakeven.workload.settings import SETTINGS
from breakeven.workload.toml_file import read_tables
from conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [*REPOSITORY.glob("*.md"), *sorted(DOCS.rglob("*.md"))]
GENERATED = re.compile(r"<!-- output: .*?<!-- /output -->", re.DOTALL)
FIGURE = re.compile(r"\d[\d,.]*\s?(?:%|x\b|ms\b|s\b|min\b|seconds|minutes|hours|MB|GB|MiB|GiB|times\b)")


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from commands(below, f"{path} {name}")


def test_what_is_generated_is_current() -> None:
    check = [sys.executable, REPOSITORY / "scripts/docs.py", "--check"]
    result = subprocess.run(check, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_command_and_option_is_documented() -> None:
    sections = dict(
        re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", read(DOCS / "reference/cli.md"), re.MULTILINE | re.DOTALL)
    )
    for path, command in commands(front_door.breakeven, "breakeven"):
        assert path in sections, f"{path} is not in the reference"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                for name in parameter.opts:
                    assert name in sections[path], f"{path} {name} is not in the reference"


def test_every_option_says_what_it_is_for() -> None:
    for path, command in commands(front_door.breakeven, "breakeven"):
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{path} {parameter.opts[0]}"


def test_every_error_is_documented_with_its_exit_code() -> None:
    page = read(DOCS / "reference/exit-codes.md")
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.BreakevenError) and error is not errors.BreakevenError:
            assert f"| `{name}` | {error.exit_code} |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(page)):
        if not re.match(r"https?:", target):
            assert (page.parent / target).exists(), target


def test_every_page_can_be_found_from_the_readme() -> None:
    found, unread = set[Path](), [REPOSITORY / "README.md"]
    while unread:
        page = unread.pop()
        found.add(page)
        links = re.findall(r"\]\(([^)#\s:]+\.md)(?:#[^)]*)?\)", read(page))
        unread += {(page.parent / link).resolve() for link in links} - found
    assert set(PAGES) - found == set()


def test_the_readme_claims_no_figure_without_evidence() -> None:
    evidence = read(DOCS / "evidence.md")
    claimed = FIGURE.findall(GENERATED.sub("", read(REPOSITORY / "README.md")))
    assert [figure for figure in claimed if figure not in evidence] == []


def test_every_command_of_the_evidence_exists() -> None:
    for path in re.findall(r"(?:tests|benchmarks|examples)/[\w/.]+\.\w+", read(DOCS / "evidence.md")):
        assert (REPOSITORY / path).exists(), path


def test_every_key_of_a_workload_file_is_documented_with_its_default() -> None:
    page = read(DOCS / "reference/workload-file.md")
    for setting in SETTINGS:
        _, _, table = page.partition(f"## `[{setting.table}]`")
        row = re.search(rf"^\| `{setting.key}` \|[^|]*\| `?([^|`]*)`? \|", table, re.MULTILINE)
        assert row, setting.key
        assert row[1] == as_toml(setting.default), setting.key


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_call_in_the_docs_is_one_that_the_program_takes(page: Path) -> None:
    known = dict(commands(front_door.breakeven, "breakeven"))
    for line in re.findall(r"(?:^\$ |run: |^ +- |`)(breakeven [^`\n|>#]*)", read(page), re.MULTILINE):
        words = re.sub(r"\s\S*[<>].*", "", line).split()
        path = " ".join(words[: 3 if " ".join(words[:3]) in known else 2])
        if path not in known:
            assert words[1].startswith("-"), line
            continue
        taken = {name for option in known[path].get_params(click.Context(known[path])) for name in option.opts}
        assert {word for word in words if word.startswith("--")} - taken == set(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_that_the_docs_show_can_be_read(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", read(page), re.DOTALL)):
        if "[workload]" in block:
            path = tmp_path / f"{number}.toml"
            path.write_text(block)
            assert read_tables(path)["workload"]
        elif "[fleet]" in block:
            assert fleet_of(tomllib.loads(block, parse_float=Decimal), where="page").model
        elif "[[upstreams]]" in block:
            config = read_config(tomllib.loads(block))
            assert len(config.upstreams) + len(config.models) == block.count("[[")
        else:
            own = read_price_config(tomllib.loads(block))
            assert len(own.prices) + len(own.provisioned) == block.count("[[")


def as_toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
