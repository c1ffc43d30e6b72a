"""The bus as services use it: requests, messages and subscriptions over NATS.

Nothing is buffered while there is no connection. What cannot be sent now is refused, and never
delivered late. All waiting is bounded, in time or in bytes.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial

from nats.errors import Error as NatsError

from harmonic_runtime.bus.calls import (
    Answer,
    AnswerLost,
    BusTimeout,
    BusUnavailable,
    Calls,
    MessageTooLarge,
    NoResponders,
    settle,
)
from harmonic_runtime.bus.connection import Interest
from harmonic_runtime.bus.dispatch import Dispatcher
from harmonic_runtime.bus.link import STOP_TIMEOUT_S, Link, LinkEvents
from harmonic_runtime.bus.subscription import Subscription
from harmonic_runtime.bus.wire import (
    NO_HEADERS,
    STORED_SEQUENCE,
    Handler,
    Message,
    decode_headers,
    publication,
)
from harmonic_runtime.observability import table
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock
from harmonic_runtime.process.entropy import new_id
from harmonic_runtime.process.settings import ServiceSettings

#: How long a round trip to the broker may take.
FLUSH_TIMEOUT_S = 5.0
__all__ = [
    "Answer",
    "AnswerLost",
    "Bus",
    "BusTimeout",
    "BusUnavailable",
    "MessageTooLarge",
    "NoResponders",
    "Subscription",
    "open_bus",
    "settle",
]


class Bus:
    """A connection to the broker, as a service uses it. Made by :func:`open_bus`."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        log: BoundLogger,
        metrics: Metrics,
        on_closed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._most_outbound_bytes = settings.bus_outbound_bytes
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._on_reconnect: list[Callable[[], None]] = []
        self._sids = itertools.count(1)
        self._calls = Calls(f"{settings.inbox_prefix}.{new_id()}.", log=log, metrics=metrics)
        self._round_trips: set[asyncio.Future[bool]] = set()
        inbox = f"{self._calls.inbox}*"
        self._inbox_interest = Interest(next(self._sids), inbox, "", self._calls.answered)
        self._misdirected = metrics.counter(table.BUS_ANSWERS_MISDIRECTED)
        self._misdirected_log = SampledLog(log, SystemClock())
        self._dispatcher = Dispatcher(
            bound_bytes=settings.bus_pending_bytes, log=log, metrics=metrics
        )
        events = LinkEvents(
            read=self._dispatcher.handle, lost=self._lost, found=self._found, closed=on_closed
        )
        self.link = Link(settings, self._arrived, events, log=log, metrics=metrics)
        self.connection = self.link.connection
        self._outgoing = self.connection.outgoing
        metrics.gauge_from(table.BUS_CONNECTED, lambda: float(self.connected))
        metrics.gauge_from(table.BUS_SUBSCRIPTIONS, lambda: len(self.connection.interests))
        metrics.gauge_from(table.BUS_OUTBOUND_BYTES, lambda: self._outgoing.waiting_bytes)

    @property
    def connected(self) -> bool:
        """Whether the broker is there, and knows of all subscriptions."""
        return self.link.ready and self.connection.is_connected

    def on_reconnect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever the bus was lost and is there again; undone by the result.

        Messages may have been missed, and the subscriptions are in force again.
        """
        self._on_reconnect.append(callback)
        return lambda: self._on_reconnect.remove(callback)

    def on_gap(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` in place of messages that were dropped, in their order."""
        self._dispatcher.on_gap(callback)

    def post(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        reply: str = "",
    ) -> None:
        """Send a message at once, for callers that cannot wait; like :meth:`publish`."""
        outgoing, most = self._outgoing, self._most_outbound_bytes
        if not self.link.ready or not outgoing.may_send:
            raise BusUnavailable("the bus is not connected")
        if outgoing.at_most_bytes > most and outgoing.waiting_bytes > most:
            raise BusUnavailable("the broker does not read what it is sent")
        command, size = publication(subject, payload, headers, reply)
        if size > self.connection.max_payload:
            raise MessageTooLarge(f"{size} bytes, the broker takes {self.connection.max_payload}")
        outgoing.send(command)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        reply: str = "",
    ) -> None:
        """Send a message, at most once, to whoever listens now.

        Raise :class:`BusUnavailable` if it cannot be sent now, :class:`MessageTooLarge` if
        never, and ``ValueError`` if subject or headers are malformed.
        """
        self.post(subject, payload, headers=headers, reply=reply)

    async def request(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
    ) -> Message:
        """Send a request and wait for its answer.

        Raise :class:`NoResponders` if nobody listens, :class:`BusTimeout` after ``timeout_s``,
        :class:`AnswerLost` if the connection is lost meanwhile, and else as :meth:`publish`.
        An answer may overtake messages that came before it.
        """
        answered: asyncio.Future[Message] = self._loop.create_future()
        settled = partial(settle, answered)
        reply = self.ask(subject, payload, headers=headers, timeout_s=timeout_s, on_answer=settled)
        try:
            return await answered
        except asyncio.CancelledError:
            self.forget(reply)
            raise

    def ask(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
        on_answer: Callable[[Answer], None],
        many: bool = False,
    ) -> str:
        """Send a request and have ``on_answer`` called; the result is its reply subject.

        It is called once, with an answer or with why there is none; with ``many``, for every
        answer until the request is forgotten or there is no more to come.
        """
        reply = self._calls.new_reply_subject()
        self.post(subject, payload, headers=headers, reply=reply)
        self._calls.begin(reply, timeout_s, on_answer, many=many)
        return reply

    def new_inbox(self, purpose: str = "") -> str:
        """A subject of this process's own, for answers that go to a subscription.

        Its ``purpose``, a word, is what permissions to answer there are granted by.
        """
        prefix = self._settings.inbox_prefix
        return f"{prefix}.{purpose}.{new_id()}" if purpose else f"{prefix}.{new_id()}"

    def forget(self, reply: str, *, is_answered: bool = False) -> None:
        """Ignore further answers to the request with this reply subject.

        It counts as answered if another message was its answer.
        """
        self._calls.forget(reply, is_answered=is_answered)

    async def subscribe(
        self, subject: str, handler: Handler, *, queue: str = "", republished: bool = False
    ) -> Subscription:
        """Have ``handler`` called for each message, in order of arrival over all subscriptions.

        The broker's answers to others are dropped. If the subscription is to what the broker
        republishes of a stream, ``handler`` has to tell them apart.
        It must not block. What it raises is logged and counted, and only that message is lost.
        The broker knows of the interest after the next :meth:`flush`; while there is no
        connection, once it is back.
        """
        if not subject or any(character.isspace() for character in subject + queue):
            raise ValueError("subject and queue must be without white space")
        sid = next(self._sids)
        subscription = Subscription(self, sid, subject, queue, handler, republished=republished)
        self.connection.add_interest(subscription)
        return subscription

    async def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Return when the broker has taken all that was sent before.

        Raise :class:`BusTimeout` after ``timeout_s``, :class:`BusUnavailable` without broker.
        """
        if not self.connected:
            raise BusUnavailable("the bus is not connected")
        future: asyncio.Future[bool] = self._loop.create_future()
        self._round_trips.add(future)
        try:
            async with asyncio.timeout(timeout_s):
                await self.connection.ping(future)
                await future
        except TimeoutError as error:
            raise BusTimeout("the broker did not answer in time") from error
        finally:
            self._round_trips.discard(future)

    async def handled(self) -> None:
        """Return when the handlers were called for all that has come in before."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._dispatcher.call_in_order(partial(settle, future, None))
        await future

    def _arrived(
        self, interest: Interest, subject: str, reply: str, headers: bytes | None, payload: bytes
    ) -> None:
        known = NO_HEADERS if headers is None else decode_headers(headers)
        message = Message(subject, payload, known, reply, time.monotonic())
        if interest is self._inbox_interest:
            # Answers do not queue behind messages: whoever waits for one has a deadline.
            self._calls.answered(message)
        elif STORED_SEQUENCE in known and not interest.republished:
            # The broker sends what is stored wherever a request names: nobody said this here.
            self._misdirected.inc()
            self._misdirected_log.error("bus_answer_misdirected", kind=interest.subject)
        else:
            self._dispatcher.put(interest, message)

    def _lost(self) -> None:
        self._calls.fail_all()
        for future in self._round_trips:
            settle(future, BusUnavailable("the connection was lost"))

    def _found(self) -> None:
        for callback in list(self._on_reconnect):
            # Through the queue: after what the connection before had still brought.
            self._dispatcher.call_in_order(callback)

    async def start(self, name: str) -> None:
        """Connect; raise :class:`CannotStart` if that takes too long."""
        timeout_s = self._settings.bus_start_timeout_s
        try:
            await self.link.connect(name, timeout_s)
            async with asyncio.timeout(timeout_s):
                self.connection.add_interest(self._inbox_interest)
                self.link.ready = True
                await self.flush(timeout_s)
        except TimeoutError as error:
            raise self.link.why_not() from error
        self.link.check_heard()
        self.link.established(name)

    async def stop(self) -> None:
        """Stop consuming, handle what is under way, write what was sent, and close."""
        self.link.stopping()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                for interest in list(self.connection.interests.values()):
                    if interest is not self._inbox_interest:
                        self.connection.stop_interest(interest)
                if self.connected:
                    await self.flush()
                    await self.handled()
                    self.link.ready = False
                    await self.connection.drain()
        except (TimeoutError, NatsError, BusUnavailable) as error:
            self._log.warning("bus_stopped_early", reason=type(error).__name__)
        finally:
            self.link.ready = False
            self._lost()
            await self.link.close()


@asynccontextmanager
async def open_bus(
    settings: ServiceSettings,
    *,
    name: str,
    log: BoundLogger,
    metrics: Metrics,
    on_closed: Callable[[], None],
    waiting_for: Callable[[str], AbstractContextManager[object]] = nullcontext,
) -> AsyncIterator[Bus]:
    """A connected bus, stopped in order at the end; ``waiting_for`` is entered without a broker.

    It reconnects by itself, for ever. ``on_closed`` is called if it gives up: then the process is
    useless. Raise :class:`CannotStart` if there is no broker.
    """
    bus = Bus(settings, log=log, metrics=metrics, on_closed=on_closed)
    try:
        with waiting_for(f"NATS at {settings.nats_url}"):
            await bus.start(name)
        yield bus
    finally:
        await bus.stop()
