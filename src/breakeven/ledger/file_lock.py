"""One process serves from a ledger at a time: an exclusive lock on a file beside it, freed however the process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from breakeven.errors import Unavailable

_TRY_AGAIN_S: Final = 0.02


class FileLock:
    """The lock beside a ledger, held until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the next process have the ledger."""
        os.close(self._descriptor)


def take(ledger: Path, *, patience_s: float = 0.0) -> FileLock | None:
    """The lock; None where another process has it for longer than ``patience_s``.

    Raises:
        Unavailable: the lock's file cannot be made.
    """
    path = lock_path(ledger)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"cannot make {path}", cause=error.strerror, hint="--ledger FILE elsewhere") from error
    give_up_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up_s:
                os.close(descriptor)
                return None
            time.sleep(_TRY_AGAIN_S)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return FileLock(descriptor)


def take_to_serve(ledger: Path) -> FileLock:
    """The lock, for a process that will serve; a command that only recovers a journal is waited for.

    Raises:
        Unavailable: another process serves from this ledger.
    """
    lock = take(ledger, patience_s=2.0)
    if lock is None:
        holder = lock_path(ledger).read_text("utf-8").strip() or "unknown"
        raise Unavailable(
            f"{ledger} is in use",
            cause=f"process {holder} serves from it, and budgets are held by one process at a time",
            hint=f"stop process {holder}, or give this one another --ledger FILE",
        )
    return lock


def lock_path(ledger: Path) -> Path:
    """The lock's file: it stays when the lock is free."""
    return ledger.with_name(f"{ledger.name}.lock")
