"""Requests and notices from gateway to gateway over the bus; what is large goes in parts.

Each gateway listens on a subject of its own. A request is known by its reply subject: its first
part has it, and what follows names it, further parts as well as word that nobody waits any more.
Each part but the last says that there is more. Parts come in order, so that a missing one shows.
What is about a session names it in a header.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harmonic_protocol import subjects
from harmonic_runtime.bus.client import Answer, Bus, BusUnavailable, MessageTooLarge, settle
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import BoundLogger
from harmonic_runtime.process.lifecycle import Tasks

#: A message of the bus carries at most so much; brokers take 1 MiB by default, headers included.
PART_BYTES = 256 * 1024
#: A request or an answer, all of its parts together.
MAX_EXCHANGED_BYTES = 8 * 1024 * 1024
#: Requests whose last part has not come yet: of more, the oldest are dropped.
MAX_UNFINISHED = 64
#: How long what nobody waits for waits for more that can be told with it, and how much that may be.
TOLD_TOGETHER_S, MAX_TOLD_TOGETHER = 0.25, 64
#: What is told of a request that is abandoned: ids are shorter.
_KNOWN_BYTES = 64

#: The answer to a request that could not be answered.
FAILED = "500"

KIND, SESSION, _OF, _PART, _MORE, _ABANDONED = (
    *("Hu-Kind", "Hu-Session", "Hu-Of", "Hu-Part", "Hu-More", "Hu-Abandoned"),
)
_YES = {_MORE: "yes"}


class Said(NamedTuple):
    """What a gateway says of a session: a request, a notice, or the answer to a request."""

    kind: str
    sid: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is asked here. What it does when an answer was ``lost`` is never asked twice."""

    #: Answers a request, now or later; what is later is cancelled if nobody waits any more.
    answer: Callable[[Said], Said | Coroutine[Any, Any, Said]]
    #: Takes a notice; must not block.
    hear: Callable[[Said], None]
    #: The answer to a request has not reached who asked.
    lost: Callable[[Said], None]


