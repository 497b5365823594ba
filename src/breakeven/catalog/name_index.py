"""Find a catalogue row by any of its names, or say which names are near."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from breakeven.errors import CatalogError, UnknownName


class NameIndex:
    """Canonical names and aliases of one kind of thing, compared without case, spaces and punctuation.

    Args:
        kind: what is named, for errors ("accelerator").
        names: the canonical names.
        aliases: further names, each with the canonical name it stands for.

    Raises:
        CatalogError: two things share a name, or an alias stands for nothing.
    """

    def __init__(self, kind: str, names: Iterable[str], aliases: Mapping[str, str]) -> None:
        self._kind = kind
        self._canonical: dict[str, str] = {}
        for name in names:
            self._add(name, name)
        known = set(self._canonical.values())
        for alias, name in aliases.items():
            if name not in known:
                raise CatalogError(f"the alias {alias!r} stands for the unknown {kind} {name!r}")
            self._add(alias, name)

    def canonical(self, name: str) -> str:
        """The canonical name behind ``name``.

        Raises:
            UnknownName: no row carries it; the hint lists the nearest names.
        """
        found = self.find(name)
        if found is None:
            raise UnknownName(
                f"unknown {self._kind} {name!r}",
                cause="no row of the catalogue carries this name",
                hint=f"nearest names: {', '.join(self.nearest(name))}",
            )
        return found

    def find(self, name: str) -> str | None:
        """The canonical name behind ``name``, or None."""
        return self._canonical.get(key(name))

    def nearest(self, name: str, count: int = 4) -> list[str]:
        """The canonical names that look most like ``name``, without repeats."""
        keys = get_close_matches(key(name), self._canonical, n=4 * count, cutoff=0.0)
        return list(dict.fromkeys(self._canonical[near] for near in keys))[:count]

    def _add(self, name: str, canonical: str) -> None:
        before = self._canonical.setdefault(key(name), canonical)
        if before != canonical:
            raise CatalogError(f"{name!r} names both {before!r} and {canonical!r}")


def key(name: str) -> str:
    """The part of a name that counts: lower case, letters, digits and points.

    >>> key("NVIDIA H100_SXM 80 GB"), key("Llama-3.1-8B")
    ('nvidiah100sxm80gb', 'llama3.18b')
    """
    return re.sub(r"[^a-z0-9.+]", "", name.casefold())
