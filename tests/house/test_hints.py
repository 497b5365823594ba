"""What an error tells a person to type can be typed: no hint or cause names an option that no command has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from breakeven.cli.main import DOORS, breakeven

SOURCE = Path(__file__).parents[2] / "src" / "breakeven"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    if isinstance(command, click.Group) and command is not breakeven:
        for below in command.commands.values():
            yield from options(below)


def named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Options in the hints and causes of a module."""
    for node in ast.walk(tree):
        told = isinstance(node, ast.keyword) and node.arg in ("hint", "cause")
        assigned = isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id in ("hint", "cause") for each in node.targets
        )
        if (told or assigned) and isinstance(node, ast.keyword | ast.Assign):
            yield from ((node.value.lineno, option) for option in OPTION.findall(ast.unparse(node.value)))


def test_every_option_that_a_hint_names_is_there() -> None:
    known = {"--help", "--version", *options(breakeven)}
    for door in DOORS.values():
        known.update(options(door.open()))
    found = [
        (path.relative_to(SOURCE), line, option)
        for path in sorted(SOURCE.rglob("*.py"))
        for line, option in named(ast.parse(path.read_text("utf-8")))
    ]
    assert len(found) > 50
    assert [each for each in found if each[2] not in known] == []
