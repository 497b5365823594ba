"""The trace formats that are known: how their columns are named and what their numbers mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from breakeven.errors import TraceError
from breakeven.workload.overrides import TraceColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFormat:
    """One format: the names that each column may have, most telling first, and the meaning of its numbers.

    ``ticks_per_s`` is the resolution of numeric timestamps, None where it must be told from their size.
    ``starts_at_midnight`` says that numeric timestamps count from a midnight. ``zero_output_is_failure`` says that a
    request without output failed. ``prefix_block_tokens`` is the size of the blocks that ``hash_ids`` name.
    """

    name: str
    timestamp: tuple[str, ...]
    input_tokens: tuple[str, ...]
    output_tokens: tuple[str, ...]
    markers: tuple[str, ...] = ()
    ticks_per_s: int | None = None
    starts_at_midnight: bool = False
    zero_output_is_failure: bool = False
    prefix_block_tokens: int | None = None


FURTHER: Final = {
    "request_hash": ("request_hash", "content_hash", "prompt_hash", "body_hash"),
    "tenant": ("tenant", "tenant_id"),
    "model": ("gen_ai.request.model", "requested_model", "model"),
    "duration": ("duration", "latency", "elapsed_time", "e2e_latency", "total_latency", "response_time"),
}
"""Columns that a trace may have, each with its usual names. A duration needs its unit in its name, ``duration_s``."""

PREFIX_COLUMN: Final = "hash_ids"
"""The column that names a request's prefix blocks, in Mooncake's and Qwen-Bailian's traces."""

AZURE: Final = TraceFormat(
    name="Azure LLM inference",
    timestamp=("TIMESTAMP",),
    input_tokens=("ContextTokens",),
    output_tokens=("GeneratedTokens",),
)
"""Azure/AzurePublicDataset, 2023 and 2024: ISO timestamps of 6 or 7 decimals, with a zone since 2024."""

BURSTGPT: Final = TraceFormat(
    name="BurstGPT",
    timestamp=("Timestamp",),
    input_tokens=("Request tokens",),
    output_tokens=("Response tokens",),
    ticks_per_s=1,
    starts_at_midnight=True,
    zero_output_is_failure=True,
)
"""HPMLL/BurstGPT: seconds since the first day's midnight; six columns, or eight with session and elapsed time."""

QWEN_BAILIAN: Final = TraceFormat(
    name="Qwen-Bailian",
    timestamp=("timestamp",),
    input_tokens=("input_length",),
    output_tokens=("output_length",),
    markers=(PREFIX_COLUMN, "chat_id"),
    ticks_per_s=1,
    prefix_block_tokens=16,
)
"""alibaba-edu/qwen-bailian-usagetraces-anon: seconds, hashes of 16-token blocks."""

MOONCAKE: Final = TraceFormat(
    name="Mooncake",
    timestamp=("timestamp",),
    input_tokens=("input_length",),
    output_tokens=("output_length",),
    markers=(PREFIX_COLUMN,),
    ticks_per_s=1_000,
    prefix_block_tokens=512,
)
"""kvcache-ai/Mooncake: milliseconds, hashes of 512-token blocks."""

GENERIC: Final = TraceFormat(
    name="named columns",
    timestamp=(
        "timestamp", "time", "ts", "started_at", "start_time", "created_at", "created", "arrived_at", "arrival_time",
        "arrival", "request_time", "request_timestamp", "request_created_at", "startTimeUnixNano", "datetime", "date",
    ),
    input_tokens=(
        "gen_ai.usage.input_tokens", "input_tokens", "prompt_tokens", "usage.input_tokens", "usage.prompt_tokens",
        "context_tokens", "request_tokens", "num_prefill_tokens", "input_length", "prompt_length", "tokens_in",
    ),
    output_tokens=(
        "gen_ai.usage.output_tokens", "output_tokens", "completion_tokens", "usage.output_tokens",
        "usage.completion_tokens", "generated_tokens", "response_tokens", "num_decode_tokens", "output_length",
        "completion_length", "tokens_out",
    ),
)  # fmt: skip
"""Any file with a timestamp, an input and an output column under one of their usual names."""

FORMATS: Final = (AZURE, BURSTGPT, QWEN_BAILIAN, MOONCAKE, GENERIC)
"""In order of detection; the first whose columns are all there is taken."""

