"""Every exception that a user of Breakeven can meet.

    BreakevenError                     exit code
    ├── InputError                     2   the user's input or configuration is wrong
    │   ├── WorkloadError                  a workload file
    │   ├── TraceError                     a request trace; names the line
    │   ├── ConfigError                    breakeven.toml or BREAKEVEN_*
    │   ├── UsageError                     token counts that contradict each other
    │   ├── Unpriced                       a usage that no published price covers
    │   ├── UnknownName                    a model, GPU, device or tier that no catalogue row has
    │   └── AmbiguousName                  a name that several catalogue rows have
    ├── CatalogError                   2   the catalogue's own rows are wrong
    ├── NothingFits                    1   the question is clear and the honest answer is "none"
    └── Unavailable                    3   an upstream, a store, the network or an optional part is missing

Each carries what a person needs to act: the message (what), a cause (why) and a hint (what to run or change).
"""

from __future__ import annotations

from typing import ClassVar


class BreakevenError(Exception):
    """Base of all expected failures: ``error:`` what, ``cause:`` why, ``hint:`` what helps."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, cause: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.hint = hint


class InputError(BreakevenError):
    """The user's input or configuration is wrong."""


class WorkloadError(InputError):
    """A workload file is missing something, or states something impossible."""


class TraceError(InputError):
    """A request trace cannot be read; the message names the file and, where there is one, the line."""


class ConfigError(InputError):
    """The configuration file or a ``BREAKEVEN_*`` variable is wrong."""


class UsageError(InputError):
    """Token counts that contradict each other, such as more cached than input tokens."""


class Unpriced(InputError):
    """A usage that no published price covers: billed in another unit, or a kind of token without a price."""


class UnknownName(InputError):
    """A name that no catalogue row carries; the hint lists the nearest names."""


class AmbiguousName(InputError):
    """A name that several catalogue rows carry; the hint lists the full names."""


class CatalogError(BreakevenError):
    """The catalogue's own data breaks one of its rules."""


class NothingFits(BreakevenError):
    """No way of serving meets the stated requirements; the cause says which requirement excludes what."""

    exit_code = 1


class Unavailable(BreakevenError):
    """An upstream, a store, the network or an optional dependency is not there."""

    exit_code = 3
