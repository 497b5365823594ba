"""The ``breakeven`` command: a table of doors, each loaded only when it is opened.

``breakeven --help`` needs nothing but click and this table, so it imports no room.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from breakeven.cli import errors

EPILOG = """\b
Exit codes: 0 ok, 1 a threshold or check failed, 2 bad input or usage,
3 an upstream or store is unavailable, 70 a fault in Breakeven, 130 interrupted.

Every option can be set in the configuration file ([plan] top = 5) or by a variable
(BREAKEVEN_PLAN_TOP=5); the command line wins, then the variable, then the file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A command that is not loaded yet: where it lives, what it is for, under which heading it is listed."""

    target: str
    help: str
    heading: str

    def open(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a click command")
        return command


DOORS = {
    "plan": Door(
        target="breakeven.cli.plan:plan",
        help="Price a workload on hosted APIs, own GPUs and edge devices; say which to take and why.",
        heading="Plan",
    ),
    "curve": Door(
        target="breakeven.cli.curve:curve",
        help="Cost against volume, and every volume at which the cheapest option changes.",
        heading="Plan",
    ),
    "fleet": Door(
        target="breakeven.cli.fleet:fleet",
        help="What of a fleet to reserve, hold on spot or spill, and which GPUs to mix.",
        heading="Plan",
    ),
    "diff": Door(
        target="breakeven.cli.diff:diff",
        help="What changed between two saved plans; fails past a threshold.",
        heading="Plan",
    ),
    "replay": Door(
        target="breakeven.cli.replay:replay",
        help="What caching would save on your own traffic, before it is switched on.",
        heading="Plan",
    ),
    "price": Door(
        target="breakeven.cli.price:price",
        help="The exact price of one request, or of many alike.",
        heading="Catalogue",
    ),
    "catalog": Door(
        target="breakeven.cli.catalog:catalog",
        help="Show, check and update the prices and specifications.",
        heading="Catalogue",
    ),
    "capacity": Door(
        target="breakeven.cli.capacity:capacity",
        help="What a GPU or an edge device can serve, computed.",
        heading="Serving",
    ),
    "interactivity": Door(
        target="breakeven.cli.interactivity:interactivity",
        help="Cost of a token against the speed that each user gets.",
        heading="Serving",
    ),
    "calibrate": Door(
        target="breakeven.cli.calibrate:calibrate",
        help="Correct the serving model by your own measurements.",
        heading="Serving",
    ),
    "simulate": Door(
        target="breakeven.cli.simulate:simulate",
        help="Replay a trace through a fleet: latency, utilization and dollars.",
        heading="Serving",
    ),
    "serve": Door(
        target="breakeven.cli.serve:serve",
        help="The gateway: OpenAI-compatible, every request priced, every budget held.",
        heading="Run",
    ),
    "key": Door(
        target="breakeven.cli.key:key",
        help="Give out, list and revoke the gateway's keys.",
        heading="Run",
    ),
    "budget": Door(
        target="breakeven.cli.budget:budget",
        help="Set, list and remove budgets.",
        heading="Run",
    ),
    "cache": Door(
        target="breakeven.cli.cache:cache",
        help="What is remembered of answers, and forgetting it.",
        heading="Run",
    ),
    "ledger": Door(
        target="breakeven.cli.ledger:ledger",
        help="Add up, look up, back up and prune what was spent.",
        heading="Prove",
    ),
    "audit": Door(
        target="breakeven.cli.audit:audit",
        help="What in your prompts costs money and need not: findings in dollars a month.",
        heading="Prove",
    ),
}
"""Every command, in the order of its heading."""


class LazyGroup(click.Group):
    """A group that lists its commands from `DOORS` and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(DOORS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, imported now; None where there is none."""
        door = DOORS.get(cmd_name)
        return None if door is None else door.open()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names, or an error with the nearest names."""
        name = args[0]
        if name not in DOORS and not name.startswith("-"):
            raise click.UsageError(f"no command {name!r}{errors.nearest_names(name, DOORS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The commands under their headings, from the table alone."""
        for heading in dict.fromkeys(door.heading for door in DOORS.values()):
            with formatter.section(heading):
                formatter.write_dl([(name, door.help) for name, door in DOORS.items() if door.heading == heading])


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": "BREAKEVEN",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    epilog=EPILOG,
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file (TOML).  [default: breakeven.toml where present]",
)
@click.version_option(package_name="breakeven", message="%(prog)s %(version)s")
@click.pass_context
def breakeven(context: click.Context, config: Path | None) -> None:
    """The cheapest way to serve a language-model workload well: planned, run and proven."""
    from breakeven.cli.config import check_variables, load, option_defaults

    context.obj = load(config, tuple(DOORS))
    name = context.invoked_subcommand or ""
    if name in DOORS:
        check_variables(DOORS[name].open(), f"BREAKEVEN_{name.upper()}_", os.environ)
    if name in context.obj.defaults:
        context.default_map = {name: option_defaults(DOORS[name].open(), context.obj.defaults[name])}


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every failure is printed as ``error: cause: hint:``."""
    try:
        code = breakeven.main(list(arguments), prog_name="breakeven", standalone_mode=False)
    except Exception as error:
        return errors.report(error, _help_command(arguments))
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    return code if isinstance(code, int) else 0


def _help_command(arguments: Sequence[str]) -> str:
    """The help of the command that was typed."""
    command = next((argument for argument in arguments if argument in DOORS), "")
    return " ".join(part for part in ("breakeven", command, "--help") if part)


def main() -> NoReturn:
    """Entry point of the ``breakeven`` script."""
    sys.exit(run(sys.argv[1:]))
