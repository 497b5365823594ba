"""A copy of the ledger as it is at one moment, made while requests are served."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from breakeven.errors import InputError, Unavailable
from breakeven.stores.sqlite import make_private, reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The copy, its size, and how many entries it has."""

    path: Path
    size_bytes: int
    entries: int


def backup(connection: sqlite3.Connection, target: Path) -> Backup:
    """Copy the ledger to a file that does not exist yet; it is whole, or not there.

    Raises:
        InputError: the file exists, or its folder does not.
        Unavailable: it cannot be written.
    """
    if target.exists():
        raise InputError(f"{target} exists", hint="name a file that does not exist yet")
    if not target.parent.is_dir():
        raise _no_folder(target)
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        make_private(partial)
        with reported(partial), closing(sqlite3.connect(partial)) as copy:
            # In one step, so from one snapshot: between steps, another connection's commit would begin it anew.
            connection.backup(copy)
            if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise Unavailable(f"the copy {partial} is damaged", hint="run the command again")
            copy.execute("PRAGMA journal_mode = DELETE")
            count = int(copy.execute("SELECT count(*) FROM entries").fetchone()[0])
        partial.rename(target)
    except OSError as error:
        raise Unavailable(
            f"cannot write {target}", cause=error.strerror, hint="name a file in another folder"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return Backup(path=target, size_bytes=target.stat().st_size, entries=count)


def _no_folder(target: Path) -> InputError:
    folder, what = target.parent, f"cannot back up to {target}"
    if folder.exists():
        return InputError(what, cause=f"{folder} is no folder", hint="name a file in a folder")
    return InputError(what, cause=f"{folder} does not exist", hint=f"mkdir -p {quote(str(folder))}")
