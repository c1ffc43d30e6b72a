"""The stages of a client's connection to a namespace, and what each input does: a table.

A namespace of a session is ``ABSENT`` until the client asks for it. It is ``CONNECTING`` while the
application decides, and ``CONNECTED`` from the turn in which CONNECT is answered. A client that
goes while the application decides leaves an ``ABANDONED`` connection, until the decision is there.
One that was handed over with its session is ``MOVING``, until another gateway has it, or it ends.

What holds: at most one decision is under way for a namespace, so a CONNECT packet that comes twice
admits one client; the application hears of the end of exactly those connections that it was told
to be connected, and of every accepted one that it was not told to be connected.
"""

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import NamedTuple


class Stage(StrEnum):
    """Where a connection to a namespace is."""

    ABSENT = auto()
    CONNECTING = auto()
    ABANDONED = auto()
    CONNECTED = auto()
    MOVING = auto()


class NamespaceEvent(StrEnum):
    """What happens to it."""

    # Packets of the client. ACK stands for all that need no answer.
    CONNECT = auto()
    DISCONNECT = auto()
    EVENT = auto()
    ACK = auto()
    # The application's decision.
    ACCEPTED = auto()
    REFUSED = auto()
    # The session is over, or the application closes the connection.
    ENDED = auto()
    # It is handed over to another gateway; that has it.
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
    """Whatever is not said otherwise is malformed as a packet, and else means nothing."""
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
    """What an event does to a connection at a stage."""
    return TABLE[stage][event]
