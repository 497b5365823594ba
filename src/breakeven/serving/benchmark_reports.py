"""Reports of serving benchmarks as points: GuideLLM, ``vllm bench serve``, SGLang, AIPerf and genai-perf.

Field names follow the tools' own output, read in November 2026: guidellm 0.3 to 0.6 (``benchmarks[].metrics``), vLLM's
and SGLang's ``bench_serving`` (``median_tpot_ms``), ``profile_export_aiperf.json`` and genai-perf's export
(``time_to_first_token``). All say their milliseconds per token without the first one under another name; GuideLLM's
``time_per_output_token_ms`` counts the first and is not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from breakeven.errors import InputError
from breakeven.serving.points import Point

Document = Mapping[str, Any]
COLUMNS: Final = ("input_tokens", "output_tokens", "concurrency", "ttft_ms", "tpot_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDeployment:
    """What the user says about the measured deployment; None leaves it to the report, or to the common case."""

    model: str | None = None
    gpu: str | None = None
    gpus: int | None = None
    tensor_parallel: int | None = None
    data_parallel: int = 1
    precision: str | None = None
    engine: str | None = None
    bandwidth_bytes_per_s: float | None = None
    quant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One run: mean lengths, requests in flight, and what was measured, 0 or NaN where it was not.

    ``concurrency`` is NaN where it follows by Little's law: ``requests_per_s`` x time in the system.
    """

    input_tokens: float
    output_tokens: float
    concurrency: float
    ttft_ms: float
    tpot_ms: float
    requests_per_s: float = math.nan

    def in_flight(self) -> float:
        """Requests in the system: stated, or by Little's law."""
        if math.isfinite(self.concurrency) and self.concurrency >= 1:
            return self.concurrency
        spent_s = (self.ttft_ms + self.tpot_ms * max(self.output_tokens - 1, 0)) / 1e3
        found = self.requests_per_s * spent_s
        return max(found, 1.0) if math.isfinite(found) else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one report holds."""

    tool: str
    points: tuple[Point, ...]


def read_report(path: object, document: Document, stated: StatedDeployment) -> Report | None:
    """The points of one report, or None where no known tool wrote it.

    Raises:
        InputError: something needed is neither in the report nor stated.
    """
    if isinstance(document.get("benchmarks"), list):
        tool, loads, said = "GuideLLM", _guidellm_loads(document), _guidellm_model(document)
    elif "median_tpot_ms" in document or "mean_tpot_ms" in document:
        tool, loads, said = "bench serve", [_bench_serve_load(document)], _text(document, "model_id", "tokenizer_id")
    elif isinstance(document.get("time_to_first_token"), dict):
        tool, loads, said = "AIPerf", [_aiperf_load(document)], _aiperf_model(document)
    else:
        return None
    engine = stated.engine or _engine(document)
    named = replace(stated, model=stated.model or said, engine=engine)
    return Report(tool=tool, points=tuple(points(loads, named, origin=str(path))))


def points(loads: Sequence[Load], deployment: StatedDeployment, *, origin: str) -> list[Point]:
    """The runs of one deployment as points; runs that lack lengths or load are left out.

    Raises:
        InputError: the model or the GPU is unknown, or no run can be used.
    """
    model = _needed(deployment.model, origin, "which model was measured", "--model NAME")
    gpu = _needed(deployment.gpu, origin, "on which GPU it ran", "--gpu NAME")
    tensor_parallel = deployment.tensor_parallel or deployment.gpus or 1
    found = [
        Point(
            line=index,
            gpu=gpu,
            gpus=deployment.gpus or tensor_parallel * deployment.data_parallel,
            tensor_parallel=tensor_parallel,
            data_parallel=deployment.data_parallel,
            model=model,
            precision=deployment.precision or "",
            engine=deployment.engine or "",
            input_tokens=load.input_tokens,
            output_tokens=load.output_tokens,
            concurrency=load.in_flight(),
            measured=_measured(load),
        )
        for index, load in enumerate(loads, start=1)
        if load.input_tokens >= 1 and load.output_tokens >= 1 and load.in_flight() >= 1 and load.tpot_ms > 0
    ]
    if not found:
        raise InputError(
            f"{origin} has no run with lengths, load and time per token",
            cause="these come from streamed answers of more than one token",
            hint="measure with streaming on, at a fixed concurrency",
        )
    return found


def _measured(load: Load) -> dict[str, float]:
    stated = {"ttft_ms": load.ttft_ms, "tpot_ms": load.tpot_ms}
    return {name: value for name, value in stated.items() if math.isfinite(value) and value > 0}


def _needed(value: str | None, origin: str, what: str, option: str) -> str:
    if value is None:
        raise InputError(f"{origin} does not say {what}", hint=f"breakeven calibrate {origin} {option}")
    return value


def _bench_serve_load(document: Document) -> Load:
    """One run of vLLM's or SGLang's serving benchmark. Burst runs say nothing about the steady TTFT."""
    completed = _number(document, "completed") or math.nan
    stated = _number(document, "max_concurrency")
    paced = math.isfinite(_number(document, "request_rate"))
    burst = not paced and not math.isfinite(stated)
    load = Load(
        input_tokens=_number(document, "total_input_tokens") / completed,
        output_tokens=_number(document, "total_output_tokens") / completed,
        concurrency=math.nan if paced else stated,
        ttft_ms=_number(document, "mean_ttft_ms", "median_ttft_ms"),
        tpot_ms=_number(document, "median_tpot_ms", "mean_tpot_ms"),
        requests_per_s=_number(document, "request_throughput"),
    )
    ttft = math.nan if burst else _number(document, "median_ttft_ms", "mean_ttft_ms")
    return replace(load, concurrency=load.in_flight(), ttft_ms=ttft)


def _guidellm_loads(document: Document) -> list[Load]:
    runs = [run for run in document["benchmarks"] if isinstance(run, dict)]
    return [_guidellm_load(run) for run in runs]


def _guidellm_load(run: Document) -> Load:
    metrics = _table(run, "metrics")
    strategy = _table(_table(run, "config"), "strategy") or _table(_table(run, "args"), "strategy")
    kind = _text(strategy, "type_") or ""
    stated = 1.0 if kind == "synchronous" else _number(strategy, "streams")
    in_flight = _statistic(metrics, "request_concurrency", "mean")
    return Load(
        input_tokens=_statistic(metrics, "prompt_token_count", "mean"),
        output_tokens=_statistic(metrics, "output_token_count", "mean"),
        concurrency=stated if math.isfinite(stated) else in_flight,
        ttft_ms=math.nan if kind == "throughput" else _statistic(metrics, "time_to_first_token_ms", "median", "mean"),
        tpot_ms=_statistic(metrics, "inter_token_latency_ms", "median", "mean"),
        requests_per_s=_statistic(metrics, "requests_per_second", "mean"),
    )


def _guidellm_model(document: Document) -> str | None:
    """Where the versions of GuideLLM keep the model's name."""
    arguments = _table(document, "args")
    places = [arguments, _table(arguments, "backend_kwargs"), _table(arguments, "backend")]
    for run in document["benchmarks"]:
        if isinstance(run, dict):
            places += [_table(_table(run, "config"), "backend"), _table(run, "worker")]
    return next((name for place in places if (name := _text(place, "model", "backend_model"))), None)


