"""Traces: each request is known by one id in all services, and may be recorded as spans.

The context is that of https://www.w3.org/TR/trace-context/, in its ``traceparent`` form. Every
request has one, since logs name it; spans are recorded only where ``HARMONIC_TRACES_URL`` is set,
and OpenTelemetry is imported only then.
"""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from harmonic_runtime.process.entropy import new_trace
from harmonic_runtime.process.failures import CannotStart
from harmonic_runtime.process.settings import ServiceSettings


class RequestSpan(Protocol):
    """A part of a request's way, from its beginning to its end."""

    @property
    def traceparent(self) -> str:
        """The context for whoever goes on with the request."""

    def end(self, failure: str | None = None) -> None:
        """The part is over; ``failure`` says in a word what failed."""


class Tracer(Protocol):
    """Begins spans."""

    @property
    def records(self) -> bool:
        """Whether spans are recorded."""

    def begin(
        self, name: str, traceparent: str = "", *, arrived_s: float | None = None
    ) -> RequestSpan:
        """Begin a span that continues a context, or a new trace.

        It began at ``arrived_s`` of the monotonic clock, if that is given.
        """


class _Unrecorded:
    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def end(self, failure: str | None = None) -> None:
        """Nothing was recorded."""


class NoTracer:
    """Gives requests their contexts, and records nothing."""

    records = False

    def begin(
        self,
        name: str,  # noqa: ARG002 -- nothing is recorded
        traceparent: str = "",
        *,
        arrived_s: float | None = None,  # noqa: ARG002
    ) -> RequestSpan:
        """The context that is given, or a new one that is not sampled."""
        return _Unrecorded(traceparent or new_trace())


def trace_id_of(traceparent: str) -> str:
    """The id that all spans of a trace share; empty where there is no context."""
    return traceparent[3:35]


def is_traceparent(text: str) -> bool:
    """Whether a text of anybody is a context."""
    return _TRACEPARENT.fullmatch(text) is not None


_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@asynccontextmanager
async def open_tracer(settings: ServiceSettings, service: str) -> AsyncIterator[Tracer]:
    """The tracer of a process; spans that wait are sent at the end.

    Raise :class:`CannotStart` where spans are to be recorded and OpenTelemetry is not installed.
    """
    if settings.traces_url is None:
        yield NoTracer()
        return
    try:
        otlp = importlib.import_module("harmonic_runtime.observability.otlp")
    except ImportError as error:
        raise CannotStart(
            f"HARMONIC_TRACES_URL is set, and {error.name} is not installed:"
            f" install harmonic-{service}[tracing]."
        ) from error
    tracer, shut_down = otlp.tracing(settings, service)
    try:
        yield tracer
    finally:
        # It waits for the collector, in a thread of its own.
        await asyncio.to_thread(shut_down)
