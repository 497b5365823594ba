"""Spans say what the ledger says, by the GenAI conventions, and continue the trace of the client."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gateway.serving import Served, breaks, gives, in_turn, says, serving, tables_for

pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from breakeven.gateway.otlp_spans import OtlpSpans

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def spans_of(folder: Path, ask: Any) -> Sequence[ReadableSpan]:
    exporter = InMemorySpanExporter()

    async def run() -> None:
        tables = tables_for(otlp_endpoint="http://127.0.0.1:9/v1/traces")
        with patch("breakeven.gateway.otlp_spans.otlp_spans", lambda _: OtlpSpans(SimpleSpanProcessor(exporter))):
            async with serving(folder, tables=tables) as served:
                await ask(served)

    asyncio.run(run())
    return exporter.get_finished_spans()


def test_a_request_and_its_attempts_are_spans_of_the_clients_trace(tmp_path: Path) -> None:
    told: list[bytes] = []

    async def ask(served: Served) -> None:
        fake = served.upstreams["fake"]
        fake.answering = in_turn(gives(503, b"{}"), says(input_tokens=7, output_tokens=3))
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        answered = await served.ask("POST", "/v1/chat/completions", body, key=served.key, headers=headers)
        assert answered.status == 200
        told.extend(each[b"traceparent"] for each in fake.headers)

    first, second, request = spans_of(tmp_path, ask)
    assert {format(span.context.trace_id, "032x") for span in (first, second, request)} == {TRACE}
    assert format(request.parent.span_id, "016x") == PARENT
    assert {span.parent.span_id for span in (first, second)} == {request.context.span_id}
    assert set(told) == {f"00-{TRACE}-{request.context.span_id:016x}-01".encode()}
    assert (request.kind, first.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert request.name == second.name == "chat gpt-4o-mini"
    assert (first.attributes["error.type"], first.attributes["http.response.status_code"]) == ("503", 503)
    assert "error.type" not in second.attributes
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    assert expected.items() <= second.attributes.items()
    assert expected.items() <= request.attributes.items()
    costs = [span.attributes["breakeven.cost_nano_usd"] for span in (first, second)]
    assert request.attributes["breakeven.cost_nano_usd"] == sum(costs) > 0
    assert request.start_time <= first.start_time <= first.end_time <= second.start_time <= request.end_time


def test_without_a_clients_trace_one_is_begun(tmp_path: Path) -> None:
    async def ask(served: Served) -> None:
        await served.chat()
        await served.chat()

    spans = spans_of(tmp_path, ask)
    assert len(spans) == 4
    assert len({span.context.trace_id for span in spans}) == 2
    assert len({span.context.span_id for span in spans}) == 4


def test_what_is_refused_or_fails_says_its_error(tmp_path: Path) -> None:
    async def ask(served: Served) -> None:
        await served.chat(model="gpt-unknown")
        served.upstreams["fake"].answering = breaks()
        await served.chat()

    refused, attempt, request = spans_of(tmp_path, ask)
    assert refused.attributes["error.type"] == "model_not_found"
    assert attempt.attributes["error.type"] == request.attributes["error.type"] == "failed"
    assert attempt.attributes["breakeven.usage_basis"] == "estimated"


def test_no_prompt_no_answer_no_key_and_no_user_is_in_a_span(tmp_path: Path) -> None:
    async def ask(served: Served) -> None:
        served.upstreams["fake"].answering = says("canary-answer")
        await served.chat("canary-prompt", user="canary-user")
        ask.secret = served.key  # type: ignore[attr-defined]

    text = "".join(span.to_json() for span in spans_of(tmp_path, ask))
    assert "canary" not in text
    assert "alice" not in text
    assert ask.secret not in text  # type: ignore[attr-defined]


def test_a_trace_that_is_not_sampled_stays_so(tmp_path: Path) -> None:
    async def ask(served: Served) -> None:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
        await served.ask("POST", "/v1/chat/completions", body, key=served.key, headers=headers)
        assert served.upstreams["fake"].headers[0][b"traceparent"].endswith(b"-00")

    assert spans_of(tmp_path, ask) == ()


def test_opentelemetry_is_not_loaded_unless_it_is_configured() -> None:
    code = "import sys, breakeven.gateway.gateway; print(any(name.startswith('opentelemetry') for name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