def _aiperf_load(document: Document) -> Load:
    """One run of AIPerf or genai-perf; its ``inter_token_latency`` is (latency - TTFT) / (tokens - 1)."""
    settings = _table(document, "input_config")
    concurrency = _number(_table(settings, "loadgen"), "concurrency")
    if not math.isfinite(concurrency):
        concurrency = _number(_table(_table(settings, "perf_analyzer"), "stimulus"), "concurrency")
    if not math.isfinite(concurrency):
        concurrency = _number(settings, "concurrency")
    return Load(
        input_tokens=_statistic(document, "input_sequence_length", "avg"),
        output_tokens=_statistic(document, "output_sequence_length", "avg"),
        concurrency=concurrency,
        ttft_ms=_milliseconds(document, "time_to_first_token"),
        tpot_ms=_milliseconds(document, "inter_token_latency"),
        requests_per_s=_statistic(document, "request_throughput", "avg"),
    )


def _milliseconds(document: Document, name: str) -> float:
    """The median of a metric in milliseconds, whatever unit the report states."""
    scale = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "sec": 1e3, "s": 1e3}
    unit = _text(_table(document, name), "unit") or "ms"
    return _statistic(document, name, "p50", "avg") * scale.get(unit, math.nan)


def _aiperf_model(document: Document) -> str | None:
    settings = _table(document, "input_config")
    endpoint, models = _table(settings, "endpoint"), _table(settings, "models")
    for listed in (endpoint.get("model_names"), settings.get("model_names"), models.get("items")):
        if isinstance(listed, list) and listed:
            first = listed[0]
            return _text(first, "name") if isinstance(first, dict) else str(first)
    return _text(settings, "model", "formatted_model_name")


def _engine(document: Document) -> str:
    """The engine's name where a report says it; the API dialect (``openai``) says nothing."""
    said = _text(document, "backend", "endpoint_type") or ""
    return said if re.match(r"vllm|sglang|trt|tensorrt|lmdeploy", said.casefold()) else ""


def _statistic(metrics: Document, name: str, *statistics: str) -> float:
    """A statistic of the successful requests, or of all where the tool does not part them."""
    table = _table(metrics, name)
    return _number(_table(table, "successful") or table, *statistics)


def _table(document: Document, name: str | None = None) -> Document:
    found = document if name is None else document.get(name)
    return found if isinstance(found, dict) else {}


def _text(document: Document, *names: str) -> str | None:
    return next((found for name in names if isinstance(found := document.get(name), str) and found.strip()), None)


def _number(document: Document, *names: str) -> float:
    """The first of the fields that holds a finite number, else NaN; genai-perf writes numbers as text."""
    for name in names:
        found = document.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float | str):
            continue
        try:
            value = float(found)
        except (ValueError, OverflowError):
            continue
        if math.isfinite(value):
            return value
    return math.nan
