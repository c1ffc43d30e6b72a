"""What a command costs the gateway besides being received. Pure.

A command is carried out in other turns of the event loop than it is received in: it is sent over
the bus, and what comes back is written to the room. There, nothing tells whose CPU time passes. So
each kind of command has a declared cost, which is above what it takes on a busy machine. What it
costs to write to *other* users is not part of it: a room's budget bounds that.
"""

from typing import NamedTuple, assert_never

from harmonic_protocol.catalogue import StateCommand
from harmonic_protocol.messages.connection import RefreshToken
from harmonic_protocol.messages.declaration import LiveSignal, OwnerCommand
from harmonic_protocol.messages.rooms import JoinRoom, LeaveRoom


class Cost(NamedTuple):
    """CPU seconds of a command and of each byte of it: once, and for each session of its user here.

    All sessions of a user may be in the room.
    """

    once_s: float
    byte_s: float = 0.0
    session_s: float = 0.0
    session_byte_s: float = 0.0


#: A signal is published, heard again and sent. Each byte of it is written as JSON and compressed.
SIGNAL = Cost(300e-6, 24e-9, 20e-6, 2e-9)
#: The owner is asked, and what it records is sent.
OWNERS = Cost(600e-6, 24e-9, 20e-6, 2e-9)
#: The session is saved as well, and the room is told.
ROOMS = Cost(2e-3, session_s=40e-6)
#: A signature is verified.
TOKEN = Cost(500e-6)
#: A client is let in: its token is verified, its session saved, and its end told.
ARRIVAL_COST_S = 3e-3
#: A call of the HTTP API is read and answered, and its owner is asked.
CALL_COST_S = 1.5e-3


def cost_of(command: StateCommand | LiveSignal | RefreshToken) -> Cost:
    """What a command costs that is carried out."""
    match command:
        case JoinRoom() | LeaveRoom():
            return ROOMS
        case LiveSignal():
            return SIGNAL
        case OwnerCommand():
            return OWNERS
        case RefreshToken():
            return TOKEN
        case unreachable:
            assert_never(unreachable)