_TICKS_BY_SUFFIX: Final = {
    "s": 1,
    "seconds": 1,
    "ms": 1_000,
    "us": 1_000_000,
    "ns": 1_000_000_000,
    "nano": 1_000_000_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A file's format and the names that its columns have in this file.

    ``further`` are pairs of what a column means, a key of `FURTHER`, and its name.
    """

    trace_format: TraceFormat
    timestamp: str
    input_tokens: str
    output_tokens: str
    has_prefix_blocks: bool = False
    further: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, str, str]:
        """Names of the timestamp, input and output columns."""
        return self.timestamp, self.input_tokens, self.output_tokens


def layout_of(names: Sequence[str], wanted: TraceColumns | None, *, where: str) -> Layout:
    """The layout of a file with columns ``names``.

    Raises:
        TraceError: a wanted column is not there, or no known format's columns are.
    """
    stated = wanted or TraceColumns()
    _require_columns(names, stated, where)
    if stated.timestamp or stated.input_tokens or stated.output_tokens:
        layout = _wanted_layout(names, stated)
    else:
        layout = next(filter(None, (_match(trace_format, names) for trace_format in FORMATS)), None)
    if layout is None:
        raise _no_layout(names, where)
    return replace(layout, further=_further(names, stated))


def ticks_of_duration(name: str) -> int | None:
    """Parts of a second that a column of durations counts, as its name says; None where it does not say.

    >>> ticks_of_duration("duration_ms"), ticks_of_duration("Elapsed time"), ticks_of_duration("latency")
    (1000, 1, None)
    """
    return 1 if name == "Elapsed time" else _ticks_in_name(name)  # BurstGPT's, in seconds


def _further(names: Sequence[str], wanted: TraceColumns) -> tuple[tuple[str, str], ...]:
    """The columns that a trace may have and this one has."""
    by_plain_name = {_plain(name): name for name in reversed(names)}
    found = (
        (meaning, getattr(wanted, meaning) or _first(aliases, by_plain_name, with_unit=meaning == "duration"))
        for meaning, aliases in FURTHER.items()
    )
    return tuple((meaning, name) for meaning, name in found if name is not None)


def _require_columns(names: Sequence[str], wanted: TraceColumns, where: str) -> None:
    for name in (getattr(wanted, field.name) for field in fields(wanted)):
        if name is not None and name not in names:
            nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            raise TraceError(
                f"{where}: no column {name!r}",
                cause=f"the columns are {_listed(names)}",
                hint=f"did you mean {nearest[0]!r}?" if nearest else None,
            )


def _wanted_layout(names: Sequence[str], wanted: TraceColumns) -> Layout | None:
    return _match(
        replace(
            GENERIC,
            timestamp=(wanted.timestamp,) if wanted.timestamp else GENERIC.timestamp,
            input_tokens=(wanted.input_tokens,) if wanted.input_tokens else GENERIC.input_tokens,
            output_tokens=(wanted.output_tokens,) if wanted.output_tokens else GENERIC.output_tokens,
        ),
        names,
    )


def _match(trace_format: TraceFormat, names: Sequence[str]) -> Layout | None:
    by_plain_name = {_plain(name): name for name in reversed(names)}
    if not all(_plain(marker) in by_plain_name for marker in trace_format.markers):
        return None
    timestamp = _first(trace_format.timestamp, by_plain_name, with_unit=trace_format.ticks_per_s is None)
    input_tokens = _first(trace_format.input_tokens, by_plain_name)
    output_tokens = _first(trace_format.output_tokens, by_plain_name)
    if timestamp is None or input_tokens is None or output_tokens is None:
        return None
    return Layout(
        trace_format=replace(trace_format, ticks_per_s=trace_format.ticks_per_s or _ticks_in_name(timestamp)),
        timestamp=timestamp,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        has_prefix_blocks=trace_format.prefix_block_tokens is not None,
    )


def _first(aliases: Sequence[str], by_plain_name: dict[str, str], *, with_unit: bool = False) -> str | None:
    suffixes = ["", *_TICKS_BY_SUFFIX] if with_unit else [""]
    tried = (_plain(alias) + suffix for alias in aliases for suffix in suffixes)
    return next((by_plain_name[plain] for plain in tried if plain in by_plain_name), None)


def _ticks_in_name(name: str) -> int | None:
    """Resolution that a column's name states, such as ``start_time_ms`` or ``startTimeUnixNano``."""
    suffix = re.search(r"(?:_|(?<=[a-z])(?=[A-Z]))([A-Za-z]+)$", name)
    return _TICKS_BY_SUFFIX.get(suffix[1].lower()) if suffix else None


def _plain(name: str) -> str:
    """A name without case, underscores, blanks and signs: ``Request tokens`` and ``request_tokens`` are one."""
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _no_layout(names: Sequence[str], where: str) -> TraceError:
    return TraceError(
        f"{where}: no timestamp, input and output token columns found",
        cause=f"the columns are {_listed(names)}",
        hint="name them in a workload file: [workload] trace = ..., "
        'columns = { timestamp = "...", input_tokens = "...", output_tokens = "..." }',
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
