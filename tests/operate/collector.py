"""A receiver of traces: OTLP over HTTP, as a collector speaks it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A span as it was sent, with the service and the replica that it is of."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    replica: str
    began_ns: int
    ended_ns: int
    failed: bool


class Collector:
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[SentSpan] = []
        self._news = asyncio.Event()

    async def trace(self, trace_id: str, spans: int) -> list[SentSpan]:
        """A trace's spans in the order of their beginning, once there are so many."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := self._of(trace_id)) < spans:
                self._news.clear()
                await self._news.wait()
        return sorted(found, key=lambda span: span.began_ns)

    async def named(self, name: str) -> SentSpan:
        """The first span of this name, once it is there."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for span in self.spans:
                    if span.name == name:
                        return span
                self._news.clear()
                await self._news.wait()

    def _of(self, trace_id: str) -> list[SentSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]

    async def take(self, request: web.Request) -> web.Response:
        """Take what a service sends."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource_spans in sent.resource_spans:
            about = {
                each.key: each.value.string_value for each in resource_spans.resource.attributes
            }
            for scope in resource_spans.scope_spans:
                self.spans += [
                    SentSpan(
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.name,
                        about["service.name"],
                        about["service.instance.id"],
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        span.status.code == span.status.STATUS_CODE_ERROR,
                    )
                    for span in scope.spans
                ]
        self._news.set()
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """A receiver on a port of its own."""
    receiver = Collector()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", receiver.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        receiver.url = f"http://{host}:{port}/v1/traces"
        yield receiver
    finally:
        await runner.cleanup()
