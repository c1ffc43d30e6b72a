"""Spans recorded with OpenTelemetry, and sent over OTLP; imported only where that is asked for."""

import time
from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from harmonic_runtime.observability.tracing import RequestSpan, Tracer
from harmonic_runtime.process.settings import ServiceSettings

#: How long spans are collected before they are sent together, and what one sending may take.
SEND_INTERVAL_MS, SEND_TIMEOUT_S = 1000, 5
#: Spans that may wait; beyond, new ones are dropped.
MAX_WAITING_SPANS = 8192
_NS_PER_S = 10**9


class _Recorded:
    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        ids = f"{context.trace_id:032x}-{context.span_id:016x}"
        self.traceparent = f"00-{ids}-{int(context.trace_flags):02x}"

    def end(self, failure: str | None = None) -> None:
        if failure is not None:
            self._span.set_status(Status(StatusCode.ERROR, failure))
        self._span.end()


class _Recorder:
    records = True

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(
        self, name: str, traceparent: str = "", *, arrived_s: float | None = None
    ) -> RequestSpan:
        context = None
        if traceparent:
            _, trace_id, span_id, flags = traceparent.split("-")
            parent = SpanContext(
                int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=_flags(flags)
            )
            context = trace.set_span_in_context(NonRecordingSpan(parent))
        began_ns = time.time_ns()
        if arrived_s is not None:
            began_ns -= int((time.monotonic() - arrived_s) * _NS_PER_S)
        return _Recorded(
            self._tracer.start_span(
                name, context=context, kind=trace.SpanKind.SERVER, start_time=began_ns
            )
        )


def _flags(flags: str) -> TraceFlags:
    return TraceFlags(int(flags, 16))


def tracing(settings: ServiceSettings, service: str) -> tuple[Tracer, Callable[[], None]]:
    """A tracer, and what sends its last spans at the end.

    Its spans are sent to ``traces_url``, a share of the traces that begin here.

    Traces that a client or another service began are recorded as these decided.
    """
    resource = Resource(
        {
            "service.namespace": "harmonic",
            "service.name": f"harmonic-{service}",
            "service.instance.id": settings.replica_id,
        }
    )
    provider = TracerProvider(
        resource=resource,
        sampler=ParentBased(TraceIdRatioBased(settings.traces_share)),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=settings.traces_url, timeout=SEND_TIMEOUT_S)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            MAX_WAITING_SPANS,
            SEND_INTERVAL_MS,
            export_timeout_millis=SEND_TIMEOUT_S * 1000,
        )
    )
    return _Recorder(provider.get_tracer("harmonic")), provider.shutdown
