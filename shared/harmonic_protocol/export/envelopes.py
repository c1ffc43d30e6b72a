"""The envelopes of the declared payloads: acks, connection errors, HTTP errors, health."""

from typing import Literal

from harmonic_protocol.messages.connection import ConnectRefusal, TimeSync, TimeSynced
from harmonic_protocol.messages.declaration import Command, Handler
from harmonic_protocol.reasons import Reason
from harmonic_protocol.refusals import Refused
from harmonic_protocol.schema import WireModel
from harmonic_protocol.values import Mode


class InvalidField(WireModel):
    """A field at fault, and the range that it must be in, if it has one."""

    field: str
    reason: str
    min: float | None = None
    max: float | None = None


class Details(WireModel):
    """What a refusal tells programs; each field is there where it applies."""

    reason: Reason | None = None
    event: str | None = None
    universe_id: str | None = None
    op_id: str | None = None
    error_id: str | None = None
    retry_after_ms: int | None = None
    limit: int | None = None
    window_ms: int | None = None
    limit_bytes: int | None = None
    limit_depth: int | None = None
    allowed_mode: Mode | None = None
    claim: str | None = None
    fields: tuple[InvalidField, ...] | None = None


class Accepted(WireModel):
    """The ack of a command that was carried out."""

    ok: Literal[True]
    seq: int


class SignalAccepted(WireModel):
    """The ack of a signal, which the log does not store and so does not number."""

    ok: Literal[True]


class Rejected(WireModel):
    """The ack of a command that was refused; the event of the refusal is sent as well."""

    ok: Literal[False]
    error: Refused


def accepted(command: type[Command]) -> type[WireModel]:
    """The class of the ack for a command that was carried out."""
    if command is TimeSync:
        return TimeSynced
    return Accepted if command.handler is Handler.STATE else SignalAccepted


class ConnectAuth(WireModel):
    """What a client says when it connects: `auth` in the official clients."""

    token: str


class ConnectError(WireModel):
    """The data of a CONNECT_ERROR packet: clients see it as `err.message` and `err.data`."""

    message: str
    data: ConnectRefusal


class ErrorBody(WireModel):
    """The body of every answer of the HTTP API with a status of 400 or above."""

    error: Refused


class Health(WireModel):
    """Whether the process lives."""

    status: Literal["alive"]


class ReadinessBody(WireModel):
    """Whether the process takes new work."""

    status: Literal["starting", "ready", "draining"]
