"""The price list that an update brought, kept on this machine for the next run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from genai_prices.data_snapshot import DataSnapshot

# The library parses a fetched list with this function and offers no public one; a test holds it to its shape.
from genai_prices.types import _providers_from_raw

from breakeven.errors import CatalogError

PATH_VARIABLE: Final = "BREAKEVEN_PRICE_LIST"
"""Environment variable with another place for the stored price list."""


def path() -> Path:
    """Where the updated price list is kept: `PATH_VARIABLE`, or the user's cache folder."""
    stated = os.environ.get(PATH_VARIABLE)
    if stated:
        return Path(stated)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "breakeven" / "price_list.json"


def read() -> DataSnapshot | None:
    """The stored price list, or None where none is stored; its timestamp is when it was written, UTC.

    Raises:
        CatalogError: the stored file is no price list.
    """
    place = path()
    if not place.is_file():
        return None
    try:
        snapshot = parse(place.read_bytes())
    except (OSError, ValueError) as error:
        raise CatalogError(
            f"the stored price list {place} cannot be read", cause=str(error).partition("\n")[0], hint=f"rm {place}"
        ) from error
    snapshot.timestamp = datetime.fromtimestamp(place.stat().st_mtime, UTC)
    return snapshot


def write(content: bytes) -> Path:
    """Keep a price list, in one step, so that a reader never sees half of it."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(content)
    return part.replace(place)


def parse(content: bytes) -> DataSnapshot:
    """A price list as its publisher serves it: a JSON array of providers.

    Raises:
        ValueError: it is not that.
    """
    raw = json.loads(content)
    if not isinstance(raw, list) or not raw:
        raise ValueError("not a JSON array of providers")
    return DataSnapshot(_providers_from_raw(raw), from_auto_update=True)
