"""The workload file: TOML with [workload], [requirements] and [costs], read strictly."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from breakeven.catalog.evidence import Assumption
from breakeven.errors import WorkloadError
from breakeven.workload.overrides import TraceColumns, WorkloadOverrides
from breakeven.workload.quantiles import SAMPLING_RULE, constant_tokens, joined, sampled_tokens
from breakeven.workload.settings import MAX_REQUESTS_PER_DAY, MAX_TOKENS, SETTINGS, Settled, checked, settle
from breakeven.workload.shapes import DailyShape, assumed_shape, daily_shape
from breakeven.workload.stated_values import whole
from breakeven.workload.workload import Workload

Tables = Mapping[str, Mapping[str, object]]
"""A workload file: its tables, each with its keys as stated."""

MAX_FILE_BYTES: Final = 1 << 20
"""A workload file is written by hand; a larger one is something else, most likely a trace."""

_WORKLOAD_KEYS: Final = (
    "name",
    "requests_per_day",
    "input_tokens",
    "output_tokens",
    "hourly_shape",
    "trace",
    "columns",
)
_COLUMN_KEYS: Final = tuple(field.name for field in fields(TraceColumns))


def read_tables(path: Path) -> Tables:
    """The tables of a workload file, each key known.

    Raises:
        WorkloadError: the file is missing, too large, not UTF-8, not TOML, or has a key that means nothing.
    """
    tables: dict[str, Any] = _parsed(path)
    known: dict[str, list[str]] = {"workload": list(_WORKLOAD_KEYS), "requirements": [], "costs": []}
    for setting in SETTINGS:
        known[setting.table].append(setting.key)
    _refuse_unknown(tables, known, where=str(path), kind="table")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise WorkloadError(f"{path}: {name} must be a table", hint=f"write [{name}] and its keys below it")
        _refuse_unknown(table, known[name], where=f"{path}: [{name}]", kind="key")
    if "workload" not in tables:
        raise WorkloadError(f"{path}: no [workload] table", hint="see examples/chat.toml for a workload file")
    return tables


def workload_from_tables(path: Path, tables: Tables, overrides: WorkloadOverrides) -> Workload:
    """The workload that a file without a trace states.

    Raises:
        WorkloadError: a value is missing, of the wrong type, out of range, or contradicts another.
    """
    stated = tables["workload"]
    settled = settle(tables, overrides, where=str(path))
    requests_per_day, requests_assumption = _requests_per_day(path, stated, overrides)
    input_sample = _token_sample(path, stated, "input_tokens")
    output_sample = _token_sample(path, stated, "output_tokens")
    input_tokens, output_tokens = joined(input_sample, output_sample)
    shape = _shape(path, stated, overrides)
    return Workload(
        name=workload_name(path, tables),
        requests_per_day=requests_per_day,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        hourly_shape=shape.hourly_shape,
        burst_frac=settled["burst_frac"],
        growth_per_month_frac=settled["growth_per_month_frac"],
        duplicate_requests_frac=settled["duplicate_requests_frac"],
        shared_prefix_tokens=settled["shared_prefix_tokens"],
        prefix_reuse_frac=shared_prefix_frac(input_tokens, settled, where=str(path)),
        requirements=settled.requirements(),
        costs=settled.costs(),
        assumptions=(
            requests_assumption,
            *_token_assumptions(input_tokens, output_tokens),
            shape_assumption(shape),
            *settled.assumptions,
        ),
    )


def workload_name(path: Path, tables: Tables) -> str:
    """The name that the file states, else the file's own."""
    name = tables["workload"].get("name", path.stem)
    if not isinstance(name, str) or not name.strip():
        raise WorkloadError(f"{path}: [workload] name must be a text", cause=f"got {name!s:.80}")
    return name


def stated_columns(path: Path, tables: Tables) -> Mapping[str, str]:
    """The columns that ``[workload.columns]`` names for a generic trace."""
    columns = tables["workload"].get("columns", {})
    if not isinstance(columns, dict) or not all(isinstance(name, str) for name in columns.values()):
        raise WorkloadError(
            f"{path}: [workload] columns must be a table of names", hint='columns = { timestamp = "created_at" }'
        )
    _refuse_unknown(columns, _COLUMN_KEYS, where=f"{path}: [workload.columns]", kind="key")
    return columns


def shape_assumption(shape: DailyShape) -> Assumption:
    """The daily shape as an assumption, with its peak."""
    value = f"{shape.name}, peak/mean {shape.peak_to_mean_frac:.2f}"
    return Assumption(name="hourly_shape", value=value, unit="", basis=shape.basis, source=shape.source)


