"""Loops compiled to machine code where numba is installed (extra ``simulate``); else the same Python functions run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

KERNELS: Final = (
    "compiled.py",
    "replay.py",
    "replay_cache.py",
    "replay_ends.py",
    "replay_state.py",
    "replay_scaling.py",
    "replay_losses.py",
    "replay_fleet.py",
)
"""Files that the machine code is made from: a change in one makes all of it stale."""

INSTALL_HINT: Final = "pip install 'breakeven[simulate]'"


_OPTIONS: Final = {"_nrt": False}
"""No kernel allocates, so none counts references to the arrays it is given: a third of the time."""


@cache
def _numba() -> Any:
    """The module, imported when it is first asked for, since that takes half a second; None where it is not there."""
    try:
        return import_module("numba")
    except ImportError:
        return None


@cache
def is_compiled() -> bool:
    """Whether ``compiled`` compiles: numba is there, and ``NUMBA_DISABLE_JIT`` is not set."""
    numba = _numba()
    return numba is not None and not numba.config.DISABLE_JIT


def compiled(function: Function) -> Function:
    """The function as machine code, compiled at its first call and kept on disk, or itself without numba.

    numba compares only the file of a function with what it kept, not those of the functions it calls. So the folder's
    name carries a digest of all `KERNELS`; numba takes its own default where the folder cannot be written.
    """
    if not is_compiled():
        return function
    numba = _numba()
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, _cache_folder()
    try:
        built: Function = numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder at all can be written
        built = numba.njit(**_OPTIONS)(function)
    finally:
        numba.config.CACHE_DIR = before
    return built


def compiles_first() -> bool:
    """Whether the next call has to compile, which takes about ten seconds, as far as can be told."""
    return is_compiled() and not any(Path(_cache_folder()).rglob("*.nbc"))


def _cache_folder() -> str:
    room = Path(__file__).parent
    digest = hashlib.sha256(b"".join((room / name).read_bytes() for name in KERNELS)).hexdigest()
    return str(Path(_numba().config.CACHE_DIR or room / "__pycache__") / f"replay-{digest[:16]}")
