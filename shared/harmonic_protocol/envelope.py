"""The headers of requests between services (the caller, the deadline), and the answer.

The gateway sets the identity from the verified token; none of it comes from a payload.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

from harmonic_protocol.causes import Cause
from harmonic_protocol.refusals import Code, Refused
from harmonic_protocol.schema import ServiceModel, WireModel
from harmonic_protocol.values import MAX_FRAME_NUMBER

USER = "Hu-User"
USERNAME = "Hu-Name"
CONNECTION = "Hu-Connection"
GATEWAY = "Hu-Gateway"
#: The name of the service that makes the request, if no user does.
SERVICE = "Hu-Service"
DEADLINE = "Hu-Deadline"
#: Milliseconds that are left from the request's arrival on, by any clock.
TIME_LEFT = "Hu-Left"
#: Says that the deadline is by the time base that all processes share.
SHARED = "Hu-Shared"
#: The position of the universe's log up to which the gateway was sent it.
POSITION = "Hu-Position"
#: The number of the last frame of the universe that members of the gateway were sent.
SEQ = "Hu-Seq"
#: The request's name, from a gateway that hears the universe's records: one of them may answer it.
REQUEST = "Hu-Request"
#: Of a record: the named requests that it carries out, each with its frame's number: ``name=seq``.
CARRIED_OUT = "Hu-Carried-Out"
#: The Unix time in milliseconds at which a gateway received the request, by the shared time base.
RECEIVED = "Hu-Received"
#: The name that the W3C gives it.
TRACEPARENT = "traceparent"
_TRACEPARENT_LENGTH = 55
#: Encoded names of users that are cached: the latest ones.
MAX_KNOWN_NAMES = 8192
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_ODD = frozenset("13579bdf")


class RequestTrace(NamedTuple):
    """What a request takes along: the time of its arrival at a gateway, and its trace.

    ``received_ms`` is Unix time by the base that all processes share, if known; ``traceparent`` is
    the W3C context. Both are stored with the record that the request leads to.
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
        """The trace in headers; an invalid value counts as absent."""
        received, traceparent = headers.get(RECEIVED, ""), headers.get(TRACEPARENT, "")
        return cls(
            int(received) if received.isdecimal() else None,
            traceparent if len(traceparent) == _TRACEPARENT_LENGTH else "",
        )


NO_TRACE = RequestTrace()


class Caller(NamedTuple):
    """The caller of a request, with its connection and gateway (neither, for the HTTP API).

    ``service`` is the name of the service that makes the request, if no user does.
    """

    user_id: str
    username: str
    connection_id: str = ""
    gateway_id: str = ""
    service: str = ""


class Envelope(NamedTuple):
    """The headers of a request; nobody waits for its answer after ``deadline_ms``, in Unix time.

    ``left_ms`` is the time that was left when the request was sent, which needs no clock.
    ``is_shared`` says that the deadline is by the time base that all processes share; then it also
    tells how long the request was under way. ``position`` is the gateway's position in the
    universe's log, 0 if it does not follow it: an owner that is behind it reads the log before it
    decides. With a ``name``, the gateway takes a record that has it in ``CARRIED_OUT`` for the
    reply. ``seq`` is the number of the universe's last frame that members of the gateway were
    sent, of a log that was lost since, too; 0 if it knows none. The version before sends none of
    these.
    """

    caller: Caller
    deadline_ms: int
    trace: RequestTrace = NO_TRACE
    left_ms: int | None = None
    is_shared: bool = False
    position: int = 0
    name: str = ""
    seq: int = 0

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
        if self.seq:
            headers[SEQ] = str(self.seq)
        if self.name:
            headers[REQUEST] = self.name
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """The envelope in headers. Raise ``ValueError`` if they name no user or no deadline."""
        try:
            user_id = unquote(headers[USER])
            deadline_ms = int(headers[DEADLINE])
            left_ms = int(headers[TIME_LEFT]) if TIME_LEFT in headers else None
            position = int(headers.get(POSITION, "0"))
            seq = int(headers.get(SEQ, "0"))
            if not 0 <= seq <= MAX_FRAME_NUMBER:
                raise ValueError(SEQ)
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
        name = headers.get(REQUEST, "")
        if name and not _NAME.fullmatch(name):
            name = ""
        is_shared = SHARED in headers
        return cls(caller, deadline_ms, trace, left_ms, is_shared, position, name, seq)

    def time_left_ms(self, now_ms: int, *, is_shared: bool) -> int:
        """How long the caller still waits; ``is_shared`` says that ``now_ms`` is by the time base.

        Clocks of different hosts are never compared, except for a caller of the version before.
        """
        by_clock_ms = self.deadline_ms - now_ms
        if self.left_ms is None:
            return by_clock_ms
        if self.is_shared and is_shared:
            return min(self.left_ms, by_clock_ms)
        return self.left_ms


def carried_out(header: str) -> list[tuple[str, int]]:
    """The names in a record's header ``CARRIED_OUT``, each with its frame's number."""
    parts = [each.partition("=") for each in header.split()]
    return [(name, int(seq)) for name, _, seq in parts]


@lru_cache(maxsize=MAX_KNOWN_NAMES)
def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe)


class Reply(ServiceModel):
    """An answer between services: either ``error`` is set, or the request was carried out.

    ``seq`` is the number of the last frame that it made. ``position`` is the position of the log's
    record that has this frame: whoever has the log up to there has the frame. ``result`` is the
    answer as a declared message where it is given, and as a JSON object where it is received.
    ``cause`` and ``replica`` describe an ``INTERNAL_ERROR`` for operators; clients are not told
    them.
    """

    seq: int | None = None
    position: int | None = None
    result: Any = None
    error: Refused | None = None
    cause: str | None = None
    replica: str | None = None

    @classmethod
    def done(cls, seq: int, position: int, result: WireModel | None) -> Self:
        """The answer to a request that was carried out."""
        return cls.assembled(
            {
                "seq": seq,
                "position": position,
                "result": result,
                "error": None,
                "cause": None,
                "replica": None,
            }
        )

    @classmethod
    def failed(cls, refusal: Refused, replica: str) -> Self:
        """A refusal as a ``replica`` answers it: an ``INTERNAL_ERROR`` has its cause."""
        if refusal.code is not Code.INTERNAL_ERROR:
            return cls(error=refusal)
        return cls(error=refusal, cause=refusal.cause.value, replica=replica)

    def with_cause(self) -> Self:
        """The reply, its refusal with its cause; an unknown cause of a newer version is dropped."""
        if self.error is None or self.cause is None:
            return self
        cause = _KNOWN_CAUSES.get(self.cause)
        return self.model_copy(update={"error": self.error.caused_by(cause, self.replica)})


_KNOWN_CAUSES: Mapping[str, Cause] = {cause.value: cause for cause in Cause}
