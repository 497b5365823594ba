"""Options that ``key``, ``budget`` and ``ledger`` share: the file, windows, lengths of time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from breakeven.cli.options import NUMBER

if TYPE_CHECKING:
    from breakeven.policy.budget import Budget, OnExceed
    from breakeven.policy.scope import Scope

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LENGTH = re.compile(r"(\d{1,9})([mhd])")


class Length(click.ParamType[timedelta]):
    """A length of time: a whole number of minutes, hours or days, such as 90d."""

    name = "90d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The length, from a flag, a variable or the configuration file."""
        if isinstance(value, timedelta):
            return value
        found = _LENGTH.fullmatch(str(value))
        if found is None or not int(found[1]):
            self.fail(f"{value!r} is no length of time such as 30m, 12h or 90d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


LENGTH = Length()


def ledger_option(command: Command) -> Command:
    """``--ledger FILE``."""
    return click.option(
        "--ledger",
        "ledger_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("breakeven.db"),
        show_default=True,
        envvar="BREAKEVEN_LEDGER",
        help="The ledger's file.",
    )(command)


def moment_ns(moment: date | datetime | None, timezone: str) -> int | None:
    """Nanoseconds of a moment; a day begins, and a moment without a zone is, in ``timezone``."""
    from breakeven.policy.window import NS_PER_S, time_zone

    if moment is None:
        return None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # the zone comes next
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=time_zone(timezone))
    whole_s = int(moment.replace(microsecond=0).timestamp())
    return whole_s * NS_PER_S + moment.microsecond * 1_000


def window_options(command: Command) -> Command:
    """``--window``, ``--timezone``, ``--on-exceed`` and ``--alert-frac`` of a budget."""
    for decorate in reversed(_WINDOW_OPTIONS):
        command = decorate(command)
    return command


_WINDOW_OPTIONS = (
    click.option(
        "--window",
        default="month",
        show_default=True,
        metavar="W",
        help="day, week, month, total, or days such as 30d.",
    ),
    click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Where days begin (IANA name)."),
    click.option(
        "--on-exceed",
        type=click.Choice(["refuse", "alert", "degrade"]),
        default="refuse",
        show_default=True,
        help="What a request meets that does not fit: refusal, only an alert, or a cheaper model.",
    ),
    click.option(
        "--alert-frac",
        type=NUMBER,
        default="0.8",
        show_default=True,
        metavar="F",
        help="Share of the budget from which it is reported.",
    ),
)


def budget_of(
    scope: Scope, usd: Decimal, *, window: str, timezone: str, on_exceed: OnExceed, alert_frac: Decimal
) -> Budget:
    """The budget that these options mean.

    Raises:
        InputError: no such window or time zone.
    """
    from breakeven import units
    from breakeven.ledger.budgets import budget_id
    from breakeven.policy.budget import Budget
    from breakeven.policy.window import parse_window

    parsed = parse_window(window, timezone)
    return Budget(
        budget_id=budget_id(scope, parsed),
        scope=scope,
        limit_nano_usd=units.nano_usd(usd),
        window=parsed,
        on_exceed=on_exceed,
        alert_frac=float(alert_frac),
    )
