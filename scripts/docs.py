"""Write the parts of the documentation that the program knows best, or check that they are current.

usage: scripts/docs.py [--check]

``docs/reference/cli.md`` comes from the commands themselves. Between ``<!-- output: COMMAND -->`` and
``<!-- /output -->``, README.md and docs/ hold what the command prints; commands name a date, so they print the same
on any day.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from breakeven.cli import main as front_door

REPOSITORY = Path(__file__).resolve().parent.parent
REFERENCE = REPOSITORY / "docs/reference/cli.md"
PLAIN = {"NO_COLOR": "1", "COLUMNS": "120", "PYTHONUTF8": "1", "BREAKEVEN_PRICE_LIST": os.devnull}
OUTPUT = re.compile(r"(<!-- output: (?P<command>breakeven .*?) -->\n).*?(<!-- /output -->)", re.DOTALL)


def main() -> int:
    """Write what is out of date; with ``--check`` only name it, and fail."""
    check = sys.argv[1:] == ["--check"]
    stale = 0
    for path, current in current_pages():
        if not path.exists() or path.read_text(encoding="utf-8") != current:
            stale += 1
            print(f"{path.relative_to(REPOSITORY)}: {'out of date, run make docs' if check else 'written'}")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(current, encoding="utf-8")
    return 1 if check and stale else 0


def current_pages() -> Iterator[tuple[Path, str]]:
    """Each page with a generated part, as it should read now."""
    yield REFERENCE, reference()
    for path in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        if OUTPUT.search(text):
            yield path, OUTPUT.sub(with_output, text)


def with_output(match: re.Match[str]) -> str:
    """The marked block with what its command prints today."""
    return f"{match[1]}```console\n$ {match['command']}\n{printed(match['command'])}```\n{match[3]}"


def printed(command: str) -> str:
    """What a command prints from the repository's root without colour, whatever its user has configured or updated."""
    program, *arguments = shlex.split(command)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BREAKEVEN_")}
    result = subprocess.run(
        [Path(sys.executable).with_name(program), "--config", os.devnull, *arguments],
        cwd=REPOSITORY,
        env={**clean, **PLAIN},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode not in {0, 1}:
        sys.exit(f"{command}\n{result.stderr}")
    return "\n".join(line.rstrip() for line in result.stdout.splitlines()) + "\n"


def reference() -> str:
    """The command line reference as Markdown."""
    parts = ["# Command line\n", "Generated from the commands by `make docs`.\n"]
    for path, command in commands(front_door.breakeven, "breakeven"):
        parts += command_section(path, command)
    return "\n".join(parts)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all those below it, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from commands(below, f"{path} {name}")


def command_section(path: str, command: click.Command) -> list[str]:
    """One command: what it does, how it is called, its arguments and options."""
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    parts = [f"## {path}\n", f"{described(command.help)}\n", f"```\n{usage}\n```\n"]
    rows = [option_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        parts += ["| option | meaning |\n|---|---|\n" + "\n".join(rows) + "\n"]
    return parts


def described(text: str | None) -> str:
    """Help text as Markdown; a paragraph that starts with a backspace is one whose line breaks count, for click."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text or ""))
    return "\n\n".join(
        f"```\n{paragraph.lstrip(chr(8)).strip(chr(10))}\n```" if paragraph.startswith("\b") else paragraph
        for paragraph in paragraphs
    )


def option_row(option: click.Option, context: click.Context) -> str:
    """One option as a table row: names and value, meaning, choices, default, environment variable."""
    record = option.get_help_record(context)
    names, meaning = record if record else (", ".join(option.opts), option.help or "")
    return f"| `{cell(names)}` | {cell(meaning)} |"


def cell(text: str) -> str:
    """Text that may stand in a table cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
