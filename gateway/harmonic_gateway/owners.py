"""Sends requests to the owner of a universe, for a caller and with a deadline."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypedDict

from pydantic import ValidationError

from harmonic_gateway.recorded import RecordedCommands
from harmonic_protocol.causes import Cause
from harmonic_protocol.envelope import (
    NO_TRACE,
    POSITION,
    REQUEST,
    Caller,
    Envelope,
    Reply,
    RequestTrace,
)
from harmonic_protocol.messages.declaration import Command, Request
from harmonic_protocol.messages.sets import ParameterCommand
from harmonic_protocol.messages.universes import Operation
from harmonic_protocol.request import InternalRequest
from harmonic_protocol.transient import OUTCOME_UNKNOWN, OVERDUE, UNAVAILABLE
from harmonic_runtime.bus.client import (
    Answer,
    AnswerLost,
    BusTimeout,
    BusUnavailable,
    NoResponders,
)
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.timebase import SharedClock
from harmonic_runtime.bus.wire import Message

#: With less time left no request is sent: there would be no time for the answer.
LEAST_TIME_S = 0.05
#: Fields of a request that are sent in headers, not in the payload.
_IN_HEADERS = {"traceparent"}
_MISSED = AnswerLost("the record may have been missed")


class KnownLogs(Protocol):
    """What this gateway knows of universes' logs."""

    def position(self, universe_id: str) -> int | None:
        """How far a log was delivered here; ``None`` if it is not followed."""

    def seq(self, universe_id: str) -> int:
        """The number of the last frame that is known here, also of a log that was lost."""

    def told(self, universe_id: str, seq: int) -> None:
        """An owner named the number of a universe's last frame."""


class Owners:
    """The state service as the gateway sees it: any request gets a reply, in bounded time.

    Each request names how far ``logs`` say that members here were sent the universe's log.
    """

    def __init__(
        self,
        client: OwnerClient,
        clock: SharedClock,
        timeout_s: float,
        logs: KnownLogs,
    ) -> None:
        self._client = client
        self._logs = logs
        self._clock = clock
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self.recorded = RecordedCommands()

    async def ask(
        self,
        key: str,
        operation: str,
        request: Request | InternalRequest,
        caller: Caller,
        trace: RequestTrace = NO_TRACE,
        *,
        until_s: float | None = None,
    ) -> Reply:
        """The owner's reply; a transient ``INTERNAL_ERROR`` if none came in time.

        ``key`` finds the owner: a universe's id, except for listings. ``until_s`` is the request's
        deadline by the monotonic clock, if its time began before this call. If an owner may have
        received the request and did not answer, the reason is ``OUTCOME_UNKNOWN``: the same command
        with the same ``opId`` then returns the outcome.
        """
        question = self._question(key, operation, request, caller, trace, until_s)
        if question is None:
            return Reply(error=OVERDUE)
        return self._noted(key, await _reply(self._client.request(**question), request))

    def begin(
        self,
        key: str,
        operation: str,
        request: Request | InternalRequest,
        caller: Caller,
        trace: RequestTrace,
        *,
        until_s: float,
        on_reply: Callable[[Reply | Coroutine[Any, Any, Reply]], object],
    ) -> None:
        """Ask as :meth:`ask` does, for callers without a task.

        ``on_reply`` is called with the reply, or with a coroutine that returns it. The reply to a
        change of parameters comes with its record, if the universe's log is followed here.
        """
        question = self._question(key, operation, request, caller, trace, until_s)
        if question is None:
            on_reply(Reply(error=OVERDUE))
            return
        headers = question["headers"]
        asked: str | None = None

        def ended(reply: Reply | None) -> None:
            if asked is not None:
                self._client.answered(asked)
            on_reply(_told(_MISSED, request) if reply is None else reply)

        def take(answer: Answer | Coroutine[Any, Any, Message]) -> None:
            name = headers.pop(REQUEST, None)
            if name is not None:
                self.recorded.remove(name)
            reply: Reply | Coroutine[Any, Any, Reply]
            if isinstance(answer, Message):
                reply = self._read(key, answer)
            elif isinstance(answer, BusUnavailable):
                reply = _told(answer, request)
            else:
                reply = _reply(answer, request)
            # In a later turn: it may overtake earlier records, which are delivered first.
            self._loop.call_soon(on_reply, reply)

        if isinstance(request, ParameterCommand) and POSITION in headers:
            headers[REQUEST] = self.recorded.add(key, ended)
        try:
            asked = self._client.begin(**question, on_answer=take)
        except BusUnavailable as error:
            take(error)

    def _noted(self, key: str, reply: Reply) -> Reply:
        """A reply whose number members are about to be told."""
        if reply.seq:
            self._logs.told(key, reply.seq)
        return reply

    def _read(self, key: str, answer: Message) -> Reply | Coroutine[Any, Any, Reply]:
        """The reply; for a malformed one, a coroutine that raises the error."""
        try:
            return self._noted(key, _read(answer))
        except ValidationError as error:
            return _raised(error)

    def _question(  # noqa: PLR0917 -- as they are asked
        self,
        key: str,
        operation: str,
        request: Request | InternalRequest,
        caller: Caller,
        trace: RequestTrace,
        until_s: float | None,
    ) -> "_Question | None":
        """The question to the owner; ``None`` if there is too little time left for it."""
        left_s = self._timeout_s if until_s is None else until_s - self._clock.monotonic()
        if left_s < min(LEAST_TIME_S, self._timeout_s):
            return None
        left_ms = int(left_s * 1000)
        deadline_ms = int(self._clock.unix_s() * 1000) + left_ms
        position, seq = self._logs.position(key) or 0, self._logs.seq(key)
        is_shared = self._clock.is_shared
        envelope = Envelope(caller, deadline_ms, trace, left_ms, is_shared, position, seq=seq)
        body = request.__pydantic_serializer__.to_json(
            request, by_alias=True, exclude_unset=True, exclude=_IN_HEADERS
        )
        return {
            "key": key,
            "operation": operation,
            "payload": body,
            "headers": envelope.to_headers(),
            "deadline_s": left_s,
            "repeatable": request.repeatable,
        }


class _Question(TypedDict):
    """A question to the owner of a key: the arguments of :class:`OwnerClient`."""

    key: str
    operation: str
    payload: bytes
    headers: dict[str, str]
    deadline_s: float
    repeatable: bool


async def _reply(
    answering: Coroutine[Any, Any, Message], request: Request | InternalRequest
) -> Reply:
    """The reply, or the refusal that replaces it if none comes."""
    try:
        return _read(await answering)
    except BusUnavailable as error:
        return _told(error, request)


async def _raised(error: Exception) -> Reply:
    raise error


def _told(error: BusUnavailable, request: Request | InternalRequest) -> Reply:
    """The refusal for a request without a reply."""
    if isinstance(error, BusTimeout | AnswerLost):
        refusal = OUTCOME_UNKNOWN if _changes_something(request) else UNAVAILABLE
        return Reply(error=refusal.caused_by(Cause.NO_ANSWER, error.replica))
    cause = Cause.NO_OWNER if isinstance(error, NoResponders) else Cause.BUS_UNAVAILABLE
    return Reply(error=UNAVAILABLE.caused_by(cause))


def _read(answer: Message) -> Reply:
    reply = Reply.model_validate_json(answer.payload)
    return reply if reply.error is None else reply.with_cause()


def _changes_something(request: Request | InternalRequest) -> bool:
    if isinstance(request, Operation):
        return request.spec.method != "GET"
    return isinstance(request, Command)
