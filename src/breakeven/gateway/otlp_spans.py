"""Spans of requests and attempts, made from the ledger's entries, by OpenTelemetry's GenAI semantic conventions.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ (read in November 2026). No prompt and no answer is in
a span, and no key or user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import randbits
from time import time_ns
from typing import Final

from msgspec.structs import replace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.span import Span, SpanContext
from opentelemetry.trace.status import Status, StatusCode

from breakeven.ledger.entry import LedgerEntry
from breakeven.pipeline.call import Call
from breakeven.policy.decision import Operation
from breakeven.policy.window import NS_PER_S

_OPERATIONS: Final[Mapping[Operation, str]] = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
_PROVIDERS: Final = {
    "google": "gcp.gemini",
    "azure": "azure.ai.openai",
    "aws": "aws.bedrock",
    "mistral": "mistral_ai",
    "x-ai": "x_ai",
}
"""Well-known values of gen_ai.provider.name that differ from our names."""

Attributes = dict[str, str | int | float | bool]


@dataclass(slots=True)
class _Open:
    """A request under way: its trace, the id that its span will have, and what has been settled of it."""

    call: Call
    parent: Context
    trace_id: int
    span_id: int
    entries: list[LedgerEntry] = field(default_factory=list)


class _Ids(IdGenerator):
    """Random, but for the ids of a request's span, which its upstream was told before the span is made."""

    def __init__(self) -> None:
        self.next_trace_id: int | None = None
        self.next_span_id: int | None = None

    def generate_trace_id(self) -> int:
        given, self.next_trace_id = self.next_trace_id, None
        return given or randbits(128) or 1

    def generate_span_id(self) -> int:
        given, self.next_span_id = self.next_span_id, None
        return given or randbits(64) or 1


class OtlpSpans:
    """See `Traces`. All calls come from one event loop; the processor sends from a thread of its own."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "breakeven"}), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("breakeven.gateway")
        self._propagator = TraceContextTextMapPropagator()
        self._open: dict[str, _Open] = {}

    def begin(self, call: Call) -> Call:
        """A request begins: its client's trace is continued, or one is begun."""
        carrier = {
            name: call.headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in call.headers
        }
        parent = self._propagator.extract(carrier)
        context = _span_context(parent)
        trace_id = context.trace_id if context.is_valid else randbits(128) or 1
        begun = _Open(call, parent, trace_id, randbits(64) or 1)
        self._open[call.request_id] = begun
        flags = int(context.trace_flags) if context.is_valid else 1
        told = f"00-{trace_id:032x}-{begun.span_id:016x}-{flags:02x}".encode("ascii")
        return replace(call, headers={**call.headers, b"traceparent": told})

    def observe(self, entry: LedgerEntry) -> None:
        """An attempt was settled."""
        begun = self._open.get(entry.request_id)
        if begun is not None:
            begun.entries.append(entry)

    def end(self, request_id: str, refusal: str | None) -> None:
        """A request has ended: its span and those of its attempts are made."""
        begun = self._open.pop(request_id, None)
        if begun is None:
            return
        self._ids.next_trace_id, self._ids.next_span_id = begun.trace_id, begun.span_id
        entries = begun.entries
        last = entries[-1] if entries else None
        span = self._tracer.start_span(
            _name(last) if last else begun.call.endpoint.operation,
            context=begun.parent,
            kind=SpanKind.SERVER,
            attributes=_request_attributes(begun.call, entries),
            start_time=begun.call.received_at_ns,
        )
        self._ids.next_trace_id = self._ids.next_span_id = None
        for entry in entries:
            if entry.served_from == "upstream":  # else nothing was sent
                self._attempt(entry, span)
        _end(span, refusal or (_error(last) if last else None), time_ns())

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def _attempt(self, entry: LedgerEntry, parent: Span) -> None:
        span = self._tracer.start_span(
            _name(entry),
            context=set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            attributes=_attempt_attributes(entry),
            start_time=entry.started_at_ns,
        )
        _end(span, _error(entry), entry.started_at_ns + int(entry.duration_s * NS_PER_S))


def otlp_spans(endpoint: str) -> OtlpSpans:
    """Spans that are sent in batches to an OTLP endpoint over HTTP."""
    return OtlpSpans(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))


def _span_context(context: Context) -> SpanContext:
    return get_current_span(context).get_span_context()


def _name(entry: LedgerEntry) -> str:
    return f"{_OPERATIONS[entry.operation]} {entry.requested_model}"


def _error(entry: LedgerEntry) -> str | None:
    """What went wrong, of few values: the upstream's status, or how the attempt ended."""
    if entry.outcome == "ok":
        return None
    return str(entry.http_status) if entry.http_status >= 400 else entry.outcome


def _end(span: Span, error: str | None, at_ns: int) -> None:
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end(at_ns)


def _request_attributes(call: Call, entries: list[LedgerEntry]) -> Attributes:
    attributes: Attributes = {
        "gen_ai.operation.name": _OPERATIONS[call.endpoint.operation],
        "breakeven.request_id": call.request_id,
        "breakeven.tenant": call.key.tenant,
        "breakeven.attempts": len(entries),
        "breakeven.cost_nano_usd": sum(entry.effective_nano_usd for entry in entries),
    }
    if not entries:
        return attributes
    return attributes | {"breakeven.served_from": entries[-1].served_from} | _model_attributes(entries[-1])


def _attempt_attributes(entry: LedgerEntry) -> Attributes:
    attributes: Attributes = {
        "gen_ai.operation.name": _OPERATIONS[entry.operation],
        "breakeven.request_id": entry.request_id,
        "breakeven.attempt": entry.attempt,
        "breakeven.deployment": entry.deployment,
        "breakeven.cost_nano_usd": entry.effective_nano_usd,
        "breakeven.usage_basis": entry.usage_basis,
        "breakeven.decision": entry.decision,
    }
    if entry.http_status:
        attributes["http.response.status_code"] = entry.http_status
    if entry.ttft_s is not None:
        attributes["breakeven.ttft_s"] = entry.ttft_s
    return attributes | _model_attributes(entry)


def _model_attributes(entry: LedgerEntry) -> Attributes:
    usage = entry.usage
    return {
        "gen_ai.provider.name": _PROVIDERS.get(entry.provider, entry.provider),
        "gen_ai.request.model": entry.requested_model,
        "gen_ai.response.model": entry.served_model,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
    }
