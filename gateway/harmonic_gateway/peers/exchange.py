"""Requests and notices from gateway to gateway over the bus; what is large goes in parts.

Each gateway listens on a subject of its own. A request's parts but the last have no reply subject,
and are kept until the last one comes; an answer's parts but the last say that there is more. Parts
come in order, so that a missing one shows. What is about a session names it in a header.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Answer, Bus, BusUnavailable, MessageTooLarge
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.entropy import new_id
from harmonic_runtime.process.lifecycle import Tasks

#: A message of the bus carries at most so much; brokers take 1 MiB by default, headers included.
PART_BYTES = 256 * 1024
#: A request or an answer, all of its parts together.
MAX_EXCHANGED_BYTES = 8 * 1024 * 1024
#: Requests whose last part has not come yet: of more, the oldest are dropped.
MAX_UNFINISHED = 64
#: What is told of a request that is abandoned: ids are shorter.
_KNOWN_BYTES = 64

#: The answer to a request that could not be answered.
FAILED = "500"

KIND, SESSION, _ID, _PART, _MORE, _ABANDONED = (
    *("Hu-Kind", "Hu-Session", "Hu-Id", "Hu-Part", "Hu-More", "Hu-Abandoned"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a gateway says of a session: a request, a notice, or the answer to a request."""

    kind: str
    sid: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is asked here. What it does when an answer was ``lost`` is never asked twice."""

    #: Answers a request; cancelled if whoever asks does not wait any more.
    answer: Callable[[Said], Awaitable[Said]]
    #: Takes a notice; must not block.
    hear: Callable[[Said], None]
    #: The answer to a request has not reached who asked.
    lost: Callable[[Said], None]


@dataclass(slots=True)
class _Parts:
    """The parts of something so far."""

    bodies: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, message: Message) -> bool:
        """Add the next part; whether it is the next one, and not too much."""
        is_next = message.headers.get(_PART, "0") == str(len(self.bodies))
        self.bodies.append(message.payload)
        self.size += len(message.payload)
        return is_next and self.size <= MAX_EXCHANGED_BYTES


class Exchange:
    """One gateway's way to the others, and theirs to it."""

    def __init__(self, bus: Bus, gateway_id: str, tasks: Tasks, log: BoundLogger) -> None:
        self._bus = bus
        self._log = log
        self._gateway_id = gateway_id
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._listener: Listener | None = None
        self._unfinished: OrderedDict[str, _Parts] = OrderedDict()
        self._answering: dict[str, asyncio.Task[None]] = {}

    async def listen(self, listener: Listener) -> None:
        """Be asked by others from now on."""
        self._listener = listener
        await self._bus.subscribe(subjects.peer(self._gateway_id), self._take)

    async def ask(self, gateway_id: str, said: Said, *, timeout_s: float) -> Said:
        """A gateway's answer; raise :class:`BusUnavailable` where there is none.

        Where the answer does not come, or is not waited for, the gateway is told so.
        """
        subject, exchange = subjects.peer(gateway_id), new_id()
        named = {KIND: said.kind, SESSION: said.sid, _ID: exchange}
        *before, last = _split(said.body)
        for index, part in enumerate(before):
            self._bus.post(subject, part, headers={_ID: exchange, _PART: str(index)})
        future: asyncio.Future[Said] = self._loop.create_future()
        received = _Parts()

        def settle(answer: Answer) -> None:
            if not future.done():
                _settle(future, received, answer)

        token = self._bus.ask(
            subject,
            last,
            headers={**named, _PART: str(len(before))},
            timeout_s=timeout_s,
            on_answer=settle,
            many=True,
        )
        try:
            return await future
        except BaseException:
            with suppress(BusUnavailable):
                # With how it begins, by which it may be known.
                self._bus.post(
                    subject, said.body[:_KNOWN_BYTES], headers={**named, _ABANDONED: "yes"}
                )
            raise
        finally:
            self._bus.forget(token)

    def tell(self, gateway_id: str, said: Said) -> None:
        """Tell a gateway something, once, if it listens; raise :class:`BusUnavailable`."""
        headers = {KIND: said.kind, SESSION: said.sid}
        self._bus.post(subjects.peer(gateway_id), said.body, headers=headers)

    def _take(self, message: Message) -> None:
        exchange = message.headers.get(_ID)
        listener = self._listener
        if listener is None:
            return
        if exchange is None:
            listener.hear(_said(message.headers, message.payload))
        elif _ABANDONED in message.headers:
            # Not before the answering has begun: what is never begun ends nothing.
            self._loop.call_soon(self._abandon, listener, exchange, message)
        elif not message.reply:
            self._keep(exchange, message)
        else:
            parts = self._unfinished.pop(exchange, None) or _Parts()
            if parts.add(message):
                asked = _said(message.headers, b"".join(parts.bodies))
                task = self._tasks.start(self._answer(listener, asked, message.reply), name="peer")
                self._answering[exchange] = task
                task.add_done_callback(lambda _: self._answering.pop(exchange, None))

    def _abandon(self, listener: Listener, exchange: str, message: Message) -> None:
        """Whoever asked does not wait any more."""
        answering = self._answering.get(exchange)
        if answering is None or answering.done():
            listener.lost(_said(message.headers, message.payload))
        else:
            answering.cancel()

    def _keep(self, exchange: str, message: Message) -> None:
        parts = self._unfinished.setdefault(exchange, _Parts())
        if not parts.add(message):
            del self._unfinished[exchange]
        while len(self._unfinished) > MAX_UNFINISHED:
            self._unfinished.popitem(last=False)

    async def _answer(self, listener: Listener, asked: Said, reply: str) -> None:
        try:
            answer = await listener.answer(asked)
        except Exception:  # noqa: BLE001 -- as of a request that comes over HTTP
            self._log.exception("peer_request_failed", kind=asked.kind)
            answer = Said(FAILED)
        *before, last = _split(answer.body)
        try:
            for index, part in enumerate(before):
                self._bus.post(reply, part, headers={_PART: str(index), _MORE: "yes"})
            headers = {KIND: answer.kind, _PART: str(len(before))}
            self._bus.post(reply, last, headers=headers)
        except (BusUnavailable, MessageTooLarge):
            listener.lost(asked)


def _settle(future: asyncio.Future[Said], received: _Parts, answer: Answer) -> None:
    if not isinstance(answer, Message):
        future.set_exception(answer)
    elif not received.add(answer):
        future.set_exception(BusUnavailable("a part of the answer is missing"))
    elif _MORE not in answer.headers:
        future.set_result(_said(answer.headers, b"".join(received.bodies)))


def _said(headers: Mapping[str, str], body: bytes) -> Said:
    return Said(headers.get(KIND, ""), headers.get(SESSION, ""), body)


def _split(body: bytes) -> list[bytes]:
    """The parts of a body; an empty one has an empty part."""
    return [body[at : at + PART_BYTES] for at in range(0, max(len(body), 1), PART_BYTES)]
