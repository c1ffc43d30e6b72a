"""The states, inputs and effects of an Engine.IO session.

The table itself is in ``lifecycle``.
"""

from enum import StrEnum, auto
from typing import NamedTuple


class State(StrEnum):
    """The states of a session."""

    OPENING = auto()
    POLLING = auto()
    PROBING = auto()
    PROBED = auto()
    WEBSOCKET = auto()
    SHUT_POLLING = auto()
    SHUT_PROBING = auto()
    SHUT_PROBED = auto()
    SHUT_WEBSOCKET = auto()
    MOVING = auto()
    LEFT = auto()
    CLOSED = auto()
    MOVED = auto()


class Input(StrEnum):
    """The inputs of a session."""

    # Packets over the session's own transport. OTHER is a packet that a client may not send.
    MESSAGE = auto()
    PONG = auto()
    CLOSE = auto()
    OTHER = auto()
    # From the WebSocket that a client tries: its probe, its upgrade, its end before the upgrade.
    PROBE = auto()
    UPGRADE = auto()
    TRY_FAILED = auto()
    # Requests: a POST, polls and what becomes of them, and a request for a WebSocket.
    POST = auto()
    POLL = auto()
    SECOND_POLL = auto()
    POLL_DUE = auto()
    POLL_ABANDONED = auto()
    WEBSOCKET = auto()
    # From this side: the session is shut, its client is given up or sent a bad request, CLOSE was
    # sent.
    SHUT = auto()
    GIVE_UP = auto()
    MISTAKE = auto()
    CLOSE_SENT = auto()
    # The session's WebSocket, or the request that was to become one, has ended.
    WEBSOCKET_ENDED = auto()
    # From another gateway, at which the client upgrades: it asks for the session, and then reports
    # whether it took the session over.
    HAND_OVER = auto()
    TAKEN_OVER = auto()
    NOT_TAKEN = auto()


class Do(StrEnum):
    """What is to be done after an input."""

    NOTHING = auto()
    # For packets.
    DELIVER = auto()
    COUNT_PONG = auto()
    REFUSE_PACKET = auto()
    # For requests. ANSWER sends the waiting packets.
    TAKE_POST = auto()
    WAIT = auto()
    WAIT_SHORTLY = auto()
    ANSWER = auto()
    ANSWER_OR_CLOSE = auto()
    ANSWER_NOOP = auto()
    ANSWER_CLOSE = auto()
    REFUSE_REQUEST = auto()
    # For WebSockets.
    SERVE = auto()
    TRY = auto()
    TURN_DOWN = auto()
    ANSWER_PROBE = auto()
    GO_OVER = auto()
    GO_OVER_AND_SHUT = auto()
    # To end a session: let its client poll the waiting packets; close or reset its WebSocket.
    DRAIN = auto()
    CLOSE_WEBSOCKET = auto()
    RESET_WEBSOCKET = auto()
    # To hand the session over: stop all activity here; forget it once it has moved.
    FREEZE = auto()
    FORGET = auto()
    # The end of the session, and how it is reported.
    END_BROKEN = auto()
    END_GOODBYE = auto()
    END_BY_CODE = auto()


class Step(NamedTuple):
    """The state after an input, and what is to be done."""

    state: State
    do: Do
