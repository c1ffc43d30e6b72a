"""What travels beside a payload between services: who asks, until when, and the answer.

Identity is stamped by the gateway from the verified token; nothing here comes from a payload.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

from harmonic_protocol.causes import Cause
from harmonic_protocol.refusals import Code, Refused
from harmonic_protocol.schema import ServiceModel

USER = "Hu-User"
USERNAME = "Hu-Name"
CONNECTION = "Hu-Connection"
GATEWAY = "Hu-Gateway"
#: The name of the service that asks, where no user does.
SERVICE = "Hu-Service"
DEADLINE = "Hu-Deadline"
#: Milliseconds that are left: counted from where the request arrives, by any clock.
TIME_LEFT = "Hu-Left"
#: Says that the deadline is by the time base that all processes share.
SHARED = "Hu-Shared"
#: The position that the gateway was sent of the universe's log.
POSITION = "Hu-Position"
#: When the request arrived at a gateway: Unix time in milliseconds, by the shared time base.
RECEIVED = "Hu-Received"
#: The W3C's name.
TRACEPARENT = "traceparent"
_TRACEPARENT_LENGTH = 55
#: Names of users that are kept as they were encoded: the latest.
MAX_KNOWN_NAMES = 8192
_ODD = frozenset("13579bdf")


class RequestTrace(NamedTuple):
    """What a request is followed by on its way: when it arrived at a gateway, and its trace.

    ``received_ms`` is Unix time by the base that all processes share, where that is known;
    ``traceparent`` the W3C context. Both go on with the record that the request leads to.
    """

    received_ms: int | None = None
    traceparent: str = ""

    @property
    def trace_id(self) -> str | None:
        """The id of the trace, if there is one."""
        return self.traceparent[3:35] or None

    @property
    def is_sampled(self) -> bool:
        """Whether spans of the trace are recorded: the lowest bit of its flags."""
        return self.traceparent[-1:] in _ODD

    def to_headers(self) -> dict[str, str]:
        """As NATS headers."""
        headers = {} if self.received_ms is None else {RECEIVED: str(self.received_ms)}
        if self.traceparent:
            headers[TRACEPARENT] = self.traceparent
        return headers

    def of_record(self) -> dict[str, str]:
        """As headers of a stored record: the trace only if it is recorded."""
        if self.is_sampled:
            return self.to_headers()
        return {} if self.received_ms is None else {RECEIVED: str(self.received_ms)}

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """What headers say; what they say wrongly counts as not said."""
        received, traceparent = headers.get(RECEIVED, ""), headers.get(TRACEPARENT, "")
        return cls(
            int(received) if received.isdecimal() else None,
            traceparent if len(traceparent) == _TRACEPARENT_LENGTH else "",
        )


NO_TRACE = RequestTrace()


class Caller(NamedTuple):
    """Who asks, and over which connection of which gateway (neither, for the HTTP API).

    ``service`` is the name of the service that asks, where no user does.
    """

    user_id: str
    username: str
    connection_id: str = ""
    gateway_id: str = ""
    service: str = ""


class Envelope(NamedTuple):
    """The headers of a request; ``deadline_ms`` is Unix time: past it, nobody waits any more.

    ``left_ms`` is the same as the time that was left when the request was sent, which needs no
    clock; ``is_shared`` says that the deadline is by the time base that all processes share, and
    so also tells how long the request was on its way. ``position`` is where the gateway is in the
    universe's log, 0 if it does not follow it: an owner that is behind it looks before it decides.
    A version before says none of them.
    """

    caller: Caller
    deadline_ms: int
    trace: RequestTrace = NO_TRACE
    left_ms: int | None = None
    is_shared: bool = False
    position: int = 0

    def to_headers(self) -> dict[str, str]:
        """As NATS headers; text of any script is percent-encoded."""
        caller = self.caller
        headers = {
            USER: _quoted(caller.user_id, "|@:"),
            USERNAME: _quoted(caller.username, " "),
            CONNECTION: caller.connection_id,
            GATEWAY: caller.gateway_id,
            DEADLINE: str(self.deadline_ms),
            **self.trace.to_headers(),
        }
        if caller.service:
            headers[SERVICE] = caller.service
        if self.left_ms is not None:
            headers[TIME_LEFT] = str(self.left_ms)
        if self.is_shared:
            headers[SHARED] = "yes"
        if self.position:
            headers[POSITION] = str(int(self.position))
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Raise ``ValueError`` where the headers do not name a user and a deadline."""
        try:
            user_id = unquote(headers[USER])
            deadline_ms = int(headers[DEADLINE])
            left_ms = int(headers[TIME_LEFT]) if TIME_LEFT in headers else None
            position = int(headers.get(POSITION, "0"))
        except KeyError as missing:
            raise ValueError(f"no header {missing.args[0]}") from missing
        caller = Caller(
            user_id,
            unquote(headers.get(USERNAME, "")) or user_id,
            headers.get(CONNECTION, ""),
            headers.get(GATEWAY, ""),
            headers.get(SERVICE, ""),
        )
        trace = RequestTrace.from_headers(headers)
        return cls(caller, deadline_ms, trace, left_ms, SHARED in headers, position)

    def time_left_ms(self, now_ms: int, *, is_shared: bool) -> int:
        """How long the caller still waits; ``is_shared`` says that ``now_ms`` is by the time base.

        Clocks of different hosts are never compared, but for the caller of a version before.
        """
        by_clock_ms = self.deadline_ms - now_ms
        if self.left_ms is None:
            return by_clock_ms
        if self.is_shared and is_shared:
            return min(self.left_ms, by_clock_ms)
        return self.left_ms


@lru_cache(maxsize=MAX_KNOWN_NAMES)
def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe)


class Reply(ServiceModel):
    """An answer between services: either ``error`` is set, or the request was carried out.

    ``seq`` numbers the last frame that members see of it; ``position`` is the log's sequence
    that holds it: whoever has seen the log up to there has seen it. ``cause`` and ``replica`` say
    of an ``INTERNAL_ERROR`` what clients are not told.
    """

    seq: int | None = None
    position: int | None = None
    result: dict[str, Any] | None = None
    error: Refused | None = None
    cause: str | None = None
    replica: str | None = None

    @classmethod
    def failed(cls, refusal: Refused, replica: str) -> Self:
        """A refusal as a ``replica`` answers it: of an ``INTERNAL_ERROR``, with its cause."""
        if refusal.code is not Code.INTERNAL_ERROR:
            return cls(error=refusal)
        return cls(error=refusal, cause=refusal.cause.value, replica=replica)

    def with_cause(self) -> Self:
        """The same, with a refusal that knows its cause; one of a newer version is none."""
        if self.error is None or self.cause is None:
            return self
        cause = _KNOWN_CAUSES.get(self.cause)
        return self.model_copy(update={"error": self.error.caused_by(cause, self.replica)})


_KNOWN_CAUSES: Mapping[str, Cause] = {cause.value: cause for cause in Cause}
