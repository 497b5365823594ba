"""Options and output that all commands share: ``--format``, ``--out``, and the flags over a workload file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from breakeven.cli.errors import BROKEN_PIPE
from breakeven.errors import InputError

if TYPE_CHECKING:
    from breakeven.render.text import TextStyle
    from breakeven.workload.overrides import TraceColumns, WorkloadOverrides

Command = TypeVar("Command", bound=Callable[..., Any])


class FiniteNumber(click.ParamType[Decimal]):
    """A decimal number, exact as written; NaN and infinity are refused."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The number, from a flag, a variable or the configuration file."""
        try:
            number = Decimal(str(value).replace("_", ""))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not number.is_finite():
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class CommaList(click.ParamType[tuple[str, ...]]):
    """Names separated by commas; a list in the configuration file is taken as it is."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names, without the blanks around them."""
        parts = value if isinstance(value, list | tuple) else str(value).split(",")
        names = tuple(str(part).strip() for part in parts)
        if not all(names):
            self.fail(f"{value!r} has an empty name", param, ctx)
        return names


NUMBER = FiniteNumber()
COMMA_LIST = CommaList()


def output_options(*formats: str) -> Callable[[Command], Command]:
    """``--format`` (the first is the default) and ``--out`` for a command that prints a value."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to FILE instead of the terminal."
        )(command)
        choice = click.Choice(formats)
        return click.option(
            "--format",
            "output_format",
            type=choice,
            default=formats[0],
            show_default=True,
            envvar="BREAKEVEN_FORMAT",
            help="Output format.",
        )(command)

    return decorate


def workload_options(command: Command) -> Command:
    """The flags that win over a workload file, or stand in for one beside a bare trace."""
    for decorate in reversed(_WORKLOAD_OPTIONS):
        command = decorate(command)
    return command


_WORKLOAD_OPTIONS = (
    click.option("--min-quality", metavar="TIER", help="Least quality tier: basic, good or premium."),
    click.option("--ttft", type=NUMBER, metavar="S", help="Time to first token, seconds."),
    click.option("--tpot", type=NUMBER, metavar="S", help="Time per output token, seconds."),
    click.option("--percentile", type=NUMBER, metavar="P", help="Share of requests within both, percent."),
    click.option("--data-residency/--no-data-residency", default=None, help="Data must stay in house."),
    click.option("--allow-spot/--no-allow-spot", default=None, help="Admit capacity that its owner may withdraw."),
    click.option("--max-commitment-months", type=int, metavar="N", help="Longest reservation to recommend."),
    click.option("--requests-per-day", type=int, metavar="N", help="Mean volume to scale the workload to."),
    click.option("--hourly-shape", metavar="SHAPE", help="flat, office, consumer, or 24 numbers with commas."),
    click.option("--burst-frac", type=NUMBER, metavar="X", help="Busiest minute over its hour's mean, at least 1."),
    click.option("--growth-per-month-frac", type=NUMBER, metavar="F", help="Growth a month; 0.1 is 10%."),
    click.option("--duplicate-requests-frac", type=NUMBER, metavar="F", help="Share of exact repeats."),
    click.option("--shared-prefix-tokens", type=int, metavar="N", help="Tokens of a prefix that requests share."),
    click.option("--engineer-usd-per-month", type=NUMBER, metavar="USD", help="Cost of one engineer."),
    click.option("--engineer-share-frac", type=NUMBER, metavar="F", help="Share of one when self-hosting."),
    click.option("--edge-engineer-share-frac", type=NUMBER, metavar="F", help="Share of one at the edge."),
    click.option("--electricity-usd-per-kwh", type=NUMBER, metavar="USD", help="Price of electricity."),
    click.option("--device-life-months", type=int, metavar="N", help="Months an edge device is spread over."),
    click.option("--peak-load-frac", type=NUMBER, metavar="F", help="Share of a replica's rate planned for at peak."),
    click.option(
        "--columns",
        type=COMMA_LIST,
        metavar="NAME=COLUMN,...",
        help="Columns of a trace: timestamp=, input_tokens=, output_tokens=.",
    ),
)

WORKLOAD_PARAMETERS = (
    "min_quality",
    "ttft",
    "tpot",
    "percentile",
    "data_residency",
    "allow_spot",
    "max_commitment_months",
    "requests_per_day",
    "hourly_shape",
    "burst_frac",
    "growth_per_month_frac",
    "duplicate_requests_frac",
    "shared_prefix_tokens",
    "engineer_usd_per_month",
    "engineer_share_frac",
    "edge_engineer_share_frac",
    "electricity_usd_per_kwh",
    "device_life_months",
    "peak_load_frac",
    "columns",
)
"""Parameters that `workload_options` adds, each a field of `WorkloadOverrides` (latencies there end in ``_s``)."""

_EXACT_PARAMETERS = frozenset(name for name in WORKLOAD_PARAMETERS if name.startswith(("engineer", "edge", "electr")))


def overrides(flags: Mapping[str, Any]) -> WorkloadOverrides:
    """The stated flags as `WorkloadOverrides`; money stays exact, physics becomes float.

    Raises:
        InputError: a shape or column list that cannot be read.
    """
    from breakeven.workload.overrides import WorkloadOverrides

    stated = {_field(name): flags[name] for name in WORKLOAD_PARAMETERS if flags.get(name) is not None}
    for name, value in stated.items():
        if isinstance(value, Decimal) and name not in _EXACT_PARAMETERS:
            stated[name] = float(value)
    if "hourly_shape" in stated:
        stated["hourly_shape"] = _hourly_shape(stated["hourly_shape"])
    if "columns" in stated:
        stated["columns"] = trace_columns(stated["columns"])
    return WorkloadOverrides(**stated)


def _field(parameter: str) -> str:
    return f"{parameter}_s" if parameter in {"ttft", "tpot"} else parameter


def _hourly_shape(text: str) -> str | tuple[float, ...]:
    if "," not in text:
        return text
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"--hourly-shape has a part that is no number: {text}", hint="give flat, office, consumer or 24 numbers"
        ) from error


def trace_columns(pairs: tuple[str, ...]) -> TraceColumns:
    """The columns that ``NAME=COLUMN`` pairs name.

    Raises:
        InputError: a pair that is not of that form.
    """
    from breakeven.workload.overrides import TraceColumns

    named: dict[str, str] = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not (equals and column and field in TraceColumns.__dataclass_fields__):
            raise InputError(
                f"--columns cannot use {pair!r}",
                hint="--columns timestamp=TIME,input_tokens=IN,output_tokens=OUT",
            )
        named[field] = column
    return TraceColumns(**named)


def text_style(out: Path | None) -> TextStyle:
    """The terminal's width, and colours only on a terminal that wants them (NO_COLOR, TERM=dumb)."""
    from breakeven.render.text import DEFAULT_WIDTH, TextStyle

    on_terminal = out is None and sys.stdout is not None and sys.stdout.isatty()
    width = shutil.get_terminal_size((DEFAULT_WIDTH, 24)).columns if out is None else DEFAULT_WIDTH
    wants_colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return TextStyle(width=width, coloured=on_terminal and wants_colour)


def write_output(text: str, out: Path | None) -> None:
    """Print ``text``, or write it to ``out`` in UTF-8; a reader that went away ends the command quietly.

    Raises:
        InputError: ``out``, or the standard output, cannot be written.
    """
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(
                f"cannot write {out}", cause=error.strerror, hint="--out FILE in another folder"
            ) from error
        return
    if sys.stdout is None:
        raise InputError("cannot write the standard output", cause="it is closed", hint="--out FILE")
    try:
        _reconfigured_stdout()
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more at exit; give it a place that takes everything.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise click.exceptions.Exit(BROKEN_PIPE) from None
        raise InputError("cannot write the standard output", cause=error.strerror, hint="--out FILE") from error


def _reconfigured_stdout() -> None:
    """A terminal without the characters of a table shows a substitute instead of failing."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
