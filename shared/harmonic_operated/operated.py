"""A replica as operators see it: listed, described when asked, and controlled.

A replica does not answer requests that it does not know, or that name another instance.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from importlib import metadata
from typing import Any, TypeVar

from pydantic import ValidationError

from harmonic_protocol import subjects
from harmonic_protocol.operating import (
    INSTANCE,
    OPERATOR_REQUESTS,
    Describe,
    Description,
    OperatorRequest,
    ReplicaEntry,
)
from harmonic_protocol.schema import ServiceModel
from harmonic_runtime.bus.client import Bus, BusUnavailable
from harmonic_runtime.bus.greeting import watch_brokers
from harmonic_runtime.bus.streams import StreamFull, Streams
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.recent import MetricsWindow, metrics_window
from harmonic_runtime.process.clock import timestamp
from harmonic_runtime.process.lifecycle import Process, Tasks

#: How often a replica's entry is stored again, and how soon where that could not be done: its
#: stream may be set up after it.
ENTRY_INTERVAL_S, ENTRY_PAUSE_S = 10.0, 1.0
ENTRY_TIMEOUT_S = 2.0

R = TypeVar("R", bound=OperatorRequest)
#: What a request is answered with.
Answering = Callable[[Any], Awaitable[ServiceModel]]
#: What a service adds to its description.
Adding = Callable[[Describe], Mapping[str, object]]


class Operators:
    """Receives operators' requests, and passes each to the service's handler."""

    def __init__(
        self, process: Process[Any], bus: Bus, window: MetricsWindow, tasks: Tasks
    ) -> None:
        self._process = process
        self._bus = bus
        self._window = window
        self._tasks = tasks
        self._began_s = process.clock.monotonic()
        self._version = metadata.version(f"harmonic-{process.service}")
        self._answering: dict[str, Answering] = {Describe.name: self._describe}
        self._add: Adding = lambda _asked: {}

    def answer(self, request: type[R], answering: Callable[[R], Awaitable[ServiceModel]]) -> None:
        """Answer requests of a kind from now on."""
        self._answering[request.name] = answering

    def describe_with(self, add: Adding) -> None:
        """Have the service's own part added to each description."""
        self._add = add

    def hear(self, message: Message) -> None:
        """Take a request."""
        name = message.subject.rpartition(".")[2]
        answering = self._answering.get(name)
        meant = message.headers.get(INSTANCE, self._process.settings.instance)
        if answering is None or meant != self._process.settings.instance or not message.reply:
            return
        if subjects.is_reserved(message.reply):
            # A state service may write logs: an answer sent there would lie in one.
            self._process.log.warning(
                "operator_reply_misdirected", request=name, reply=message.reply
            )
            return
        try:
            request = OPERATOR_REQUESTS[name].model_validate_json(message.payload)
        except ValidationError:
            self._process.log.warning("operator_request_malformed", request=name)
            return
        if not isinstance(request, Describe):
            self._process.log.info("operator_request", request=name, asked=request.to_wire())
        answer = self._reply(name, answering(request), message.reply)
        self._tasks.start(answer, name=f"operator's {name}")

    def entry(self, *, left: bool = False) -> tuple[str, bytes]:
        """The subject and the payload of the replica's entry."""
        process = self._process
        entry = ReplicaEntry(
            service=process.service,
            instance=process.settings.instance,
            replica=process.settings.replica_id,
            version=self._version,
            at=timestamp(process.clock.now()),
            left=left,
        )
        return subjects.replica(process.service, process.settings.instance), entry.to_json()

    async def _reply(self, name: str, answer: Awaitable[ServiceModel], reply: str) -> None:
        """Answer. A failure to answer does not end the replica."""
        try:
            payload = (await answer).to_json()
            with suppress(BusUnavailable):
                self._bus.post(reply, payload)
        except Exception:
            self._process.log.exception("operator_request_failed", request=name)

    async def _describe(self, asked: Describe) -> Description:
        process, readiness = self._process, self._process.readiness
        described = {
            "service": process.service,
            "instance": process.settings.instance,
            "replica": process.settings.replica_id,
            "version": self._version,
            "state": readiness.state,
            "waiting_for": readiness.waiting_for,
            "uptime_s": process.clock.monotonic() - self._began_s,
            **asdict(self._window.recent()),
            **self._add(asked),
        }
        return Description.model_validate(described)


@asynccontextmanager
async def operated(process: Process[Any], bus: Bus, tasks: Tasks) -> AsyncIterator[Operators]:
    """Answer operators while the block runs, and store an entry of the replica."""
    streams = Streams(bus)
    with metrics_window(process.metrics, process.clock) as window:
        operators = Operators(process, bus, window, tasks)
        service = process.service
        subscription = await bus.subscribe(subjects.operate(service, "*"), operators.hear)
        keeping = tasks.start(_keep_entry(streams, operators), name="entry of the replica")
        tasks.start(watch_brokers(process.settings, process.metrics), name="brokers' certificates")
        try:
            yield operators
        finally:
            keeping.cancel()
            await subscription.close()
            await _store(streams, *operators.entry(left=True))


async def _keep_entry(streams: Streams, operators: Operators) -> None:
    while True:
        is_stored = await _store(streams, *operators.entry())
        await asyncio.sleep(ENTRY_INTERVAL_S if is_stored else ENTRY_PAUSE_S)


async def _store(streams: Streams, subject: str, payload: bytes) -> bool:
    """Store an entry; return whether that succeeded. If not, operators see it by other signs."""
    try:
        await streams.append(subject, payload, timeout_s=ENTRY_TIMEOUT_S)
    except (BusUnavailable, StreamFull):
        return False
    return True
