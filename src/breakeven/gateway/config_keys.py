"""Keys that the configuration does not know: where one stands, and what it was perhaps meant to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from typing import Any, TypeGuard, get_args

import msgspec


def unknown_key(tables: Mapping[str, Any], kind: type[msgspec.Struct]) -> str | None:
    """A sentence on the first key of the tables that ``kind`` does not have, at any depth; None where there is none.

    A value of the wrong kind is passed over: it is for whoever converts the tables.
    """
    found = chain.from_iterable(
        _unknown_in(table, below, place)
        for name, kind_of_field in _fields(kind).items()
        for table, below, place in _tables(tables.get(name), kind_of_field, f"[{name}]")
    )
    return next(found, None)


def _unknown_in(table: Mapping[str, Any], kind: type[msgspec.Struct], place: str) -> Iterator[str]:
    fields = _fields(kind)
    for key in table:
        if key not in fields:
            yield f"{place} has no key `{key}`; {_nearest(key, list(fields))}"
    for name, kind_of_field in fields.items():
        for below, kind_below, place_below in _tables(table.get(name), kind_of_field, name):
            yield from _unknown_in(below, kind_below, f"{place}, {place_below}")


def _tables(value: Any, kind: Any, name: str) -> Iterator[tuple[Mapping[str, Any], type[msgspec.Struct], str]]:
    """The tables in a field's value, each with its kind and its place: one, or each of a list.

    ``name`` is as TOML writes one table: with brackets, of which a list of tables has two, and without them inline.
    """
    if _is_struct(kind) and isinstance(value, dict):
        yield value, kind, f"`{name}`"
    [of] = get_args(kind) if len(get_args(kind)) == 1 else [None]
    listed = f"[{name}]" if name.startswith("[") else name
    if _is_struct(of) and isinstance(value, list):
        for number, each in enumerate(value, start=1):
            if isinstance(each, dict):
                called = each.get("name") or each.get("upstream")
                yield each, of, f"`{listed}` number {number}" + (f" (`{called}`)" if called else "")


def _is_struct(kind: Any) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _nearest(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=3)
    return f"did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else f"it has {', '.join(known)}"