def shared_prefix_frac(input_tokens: NDArray[np.int64], settled: Settled, *, where: str) -> float:
    """Share of all input tokens that lie in the stated shared prefix.

    Raises:
        WorkloadError: more than half of the requests are shorter than the prefix that they are said to share.
    """
    prefix_tokens = settled["shared_prefix_tokens"]
    median = float(np.median(input_tokens))
    if prefix_tokens > median:
        raise WorkloadError(
            f"{where}: shared_prefix_tokens is longer than the median input",
            cause=f"{prefix_tokens:,} shared tokens, median input {median:,.0f} tokens",
            hint="input_tokens counts the prefix too: raise it, or lower shared_prefix_tokens",
        )
    return float(np.minimum(input_tokens, prefix_tokens).sum() / input_tokens.sum()) if prefix_tokens else 0.0


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as failed:
        raise WorkloadError(f"{path}: cannot be read", cause=failed.strerror, hint="check the path") from None
    if len(raw) > MAX_FILE_BYTES:
        raise WorkloadError(
            f"{path}: a workload file of more than 1 MiB", hint="give a trace its own ending, such as .csv or .jsonl"
        )
    try:
        return tomllib.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as failed:
        raise WorkloadError(
            f"{path}: not UTF-8 text", cause=f"byte {failed.start:,} is {failed.reason}", hint="save it as UTF-8"
        ) from None
    except (tomllib.TOMLDecodeError, ValueError, ArithmeticError, RecursionError) as failed:
        raise WorkloadError(
            f"{path}: not valid TOML", cause=f"{failed!s:.200}", hint="see examples/chat.toml"
        ) from None


def _refuse_unknown(stated: Iterable[str], known: Iterable[str], *, where: str, kind: str) -> None:
    names = list(known)
    for key in stated:
        if key not in names:
            nearest = difflib.get_close_matches(key, names, n=1, cutoff=0.0)[0]
            raise WorkloadError(
                f"{where}: unknown {kind} {key:.80}",
                cause=f"the {kind}s are {', '.join(sorted(names))}",
                hint=f"did you mean {nearest}?",
            )


def _requests_per_day(path: Path, stated: Mapping[str, object], overrides: WorkloadOverrides) -> tuple[int, Assumption]:
    overridden = overrides.requests_per_day is not None
    if not overridden and "requests_per_day" not in stated:
        raise WorkloadError(f"{path}: [workload] has no requests_per_day", hint="write requests_per_day = 10_000")
    where = "override requests_per_day" if overridden else f"{path}: [workload] requests_per_day"
    value = overrides.requests_per_day if overridden else stated["requests_per_day"]
    requests = checked(whole(1, MAX_REQUESTS_PER_DAY), value, where=where)
    source = "override" if overridden else "workload file"
    return requests, Assumption(
        name="requests_per_day", value=requests, unit="requests/day", basis="quoted", source=source
    )


def _shape(path: Path, stated: Mapping[str, object], overrides: WorkloadOverrides) -> DailyShape:
    if overrides.hourly_shape is not None:
        return daily_shape(overrides.hourly_shape, where="override")
    if "hourly_shape" in stated:
        return daily_shape(stated["hourly_shape"], where=str(path))
    return assumed_shape(because="the file states none")


def _token_assumptions(input_tokens: NDArray[np.int64], output_tokens: NDArray[np.int64]) -> tuple[Assumption, ...]:
    return tuple(
        Assumption(
            name=name, value=round(float(tokens.mean()), 1), unit="tokens", basis="modelled", source=SAMPLING_RULE
        )
        if tokens.min() < tokens.max()
        else Assumption(name=name, value=int(tokens[0]), unit="tokens", basis="quoted", source="workload file")
        for name, tokens in (("mean_input_tokens", input_tokens), ("mean_output_tokens", output_tokens))
    )


def _token_sample(path: Path, stated: Mapping[str, object], key: str) -> NDArray[np.int64]:
    where = f"{path}: [workload] {key}"
    if key not in stated:
        raise WorkloadError(
            f"{path}: [workload] has no {key}", hint=f"write {key} = {{ p50 = 800, p90 = 2_000 }}, or one number"
        )
    value = stated[key]
    tokens = whole(1, MAX_TOKENS)
    if not isinstance(value, dict):
        return constant_tokens(checked(tokens, value, where=where))
    if list(value) == ["mean"]:
        return constant_tokens(checked(tokens, value["mean"], where=f"{where} mean"))
    quantiles = {
        _percentile(name, where): checked(tokens, count, where=f"{where} {name}") for name, count in value.items()
    }
    _check_order(quantiles, where)
    return sampled_tokens(quantiles)


def _percentile(name: str, where: str) -> int:
    digits = name.removeprefix("p")
    if name.startswith("p") and digits.isascii() and digits.isdigit() and len(digits) <= 2 and int(digits) >= 1:
        return int(digits)
    raise WorkloadError(
        f"{where}: unknown quantile {name:.80}",
        cause="quantiles are p1 to p99; mean stands alone",
        hint="write { p50 = 800, p90 = 2_000, p99 = 4_000 }",
    )


def _check_order(quantiles: Mapping[int, int], where: str) -> None:
    if len(quantiles) < 2:
        raise WorkloadError(
            f"{where} must have two quantiles or more",
            cause="one quantile says nothing about the spread",
            hint="add p90, or write one number if all requests are alike",
        )
    ordered = sorted(quantiles.items())
    for (low, fewer), (high, more) in pairwise(ordered):
        if more < fewer:
            raise WorkloadError(f"{where}: p{high} is below p{low}", cause=f"p{low} = {fewer:,}, p{high} = {more:,}")
