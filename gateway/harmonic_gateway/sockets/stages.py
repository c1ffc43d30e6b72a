"""The stages of a client's connection to a namespace, and what each input does: a table.

A namespace of a session is ``ABSENT`` until the client asks for it. It is ``CONNECTING`` while the
application decides, and ``CONNECTED`` from the turn in which CONNECT is answered. If the client
disconnects while the application decides, the connection is ``ABANDONED`` until the decision. A
connection that was handed over with its session is ``MOVING``, until another gateway takes it over,
or it ends.

Invariants: at most one decision is pending for a namespace, so a repeated CONNECT packet admits one
client. The application is told of the end of exactly those connections that it was told are
connected, and of each abandoned connection that it accepted.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple


class Stage(StrEnum):
    """The stages of a connection to a namespace."""

    ABSENT = auto()
    CONNECTING = auto()
    ABANDONED = auto()
    CONNECTED = auto()
    MOVING = auto()


class NamespaceEvent(StrEnum):
    """The inputs of a connection."""

    # Packets of the client. ACK stands for all packets that need no answer.
    CONNECT = auto()
    DISCONNECT = auto()
    EVENT = auto()
    ACK = auto()
    # The application's decision.
    ACCEPTED = auto()
    REFUSED = auto()
    # The session is over, or the application closes the connection.
    ENDED = auto()
    # It is handed over to another gateway; that gateway has taken it over.
    HANDED_OVER = auto()
    MOVED = auto()


class Effect(StrEnum):
    """What is to be done after an event."""

    NOTHING = auto()
    MALFORMED = auto()
    ASK = auto()
    ANSWER = auto()
    REFUSE = auto()
    ABANDON = auto()
    RECEIVE = auto()
    REPORT_END = auto()


class Next(NamedTuple):
    """The stage after an event, and what is to be done."""

    stage: Stage
    effect: Effect


def _row(stage: Stage, **others: Next) -> dict[NamespaceEvent, Next]:
    """A stage's row. Inputs that are not named are malformed if packets, and else ignored."""
    malformed, nothing = Next(stage, Effect.MALFORMED), Next(stage, Effect.NOTHING)
    packets = dict.fromkeys(
        (
            NamespaceEvent.CONNECT,
            NamespaceEvent.DISCONNECT,
            NamespaceEvent.EVENT,
            NamespaceEvent.ACK,
        ),
        malformed,
    )
    others_than_packets = dict.fromkeys(set(NamespaceEvent) - packets.keys(), nothing)
    named = {NamespaceEvent[name]: then for name, then in others.items()}
    return {**packets, **others_than_packets, **named}


TABLE: Mapping[Stage, Mapping[NamespaceEvent, Next]] = {
    Stage.ABSENT: _row(Stage.ABSENT, CONNECT=Next(Stage.CONNECTING, Effect.ASK)),
    Stage.CONNECTING: _row(
        Stage.CONNECTING,
        DISCONNECT=Next(Stage.ABANDONED, Effect.NOTHING),
        ENDED=Next(Stage.ABANDONED, Effect.NOTHING),
        ACCEPTED=Next(Stage.CONNECTED, Effect.ANSWER),
        REFUSED=Next(Stage.ABSENT, Effect.REFUSE),
    ),
    Stage.ABANDONED: _row(
        Stage.ABANDONED,
        ACCEPTED=Next(Stage.ABSENT, Effect.ABANDON),
        REFUSED=Next(Stage.ABSENT, Effect.NOTHING),
    ),
    Stage.CONNECTED: _row(
        Stage.CONNECTED,
        DISCONNECT=Next(Stage.ABSENT, Effect.REPORT_END),
        EVENT=Next(Stage.CONNECTED, Effect.RECEIVE),
        ACK=Next(Stage.CONNECTED, Effect.NOTHING),
        ENDED=Next(Stage.ABSENT, Effect.REPORT_END),
        HANDED_OVER=Next(Stage.MOVING, Effect.NOTHING),
    ),
    Stage.MOVING: _row(
        Stage.MOVING,
        ENDED=Next(Stage.ABSENT, Effect.REPORT_END),
        MOVED=Next(Stage.ABSENT, Effect.NOTHING),
    ),
}


def follow(stage: Stage, event: NamespaceEvent) -> Next:
    """The next stage, and what to do, after an event at a stage."""
    return TABLE[stage][event]
