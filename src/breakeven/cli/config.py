"""The configuration file: defaults for every command's options, and tables that the rooms read."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from breakeven.cli.errors import nearest_names
from breakeven.errors import ConfigError

DEFAULT_FILE = Path("breakeven.toml")
"""Read where it is present and no ``--config`` names another."""

ROOM_TABLES = ("prices", "provisioned", "calibration", "upstreams", "models", "gateway", "cache")
"""What no command owns: prices, capacity bought by the month, the file of measured corrections, the gateway's; also
``[cache]``, though a command has its name."""

ROOM_VARIABLES = frozenset({"BREAKEVEN_PRICE_LIST"})
"""Variables that a room reads, though they begin like a command's."""

MAXIMUM_BYTES = 16 * 1024 * 1024
"""A larger configuration file is refused rather than read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The parsed file, divided: ``defaults`` of each command's options, and ``tables`` that the rooms read.

    ``path`` is the file that was read, or named and not there: None where none was named and the default is missing.
    """

    path: Path | None = None
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)


def load(path: Path | None, commands: Collection[str]) -> Configuration:
    """Read ``path``, or `DEFAULT_FILE` where it is None and that file exists; tables named as commands are defaults.

    Raises:
        ConfigError: the file cannot be read, is not TOML, has a table that nobody reads, or sets a command to
            something that is not a table.
    """
    if path is None and not DEFAULT_FILE.is_file():
        return Configuration()
    path = path or DEFAULT_FILE
    tables = read_tables(path)
    for name in tables:
        if name not in commands and name not in ROOM_TABLES:
            raise ConfigError(
                f"no table {name!r} is read from {path}{nearest_names(name, [*ROOM_TABLES, *commands])}",
                hint="correct the name, or leave the table out",
            )
    own = [command for command in commands if command not in ROOM_TABLES]
    for command in own:
        if not isinstance(tables.get(command, {}), dict):
            raise ConfigError(f"{command} in {path} must be a table", hint=f"write [{command}]")
    return Configuration(
        path=path,
        defaults={command: tables[command] for command in own if command in tables},
        tables={name: table for name, table in tables.items() if name not in own},
    )


def read_tables(path: Path) -> dict[str, Any]:
    """All tables of a file.

    Raises:
        ConfigError: it cannot be read, is too large, or is not TOML.
    """
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise ConfigError(f"configuration file {path} is larger than {MAXIMUM_BYTES:,} bytes")
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read configuration file {path}", cause=error.strerror, hint="breakeven --config FILE ..."
        ) from error
    except ValueError as error:
        raise ConfigError(f"configuration file {path} is not TOML in UTF-8", cause=str(error)) from error


def option_defaults(command: click.Command, table: Mapping[str, Any]) -> dict[str, Any]:
    """A command's table under click's own parameter names; a group's table holds tables of its commands.

    Raises:
        ConfigError: the command has no such option.
    """
    below = command.commands if isinstance(command, click.Group) else {}
    options = _options(command)
    found: dict[str, Any] = {}
    for key, value in table.items():
        option = key.replace("_", "-")
        if key in below and isinstance(value, dict):
            found[key] = option_defaults(below[key], value)
        elif option in options:
            found[str(options[option].name)] = _as_typed(value, options[option])
        else:
            raise ConfigError(
                f"no option {key!r} of {command.name}{nearest_names(key, [*options, *below])}",
                hint=f"breakeven {command.name} --help",
            )
    return found


def check_variables(command: click.Command, prefix: str, variables: Iterable[str]) -> None:
    """Refuse variables that begin as this command's do (``BREAKEVEN_PLAN_``) and set none of its options.

    Raises:
        ConfigError: names the variable and the nearest ones.
    """
    known = _variables(command, prefix) | ROOM_VARIABLES
    for name in variables:
        if name.startswith(prefix) and name not in known:
            raise ConfigError(
                f"the variable {name} sets no option of {command.name}{nearest_names(name, sorted(known))}",
                hint=f"unset {name}",
            )


def _variables(command: click.Command, prefix: str) -> set[str]:
    below = command.commands if isinstance(command, click.Group) else {}
    options = _options(command).values()
    names = {str(each.envvar or f"{prefix}{str(each.name).upper()}") for each in options}
    return names.union(*(_variables(each, f"{prefix}{name.upper()}_") for name, each in below.items()))


def _options(command: click.Command) -> dict[str, click.Parameter]:
    """The command's options by their long names, without the dashes."""
    return {
        option.removeprefix("--"): parameter
        for parameter in command.params
        for option in parameter.opts
        if parameter.name is not None and option.startswith("--")
    }


def _as_typed(value: Any, parameter: click.Parameter) -> Any:
    """A value of the file as a person would type it, so that it is read and refused like a typed one."""
    if isinstance(value, bool) or parameter.nargs != 1:
        return value
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