@dataclass(slots=True)
class _Parts:
    """The parts of something so far; the first one's headers say what it is."""

    headers: Mapping[str, str] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, message: Message) -> bool:
        """Add the next part; whether it is the next one, and not too much."""
        is_next = message.headers.get(_PART, "0") == str(len(self.bodies))
        if not self.bodies:
            self.headers = message.headers
        self.bodies.append(message.payload)
        self.size += len(message.payload)
        return is_next and self.size <= MAX_EXCHANGED_BYTES

    def complete(self, answer: Answer) -> Said | BusUnavailable | None:
        """What all parts of an answer say, with the last one; or why there is nothing to be had."""
        if not isinstance(answer, Message):
            return answer
        if not self.bodies and _PART not in answer.headers and _MORE not in answer.headers:
            # All in one, as most are.
            return _said(answer.headers, answer.payload)
        if not self.add(answer):
            return BusUnavailable("a part of the answer is missing")
        return None if _MORE in answer.headers else self.whole()

    def whole(self) -> Said:
        """What all parts say."""
        return _said(self.headers, b"".join(self.bodies))


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
        self._to_tell: dict[tuple[str, str], list[Said]] = {}

    async def listen(self, listener: Listener) -> None:
        """Be asked by others from now on."""
        self._listener = listener
        await self._bus.subscribe(subjects.peer(self._gateway_id), self._take)

    async def ask(self, gateway_id: str, said: Said, *, timeout_s: float) -> Said:
        """A gateway's answer; raise :class:`BusUnavailable` where there is none.

        Where the answer does not come, or is not waited for, the gateway is told so.
        """
        subject = subjects.peer(gateway_id)
        named = {KIND: said.kind, SESSION: said.sid}
        (first, headers), *further = _parts(said.body, named)
        answered: asyncio.Future[Said] = self._loop.create_future()
        received = _Parts()

        def take(answer: Answer) -> None:
            outcome = received.complete(answer)
            if outcome is not None:
                settle(answered, outcome)

        reply = self._bus.ask(
            subject, first, headers=headers, timeout_s=timeout_s, on_answer=take, many=True
        )
        of = {_OF: reply}
        try:
            for part, said_of_it in further:
                self._bus.post(subject, part, headers={**of, **said_of_it})
            return await answered
        except BaseException:
            with suppress(BusUnavailable):
                # With how it begins, by which it may be known.
                self._bus.post(
                    subject, said.body[:_KNOWN_BYTES], headers={**of, **named, _ABANDONED: "yes"}
                )
            raise
        finally:
            self._bus.forget(reply)

    def tell(self, gateway_id: str, said: Said) -> None:
        """Tell a gateway something, once, if it listens; raise :class:`BusUnavailable`."""
        headers = {KIND: said.kind, SESSION: said.sid}
        self._bus.post(subjects.peer(gateway_id), said.body, headers=headers)

    def tell_soon(self, gateway_id: str, said: Said) -> None:
        """Tell a gateway something, together with more of that kind, if it is there then."""
        if not self._to_tell:
            self._loop.call_later(TOLD_TOGETHER_S, self.tell_now)
        told = self._to_tell.setdefault((gateway_id, said.kind), [])
        told.append(said)
        if len(told) == MAX_TOLD_TOGETHER:
            self.tell_now()

    def tell_now(self) -> None:
        """Send the collected notices."""
        to_tell, self._to_tell = self._to_tell, {}
        for (gateway_id, kind), told in to_tell.items():
            sids = " ".join(each.sid for each in told)
            with suppress(BusUnavailable):
                self.tell(gateway_id, Said(kind, sids, b" ".join(each.body for each in told)))

    def _take(self, message: Message) -> None:
        listener, headers = self._listener, message.headers
        if listener is None:
            return
        of = headers.get(_OF)
        if of is None and not message.reply:
            listener.hear(_said(headers, message.payload))
        elif of is None and _MORE not in headers:
            self._begin(listener, message.reply, _said(headers, message.payload))
        elif of is None:
            self._keep(message)
        elif _ABANDONED in headers:
            # Not before the answering has begun: what is never begun ends nothing.
            self._loop.call_soon(self._abandon, listener, of, message)
        else:
            self._complete(listener, of, message)

    def _abandon(self, listener: Listener, of: str, message: Message) -> None:
        """Drop a request whose sender does not wait any more."""
        self._unfinished.pop(of, None)
        answering = self._answering.get(of)
        if answering is None or answering.done():
            listener.lost(_said(message.headers, message.payload))
        else:
            answering.cancel()

    def _keep(self, message: Message) -> None:
        """Keep the first part of a request of several."""
        parts = self._unfinished[message.reply] = _Parts()
        parts.add(message)
        while len(self._unfinished) > MAX_UNFINISHED:
            self._unfinished.popitem(last=False)

    def _complete(self, listener: Listener, of: str, message: Message) -> None:
        """Take a further part of a request. A request with a missing part is not answered."""
        parts = self._unfinished.get(of)
        if parts is None:
            return
        is_next = parts.add(message)
        if is_next and _MORE in message.headers:
            return
        del self._unfinished[of]
        if is_next:
            self._begin(listener, of, parts.whole())

    def _begin(self, listener: Listener, reply: str, asked: Said) -> None:
        """Answer a request, at once if possible."""
        try:
            answer = listener.answer(asked)
        except Exception:  # noqa: BLE001 -- as of a request that comes over HTTP
            answer = self._failed(asked)
        if isinstance(answer, Said):
            self._reply(listener, reply, asked, answer)
            return
        task = self._tasks.start(self._answer(listener, reply, asked, answer), name="peer")
        self._answering[reply] = task
        task.add_done_callback(lambda _: self._answering.pop(reply, None))

    async def _answer(
        self, listener: Listener, reply: str, asked: Said, answering: Coroutine[Any, Any, Said]
    ) -> None:
        try:
            answer = await answering
        except Exception:  # noqa: BLE001 -- as of a request that comes over HTTP
            answer = self._failed(asked)
        self._reply(listener, reply, asked, answer)

    def _failed(self, asked: Said) -> Said:
        self._log.exception("peer_request_failed", kind=asked.kind)
        return Said(FAILED)

    def _reply(self, listener: Listener, reply: str, asked: Said, answer: Said) -> None:
        try:
            for part, headers in _parts(answer.body, {KIND: answer.kind}):
                self._bus.post(reply, part, headers=headers)
        except (BusUnavailable, MessageTooLarge):
            listener.lost(asked)


def _said(headers: Mapping[str, str], body: bytes) -> Said:
    return Said(headers.get(KIND, ""), headers.get(SESSION, ""), body)


def _parts(body: bytes, named: Mapping[str, str]) -> list[tuple[bytes, Mapping[str, str]]]:
    """The parts of a body with their headers: the first one's are also ``named``, and often all."""
    if len(body) <= PART_BYTES:
        return [(body, named)]
    bodies = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
    return [
        (part, {**(named if index == 0 else {_PART: str(index)}), **(_YES if more else {})})
        for index, (part, more) in enumerate(zip(bodies, [*bodies[1:], b""], strict=True))
    ]
