"""Points of a throughput table: rows of a CSV file that name a deployment and a load, read with the line in errors."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from breakeven.errors import InputError

REQUIRED: Final = ("gpu", "n_gpus", "tp", "model", "precision", "engine", "isl", "osl")
"""Columns that a points file must have; ``concurrency`` and ``notes`` are optional, others are ignored."""

UNSTATED: Final = frozenset({"", "nan", "none", "null"})
"""What tables write in a cell that has no value."""
MEASURED: Final = ("output_tokens_per_s_total", "ttft_ms", "tpot_ms")
"""Columns with results; only fitting and error measurement look at them."""

Cells = Mapping[str, str | None]
_LONGEST_LINE: Final = 65_536
_MOST_ROWS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row. ``concurrency`` is None where all requests are there at once; ``precision`` is empty where unstated.

    GPUs beyond ``tensor_parallel`` x ``data_parallel`` are pipeline stages. Where there are fewer, the attention
    replicas lie inside the tensor-parallel group, as SGLang counts them.
    """

    line: int
    gpu: str
    gpus: int
    tensor_parallel: int
    data_parallel: int
    model: str
    precision: str
    engine: str
    input_tokens: float
    output_tokens: float
    concurrency: float | None
    measured: Mapping[str, float]

    @property
    def replica_tensor_parallel(self) -> int:
        """GPUs of one attention replica."""
        inside = self.tensor_parallel * self.data_parallel > self.gpus
        return max(self.gpus // self.data_parallel, 1) if inside else self.tensor_parallel

    @property
    def pipeline_stages(self) -> int:
        """Stages the layers are spread over; 0 where the GPU count does not divide."""
        group = self.replica_tensor_parallel * self.data_parallel
        return self.gpus // group if self.gpus % group == 0 else 0


def read_points(path: Path) -> list[Point]:
    """The rows of a points file, in order.

    Raises:
        InputError: the file cannot be read, lacks a column or has a malformed row; the message names the line.
    """
    return [_point(path, line, row) for line, row in read_rows(path, REQUIRED)]


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Cells]]:
    """Line number and cells of each row of a CSV file that has the needed columns.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row has more or fewer cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _whole_rows(path, csv.DictReader(_bounded(path, file), strict=True), needed)
    except OSError as error:
        raise InputError(f"cannot read {path}", cause=error.strerror, hint="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", cause=str(error), hint="save the file as UTF-8 CSV") from error
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV file", cause=str(error), hint=_columns_hint(needed)) from error


def number(path: Path, line: int, row: Cells, column: str, *, least: float = 1.0) -> float:
    """A finite number of at least ``least`` from a cell.

    Raises:
        InputError: names the line and what was read.
    """
    text = (row.get(column) or "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < least or value > 1e12:
        raise InputError(
            f"{path}, line {line}: {column} must be a number of at least {least:g}, not {text[:40]!r}",
            hint=f"correct line {line}",
        )
    return value


def required_text(path: Path, line: int, row: Cells, column: str) -> str:
    """A cell that must not be blank.

    Raises:
        InputError: names the line and the column.
    """
    text = (row[column] or "").strip()
    if not text:
        raise InputError(f"{path}, line {line}: {column} is blank", hint=f"correct line {line}")
    return text


def measured_number(text: str | None) -> float:
    """A positive result, or 0 where there is none."""
    try:
        value = float(text or "nan")
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _bounded(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a file; no more of a line is read than a line may have."""
    for position, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), ""), start=1):
        if len(line) > _LONGEST_LINE or position > _MOST_ROWS:
            raise InputError(
                f"{path}, line {position}: too long for a points file",
                cause=f"at most {_LONGEST_LINE} characters a line and {_MOST_ROWS} lines are read",
                hint="split the file",
            )
        yield line


def _whole_rows(path: Path, reader: csv.DictReader[str], needed: Sequence[str]) -> Iterator[tuple[int, Cells]]:
    header = reader.fieldnames or ()
    missing = [name for name in needed if name not in header]
    if missing:
        raise InputError(
            f"{path}, line 1: missing column {', '.join(missing)}",
            cause=f"the header is: {', '.join(header) or 'empty'}"[:300],
            hint=_columns_hint(needed),
        )
    for row in reader:
        if None in row.values() or None in row:
            text = f"{path}, line {reader.line_num}: more or fewer cells than the header"
            raise InputError(text, hint=f"correct line {reader.line_num}")
        yield reader.line_num, row


def _point(path: Path, line: int, row: Cells) -> Point:
    precision, concurrency = _stated(row["precision"]), _stated(row.get("concurrency"))
    return Point(
        line=line,
        gpu=required_text(path, line, row, "gpu"),
        gpus=_count(path, line, row, "n_gpus"),
        tensor_parallel=_count(path, line, row, "tp"),
        data_parallel=_data_parallel(row.get("notes") or ""),
        model=required_text(path, line, row, "model"),
        precision=precision,
        engine=(row["engine"] or "").strip(),
        input_tokens=number(path, line, row, "isl"),
        output_tokens=number(path, line, row, "osl"),
        concurrency=number(path, line, row, "concurrency") if concurrency else None,
        measured={name: value for name in MEASURED if (value := measured_number(row.get(name)))},
    )


def _stated(cell: str | None) -> str:
    text = (cell or "").strip()
    return "" if text.casefold() in UNSTATED else text


def _count(path: Path, line: int, row: Cells, column: str) -> int:
    value = number(path, line, row, column)
    if value != int(value) or value > 4_096:
        raise InputError(
            f"{path}, line {line}: {column} must be a whole number up to 4096", hint=f"correct line {line}"
        )
    return int(value)


def _data_parallel(notes: str) -> int:
    found = re.search(r"(?:^|[;\s])dp=(\d+)", notes)
    return max(int(found.group(1)), 1) if found else 1


def _columns_hint(needed: Sequence[str]) -> str:
    return f"needed columns: {', '.join(needed)}"
