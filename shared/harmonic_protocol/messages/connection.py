"""What a connection is told about itself."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from harmonic_protocol.messages.audio import MAX_AUDIO_MESSAGE_BYTES
from harmonic_protocol.messages.declaration import (
    Audience,
    CommandSpec,
    Delivery,
    Event,
    EventSpec,
    GatewayCommand,
)
from harmonic_protocol.reasons import RecoveryOutcome, RecoveryReason
from harmonic_protocol.refusals import Code, Details
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import Timestamp, UserId

#: Raised with every change that a client could notice.
PROTOCOL_VERSION = 1
#: Longer tokens are refused unread; request lines end at 8,190 bytes anyway.
MAX_TOKEN_CHARACTERS = 8192


class Limits(WireModel):
    """The bounds that a client can run into, announced when it connects."""

    message_bytes: int
    audio_message_bytes: int = MAX_AUDIO_MESSAGE_BYTES
    larger_message_bytes: dict[str, int]
    message_depth: int
    connections: int
    rooms: int
    queued_commands: int
    parameters_per_minute: int
    generations_per_minute: int
    rooms_per_minute: int
    signals_per_second: int
    signals_burst: int
    signal_bytes_per_second: int
    events_per_second: int


class RecoveryReport(WireModel):
    """What became of the client's earlier session, and why."""

    outcome: RecoveryOutcome
    reason: RecoveryReason | None = None


class ConnectSuccess(Event):
    """The connection is accepted."""

    spec: ClassVar = EventSpec("connect_success", Delivery.DIRECT, Audience.CALLER)

    user_id: UserId
    timestamp: Timestamp
    session_id: str
    recovered: bool
    recovery: RecoveryReport
    expires_at: Timestamp
    server_time: Timestamp
    protocol: int = PROTOCOL_VERSION
    limits: Limits
    pid: str | None = None
    offset: str | None = None


class RefreshToken(GatewayCommand):
    """Replace the connection's token by a newer one of the same user."""

    spec: ClassVar = CommandSpec("refresh_token", rate=None, answers=("token_refreshed",))

    token: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN_CHARACTERS)]


class TokenExpiring(Event):
    """The token expires soon: time to send a newer one."""

    spec: ClassVar = EventSpec("token_expiring", Delivery.DIRECT, Audience.CALLER)

    expires_at: Timestamp


class TokenRefreshed(Event):
    """The newer token is in use."""

    spec: ClassVar = EventSpec("token_refreshed", Delivery.DIRECT, Audience.CALLER)

    expires_at: Timestamp


class TimeSync(GatewayCommand):
    """Ask for the server's clock, and for how the connection is doing; answered by its ack.

    ``t0`` is the client's own clock. With ``t3``, when the answer came by the client's clock, the
    server's clock is ahead by ((t1 - t0) + (t2 - t3)) / 2. The error is at most half of the round
    trip (t3 - t0) - (t2 - t1). Of several answers, the smallest t1 - t0 and the greatest t2 - t3
    give the smallest error.
    """

    spec: ClassVar = CommandSpec("time_sync", rate=None, answers=())

    t0: float


class TimeSynced(WireModel):
    """The ack of ``time_sync``; all times in milliseconds.

    The server received at ``t1`` and answers at ``t2``, both since 1970 by its clock. ``rttMs``
    is the round trip as the server measured it by its last heartbeat.
    """

    t0: float
    t1: float
    t2: float
    rtt_ms: float | None = None


class ConnectRefusal(WireModel):
    """``err.data`` of a refused connection.

    It travels in a CONNECT_ERROR packet, since ``connect_error`` is reserved in the clients.
    """

    error: str
    code: Code
    details: Details = Field(default_factory=dict)


class ErrorReported(Event):
    """A command was refused."""

    spec: ClassVar = EventSpec("error", Delivery.DIRECT, Audience.CALLER)

    code: Code
    message: str
    details: Details = Field(default_factory=dict)
