"""Every failure as a person reads it, and the exit code that a script reads."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from breakeven.errors import BreakevenError

INTERNAL: Final = 70
"""Exit code of a fault in Breakeven itself (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C (128 + SIGINT)."""

BROKEN_PIPE: Final = 141
"""Exit code when the reader of standard output went away (128 + SIGPIPE); nothing is printed."""

_ISSUES = "the project's issue tracker"


def report(error: Exception, help_command: str | None = None) -> int:
    """Print the failure to stderr and return the exit code it stands for.

    ``help_command`` is the hint of a failure that has none of its own.
    """
    match error:
        case BreakevenError():
            _print(error.message, error.cause, error.hint or help_command)
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
        case click.UsageError():
            _print(_lower_first(error.format_message()), None, _help_hint(error))
        case click.ClickException():
            _print(_lower_first(error.format_message()), None, help_command)
        case click.exceptions.Abort() | BrokenPipeError():
            pass
        case _:
            _report_fault(error)
    return _exit_code(error)


def _exit_code(error: Exception) -> int:
    """What a script reads: the class's own code, or that of a signal, or that of a fault."""
    match error:
        case BreakevenError():
            return error.exit_code
        case click.ClickException():
            return 2
        case click.exceptions.Abort():
            return INTERRUPTED
        case BrokenPipeError():
            return BROKEN_PIPE
    return INTERNAL


def nearest_names(name: str, known: Iterable[str]) -> str:
    """``": did you mean ...?"`` with the known names nearest to ``name``, or all of them where none is near.

    >>> nearest_names("plna", ["plan", "diff"]), nearest_names("x", ["plan", "diff"])
    (': did you mean plan?', ': there are plan, diff')
    """
    from difflib import get_close_matches

    names = list(known)
    near = get_close_matches(name, names, n=3)
    return f": did you mean {' or '.join(near)}?" if near else f": there are {', '.join(names)}"


def _report_fault(error: Exception) -> None:
    """A fault of ours: one error in the usual form; the traceback only where it was asked for."""
    if os.environ.get("BREAKEVEN_DEBUG") == "1":
        traceback.print_exception(error, file=sys.stderr)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    detail = " ".join(str(error).split()) or "no message"
    _print(
        f"internal error: {type(error).__name__}: {detail}",
        f"a fault in Breakeven, in {frame.name} at {Path(frame.filename).name}:{frame.lineno}",
        f"set BREAKEVEN_DEBUG=1, run the same command again and send what it prints to {_ISSUES}",
    )


def _print(message: str, cause: str | None, hint: str | None) -> None:
    from breakeven.render.errors import error_text

    if sys.stderr is None:  # closed by the caller: only the exit code is left to tell
        return
    click.echo(error_text(message, cause=cause, hint=hint), err=True, nl=False)


def _help_hint(error: click.UsageError) -> str | None:
    return None if error.ctx is None else f"{error.ctx.command_path} --help"


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")
