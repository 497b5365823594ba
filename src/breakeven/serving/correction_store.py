"""The file that corrections are kept in: TOML, read strictly, written in one step."""

from __future__ import annotations

import datetime
import json
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from breakeven.errors import InputError
from breakeven.serving.corrections import Correction, Corrections, Deployment, EdgeCorrection, Factor

HEADER: Final = "# Written by breakeven calibrate. Factors are measured over modelled time; units are in the names.\n"
_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_FACTOR: Final = 100.0


def default_path() -> Path:
    """The file in the user's configuration folder."""
    stated = os.environ.get("XDG_CONFIG_HOME")
    return (Path(stated) if stated else Path.home() / ".config") / "breakeven" / "calibration.toml"


def read_corrections(path: Path) -> Corrections:
    """The corrections of a file.

    Raises:
        InputError: the file cannot be read, is not TOML, or has a wrong entry; the message names it.
    """
    tables = _tables(path)
    unknown = sorted(set(tables) - {"server", "device"})
    if unknown:
        raise _wrong(path, f"unknown table {unknown[0][:80]!r}")
    return Corrections(
        servers=tuple(_server(path, index, entry) for index, entry in _entries(path, tables, "server")),
        devices=tuple(_device(path, index, entry) for index, entry in _entries(path, tables, "device")),
    )


def write_corrections(path: Path, corrections: Corrections) -> None:
    """Write the file in one step, so that a reader never sees half of it.

    Raises:
        InputError: the place cannot be written.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(HEADER + "\n".join(_lines(corrections)), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}", cause=error.strerror, hint="--store FILE in another folder") from error


def _lines(corrections: Corrections) -> Iterator[str]:
    for server in corrections.servers:
        yield "\n[[server]]"
        yield from (f"{each.name} = {_text(getattr(server.deployment, each.name))}" for each in fields(Deployment))
        yield from _shared_lines(server)
        yield f"tpot = {_factor_text(server.tpot)}"
        if server.ttft is not None:
            yield f"ttft = {_factor_text(server.ttft)}"
    for device in corrections.devices:
        yield "\n[[device]]"
        yield f"device = {_text(device.device)}"
        yield from _shared_lines(device)
        yield f"decode = {_factor_text(device.decode)}"
    yield ""


def _shared_lines(entry: Correction | EdgeCorrection) -> Iterator[str]:
    yield f"low_factor = {entry.low_factor:.4g}"
    yield f"high_factor = {entry.high_factor:.4g}"
    yield f"calibrated_on = {entry.calibrated_on.isoformat()}"
    yield f"source = {_text(entry.source)}"


def _text(value: str | int) -> str:
    """A TOML value; a JSON string is one, apart from the delete character."""
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False).replace("\x7f", "")


def _factor_text(factor: Factor) -> str:
    after = factor.error_after_frac
    parts = [
        f"value = {factor.value:.5g}",
        f"points = {factor.points}",
        f"error_before_frac = {factor.error_before_frac:.4g}",
        *([] if after is None else [f"error_after_frac = {after:.4g}"]),
    ]
    return "{ " + ", ".join(parts) + " }"


def _tables(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise _wrong(path, f"larger than {_MOST_BYTES:,} bytes")
        return tomllib.loads(raw.decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"cannot read {path}", cause=error.strerror, hint="breakeven calibrate MEASURED --store FILE"
        ) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(path, "not TOML in UTF-8", str(error)[:200]) from error


def _entries(path: Path, tables: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = tables.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong(path, f"{name} must be a list of tables")
    yield from ((f"{name} {index}", entry) for index, entry in enumerate(entries, start=1))


def _server(path: Path, where: str, entry: Mapping[str, Any]) -> Correction:
    return Correction(
        deployment=Deployment(
            model=_string(path, where, entry, "model"),
            accelerator=_string(path, where, entry, "accelerator"),
            precision=_string(path, where, entry, "precision"),
            accelerators=_count(path, where, entry, "accelerators"),
            tensor_parallel=_count(path, where, entry, "tensor_parallel"),
            data_parallel=_count(path, where, entry, "data_parallel"),
            engine=_string(path, where, entry, "engine", blank=True),
        ),
        tpot=_factor(path, where, entry, "tpot"),
        ttft=_factor(path, where, entry, "ttft") if "ttft" in entry else None,
        **_shared(path, where, entry),
    )


def _device(path: Path, where: str, entry: Mapping[str, Any]) -> EdgeCorrection:
    return EdgeCorrection(
        device=_string(path, where, entry, "device"),
        decode=_factor(path, where, entry, "decode"),
        **_shared(path, where, entry),
    )


def _shared(path: Path, where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    on = entry.get("calibrated_on")
    if not isinstance(on, datetime.date) or isinstance(on, datetime.datetime):
        raise _wrong(path, f"{where}: calibrated_on must be a date")
    return {
        "low_factor": _number(path, where, entry, "low_factor"),
        "high_factor": _number(path, where, entry, "high_factor"),
        "calibrated_on": on,
        "source": _string(path, where, entry, "source", blank=True),
    }


def _factor(path: Path, where: str, entry: Mapping[str, Any], name: str) -> Factor:
    table, place = entry.get(name), f"{where}: {name}"
    if not isinstance(table, dict):
        raise _wrong(path, f"{place} must be a table with value and points")
    after = table.get("error_after_frac")
    return Factor(
        value=_number(path, place, table, "value"),
        points=_count(path, place, table, "points"),
        error_before_frac=_number(path, place, table, "error_before_frac", least=0.0),
        error_after_frac=None if after is None else _number(path, place, table, "error_after_frac", least=0.0),
    )


def _number(path: Path, where: str, table: Mapping[str, Any], name: str, *, least: float = 1 / _MOST_FACTOR) -> float:
    value = table.get(name)
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not least <= number <= _MOST_FACTOR:
        raise _wrong(path, f"{where}: {name} must be a number from {least:g} to {_MOST_FACTOR:g}")
    return number


def _count(path: Path, where: str, table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1_000_000:
        raise _wrong(path, f"{where}: {name} must be a whole number of at least 1")
    return value


def _string(path: Path, where: str, table: Mapping[str, Any], name: str, *, blank: bool = False) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not (value.strip() or blank):
        raise _wrong(path, f"{where}: {name} must be a text")
    return value


def _wrong(path: Path, what: str, cause: str | None = None) -> InputError:
    return InputError(f"{path}: {what}", cause=cause, hint="write it anew: breakeven calibrate MEASURED --store FILE")
