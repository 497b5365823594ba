"""Measurements of the user's own: which file a path is, and the points in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from breakeven.errors import InputError
from breakeven.serving import benchmark_reports, llama_bench
from breakeven.serving.benchmark_reports import StatedDeployment
from breakeven.serving.edge_points import REQUIRED as EDGE_COLUMNS
from breakeven.serving.edge_points import EdgePoint, read_edge_points
from breakeven.serving.observed_load import Observed
from breakeven.serving.points import Point, read_points

TOOLS: Final = "GuideLLM, vllm bench serve, SGLang bench_serving, AIPerf, genai-perf, llama-bench"
_MOST_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """What a file says: points of servers, points of devices, and the tool that wrote it.

    ``observed`` is what the points were made of, where they are not a tool's own figures.
    """

    tool: str
    servers: tuple[Point, ...] = ()
    devices: tuple[EdgePoint, ...] = ()
    observed: Observed | None = None


def read_measurements(path: Path, stated: StatedDeployment) -> Measurements:
    """The measured points of a CSV table or of a benchmark tool's JSON; ``stated`` says what the file leaves open.

    Raises:
        InputError: the file cannot be read, is of no known tool, or leaves something open that nobody stated.
    """
    if path.suffix.casefold() == ".csv":
        return _read_table(path, stated)
    return _read_reports(path, _documents(path), stated)


def points_from_columns(
    columns: Mapping[str, Sequence[float]], deployment: StatedDeployment, *, origin: str
) -> list[Point]:
    """Points of one deployment from plain columns: for a ledger, or any store of finished requests.

    Args:
        columns: ``input_tokens``, ``output_tokens``, ``concurrency``, ``ttft_ms``, ``tpot_ms``, of equal lengths.
        deployment: what was measured; the GPU and the model must be stated.
        origin: what to name in messages.
    """
    rows = zip(*(columns[name] for name in benchmark_reports.COLUMNS), strict=True)
    loads = [
        benchmark_reports.Load(**dict(zip(benchmark_reports.COLUMNS, map(float, row), strict=True))) for row in rows
    ]
    return benchmark_reports.points(loads, deployment, origin=origin)


def _read_table(path: Path, stated: StatedDeployment) -> Measurements:
    header = _header(path)
    if "device" in header:
        return Measurements(tool="table", devices=tuple(read_edge_points(path)))
    if "avg_ts" in header:
        raise InputError(f"{path} is a table of llama-bench", hint="llama-bench -o json > FILE.json")
    points = read_points(path)
    if any((stated.model, stated.gpu, stated.gpus, stated.tensor_parallel, stated.precision)):
        raise InputError(
            f"{path} is a table, whose columns say what was measured",
            cause="--model, --gpu, --gpus, --tp and --precision stand in for what a report leaves out",
            hint=f"leave them out: breakeven calibrate {path}",
        )
    engine = stated.engine or ""
    return Measurements(tool="table", servers=tuple(replace(each, engine=each.engine or engine) for each in points))


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            return [name.strip().strip('"') for name in file.readline(65_536).split(",")]
    except OSError as error:
        raise InputError(f"cannot read {path}", cause=error.strerror, hint="check the path") from error


def _read_reports(path: Path, documents: Sequence[Mapping[str, Any]], stated: StatedDeployment) -> Measurements:
    if all(llama_bench.is_result(document) for document in documents):
        return Measurements(tool="llama-bench", devices=tuple(llama_bench.points(path, documents, stated)))
    servers: list[Point] = []
    tools: list[str] = []
    for document in documents:
        found = benchmark_reports.read_report(path, document, stated)
        if found is None:
            raise InputError(
                f"{path} is a report of no known tool",
                cause=f"known are {TOOLS}; the keys are: {', '.join(map(str, document))}"[:300],
                hint=f"give a CSV with the columns gpu, n_gpus, ... or {', '.join(EDGE_COLUMNS)}",
            )
        tools.append(found.tool)
        servers += [replace(point, line=len(servers) + index) for index, point in enumerate(found.points, start=1)]
    return Measurements(tool=", ".join(dict.fromkeys(tools)), servers=tuple(servers))


def _documents(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a JSON document, of a list, or of JSON lines.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path} is larger than {_MOST_BYTES:,} bytes", hint="save it without single requests")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}", cause=error.strerror, hint="check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", cause=str(error), hint=f"known are {TOOLS}") from error
    found = _parsed(path, text)
    documents = found if isinstance(found, list) else [found]
    if not documents or not all(isinstance(each, dict) for each in documents):
        raise InputError(f"{path} holds no results", cause="no JSON object in it", hint=f"known are {TOOLS}")
    return documents


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as failed:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            raise InputError(f"{path} is not JSON", cause=str(failed)[:200], hint=f"known are {TOOLS}") from failed
