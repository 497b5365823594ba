"""The admin API's own credential: given by the environment or a file, else made at the first start."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from breakeven.errors import ConfigError

VARIABLE: Final = "BREAKEVEN_ADMIN_KEY"
_LEAST_LETTERS: Final = 16


def admin_secret(ledger: Path, file: Path | None) -> tuple[str, str]:
    """The secret, and where it comes from in words that do not show it.

    Without the variable and a file it is made and kept beside the ledger, readable by its owner alone.

    Raises:
        ConfigError: it is too short, or its file cannot be read or written.
    """
    if file is None and os.environ.get(VARIABLE):
        return _checked(os.environ[VARIABLE].strip(), VARIABLE), f"admin key from {VARIABLE}"
    path = file or ledger.with_name(f"{ledger.name}.admin-key")
    try:
        if file is None and not path.exists():
            _write(path)
        return _checked(path.read_text("utf-8").strip(), str(path)), f"admin key in {path}"
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the admin key's file {path} cannot be used", cause=str(error), hint=f"export {VARIABLE}=..."
        ) from error


def _write(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(f"be-admin-{secrets.token_urlsafe(32)}\n")


def _checked(secret: str, source: str) -> str:
    if len(secret) < _LEAST_LETTERS:
        raise ConfigError(
            f"the admin key of {source} is shorter than {_LEAST_LETTERS} letters", hint="openssl rand -hex 24"
        )
    return secret
