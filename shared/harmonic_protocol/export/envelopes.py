"""What goes around the declared payloads: acks, connection errors, HTTP errors, health."""

from typing import Literal

from harmonic_protocol.messages.connection import ConnectRefusal, TimeSync, TimeSynced
from harmonic_protocol.messages.declaration import Command, Handler
from harmonic_protocol.refusals import Refused
from harmonic_protocol.schema import WireModel


class Accepted(WireModel):
    """The ack of a command that was carried out."""

    ok: Literal[True]
    seq: int


class SignalAccepted(WireModel):
    """The ack of what the log does not keep, and so does not number."""

    ok: Literal[True]


class Rejected(WireModel):
    """The ack of a command that was refused; the event of the refusal is sent all the same."""

    ok: Literal[False]
    error: Refused


def accepted(command: type[Command]) -> type[WireModel]:
    """The ack of such a command when it was carried out."""
    if command is TimeSync:
        return TimeSynced
    return Accepted if command.spec.handler is Handler.STATE else SignalAccepted


class ConnectAuth(WireModel):
    """What a client says when it connects: `auth` in the official clients."""

    token: str


class ConnectError(WireModel):
    """The data of a CONNECT_ERROR packet: clients see it as `err.message` and `err.data`."""

    message: str
    data: ConnectRefusal


class Failure(WireModel):
    """The body of every answer of the HTTP API with a status of 400 or above."""

    error: Refused


class Health(WireModel):
    """Whether the process lives."""

    status: Literal["alive"]


class Readiness(WireModel):
    """Whether the process takes new work."""

    status: Literal["starting", "ready", "draining"]
