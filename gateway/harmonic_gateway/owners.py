"""Asking the owner of a universe, in a caller's name and until a deadline."""

from collections.abc import Callable
from typing import Protocol

from harmonic_protocol.causes import Cause
from harmonic_protocol.envelope import NO_TRACE, Caller, Envelope, Reply, RequestTrace
from harmonic_protocol.internal import InternalRequest
from harmonic_protocol.messages.declaration import Command, Request
from harmonic_protocol.messages.universes import Operation
from harmonic_protocol.transient import OUTCOME_UNKNOWN, OVERDUE, UNAVAILABLE
from harmonic_runtime.bus.client import AnswerLost, BusTimeout, BusUnavailable, NoResponders
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.bus.timebase import SharedClock

#: With less time left nobody is asked: there would be no time for the answer.
LEAST_TIME_S = 0.05
#: What owners are told beside a request, and not in it.
_IN_HEADERS = {"traceparent"}


class FollowedLog(Protocol):
    """A log that is followed, delivered up to ``position``."""

    position: int | None


class Owners:
    """The state service as the gateway sees it: any request gets a reply, in bounded time.

    ``room_of`` is what is known here of a universe whose log is followed.
    """

    def __init__(
        self,
        client: OwnerClient,
        clock: SharedClock,
        timeout_s: float,
        room_of: Callable[[str], FollowedLog | None],
    ) -> None:
        self._client = client
        self._room_of = room_of
        self._clock = clock
        self._timeout_s = timeout_s

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
        """The owner's reply; a transient ``INTERNAL_ERROR`` where none came in time.

        ``key`` is what the owner is found by: a universe's id, for all but listings. ``until_s``
        is the request's deadline, if its time began before this call. Where somebody may have
        received the request and did not answer, the reason is ``OUTCOME_UNKNOWN``: with an
        ``opId``, the same command again tells what became of it.
        """
        left_s = self._timeout_s if until_s is None else until_s - self._clock.monotonic()
        if left_s < min(LEAST_TIME_S, self._timeout_s):
            return Reply(error=OVERDUE)
        left_ms = int(left_s * 1000)
        deadline_ms = int(self._clock.unix_s() * 1000) + left_ms
        is_shared = self._clock.is_shared
        room = self._room_of(key)
        position = (room.position or 0) if room is not None else 0
        envelope = Envelope(caller, deadline_ms, trace, left_ms, is_shared, position)
        body = request.model_dump_json(
            by_alias=True, exclude_unset=True, exclude=_IN_HEADERS
        ).encode()
        try:
            message = await self._client.request(
                key,
                operation,
                body,
                headers=envelope.to_headers(),
                deadline_s=left_s,
                repeatable=request.repeatable,
            )
        except (BusTimeout, AnswerLost) as error:
            refusal = OUTCOME_UNKNOWN if _changes_something(request) else UNAVAILABLE
            return Reply(error=refusal.caused_by(Cause.NO_ANSWER, error.replica))
        except NoResponders:
            return Reply(error=UNAVAILABLE.caused_by(Cause.NO_OWNER))
        except BusUnavailable:
            return Reply(error=UNAVAILABLE.caused_by(Cause.BUS_UNAVAILABLE))
        reply = Reply.model_validate_json(message.payload)
        return reply if reply.error is None else reply.with_cause()


def _changes_something(request: Request | InternalRequest) -> bool:
    if isinstance(request, Operation):
        return request.spec.method != "GET"
    return isinstance(request, Command)
