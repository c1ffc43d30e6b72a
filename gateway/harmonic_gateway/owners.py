"""Asking the owner of a universe, in a caller's name and until a deadline."""

from harmonic_protocol.envelope import Caller, Envelope, Reply
from harmonic_protocol.internal import InternalRequest
from harmonic_protocol.messages.declaration import Request
from harmonic_protocol.refusals import Code, refused
from harmonic_runtime.bus.client import BusUnavailable
from harmonic_runtime.bus.routing import OwnerClient
from harmonic_runtime.process.clock import Clock, milliseconds

_UNAVAILABLE = refused(
    Code.INTERNAL_ERROR, "The universe cannot be reached at the moment", retryAfterMs=1000
)


class Owners:
    """The state service as the gateway sees it: any request gets a reply, in bounded time."""

    def __init__(self, client: OwnerClient, clock: Clock, timeout_s: float) -> None:
        self._client = client
        self._clock = clock
        self._timeout_s = timeout_s

    async def ask(
        self,
        key: str,
        operation: str,
        request: Request | InternalRequest,
        caller: Caller,
        trace_id: str = "",
    ) -> Reply:
        """The owner's reply; a transient ``INTERNAL_ERROR`` where none came in time.

        ``key`` is what the owner is found by: a universe's id, for all but listings. After a
        timeout the outcome is unknown, and a command with an ``opId`` may safely be sent again.
        """
        deadline_ms = milliseconds(self._clock.now()) + int(self._timeout_s * 1000)
        envelope = Envelope(caller, deadline_ms, trace_id)
        body = request.model_dump_json(by_alias=True, exclude_unset=True).encode()
        try:
            message = await self._client.request(
                key,
                operation,
                body,
                headers=envelope.to_headers(),
                deadline_s=self._timeout_s,
                repeatable=request.repeatable,
            )
        except BusUnavailable:
            return Reply(error=_UNAVAILABLE)
        return Reply.model_validate_json(message.payload)
